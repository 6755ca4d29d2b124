#include "etcd/errors.h"

#include <gtest/gtest.h>

#include "etcd/identity.h"

namespace etcd {
namespace {

using base::Code;
using enum Call;
using G = GrpcCode;
constexpr auto kDone = Outcome::kDone;
constexpr auto kRefused = Outcome::kRefused;
constexpr auto kMaybe = Outcome::kMayHaveHappened;

// One answer that a real server was seen to give, under the words of the condition.
struct Row {
  const char* condition;
  Call call;
  GrpcCode grpc;
  const char* text;
  Outcome outcome;
  Code code;
};

const Row kRows[] = {
    {"add guard: voters connected for less than 5 s", kMemberAdd, G::kUnavailable,
     "etcdserver: unhealthy cluster", kRefused, Code::kUnavailable},
    {"add voter: started below quorum of n+1", kMemberAdd, G::kUnknown,
     "etcdserver: re-configuration failed due to not enough started members", kRefused,
     Code::kFailedPrecondition},
    {"add: URL exists", kMemberAdd, G::kFailedPrecondition, "etcdserver: Peer URLs already exists",
     kRefused, Code::kAlreadyExists},
    {"add: bad or no URL", kMemberAdd, G::kInvalidArgument,
     "etcdserver: given member URLs are invalid", kRefused, Code::kInvalidArgument},
    {"add learner: limit reached", kMemberAdd, G::kFailedPrecondition,
     "etcdserver: too many learner members in cluster", kRefused, Code::kFailedPrecondition},
    {"promote: not in sync or unstarted", kMemberPromote, G::kFailedPrecondition,
     "etcdserver: can only promote a learner member which is in sync with leader", kRefused,
     Code::kUnavailable},
    {"promote: a voter", kMemberPromote, G::kFailedPrecondition,
     "etcdserver: can only promote a learner member", kRefused, Code::kFailedPrecondition},
    {"promote: unknown id", kMemberPromote, G::kNotFound, "etcdserver: member not found", kRefused,
     Code::kNotFound},
    {"promote: sent to the learner, 3.5", kMemberPromote, G::kUnavailable,
     "etcdserver: rpc not supported for learner", kRefused, Code::kFailedPrecondition},
    {"promote: sent to the learner, 3.6", kMemberPromote, G::kFailedPrecondition,
     "etcdserver: rpc not supported for learner", kRefused, Code::kFailedPrecondition},
    {"promote: no leader after 7 s", kMemberPromote, G::kUnavailable, "etcdserver: no leader",
     kMaybe, Code::kUnavailable},
    {"remove: last voter", kMemberRemove, G::kUnknown,
     "etcdserver: re-configuration failed due to not enough started members", kRefused,
     Code::kFailedPrecondition},
    {"remove: healthy one while another is down", kMemberRemove, G::kUnavailable,
     "etcdserver: unhealthy cluster", kRefused, Code::kUnavailable},
    {"remove: unknown or already removed", kMemberRemove, G::kNotFound,
     "etcdserver: member not found", kRefused, Code::kNotFound},
    {"remove: leader or self, applied", kMemberRemove, G::kUnavailable,
     "etcdserver: server stopped", kDone, Code::kUnavailable},
    {"put: server stopped tells nothing", kPut, G::kUnavailable, "etcdserver: server stopped",
     kMaybe, Code::kUnavailable},
    {"update: unknown", kMemberUpdate, G::kNotFound, "etcdserver: member not found", kRefused,
     Code::kNotFound},
    {"update: another's URL", kMemberUpdate, G::kFailedPrecondition,
     "etcdserver: Peer URLs already exists", kRefused, Code::kAlreadyExists},
    {"add: followers paused, applied later", kMemberAdd, G::kDeadlineExceeded,
     "context deadline exceeded", kMaybe, Code::kDeadlineExceeded},
    {"add: our own deadline", kMemberAdd, G::kDeadlineExceeded, "Deadline Exceeded", kMaybe,
     Code::kDeadlineExceeded},
    {"in flight at a leader change", kPut, G::kUnavailable, "etcdserver: request timed out", kMaybe,
     Code::kDeadlineExceeded},
    {"in flight when the leader failed", kPut, G::kUnavailable,
     "etcdserver: request timed out, possibly due to previous leader failure", kMaybe,
     Code::kDeadlineExceeded},
    {"read during a leader change", kRead, G::kUnavailable, "etcdserver: leader changed", kMaybe,
     Code::kUnavailable},
    {"any with hasleader, no quorum", kPut, G::kUnavailable, "etcdserver: no leader", kRefused,
     Code::kUnavailable},
    {"linearizable get, no quorum", kRead, G::kUnavailable, "etcdserver: request timed out", kMaybe,
     Code::kDeadlineExceeded},
    {"move leader: not leader", kMoveLeader, G::kFailedPrecondition, "etcdserver: not leader",
     kRefused, Code::kFailedPrecondition},
    {"move leader: learner or unknown target", kMoveLeader, G::kFailedPrecondition,
     "etcdserver: bad leader transferee", kRefused, Code::kFailedPrecondition},
    {"downgrade: other target", kDowngrade, G::kInvalidArgument,
     "etcdserver: invalid downgrade target version", kRefused, Code::kInvalidArgument},
    {"downgrade: not a version", kDowngrade, G::kInvalidArgument,
     "etcdserver: wrong downgrade target version format", kRefused, Code::kInvalidArgument},
    {"downgrade: enable on 3.5 is applied all the same", kDowngrade, G::kUnavailable,
     "etcdserver: request timed out", kMaybe, Code::kDeadlineExceeded},
    {"downgrade: enabled already", kDowngrade, G::kFailedPrecondition,
     "etcdserver: cluster has a downgrade job in progress", kRefused, Code::kFailedPrecondition},
    {"downgrade: cancel, none running, 3.5", kDowngrade, G::kFailedPrecondition,
     "etcdserver: no inflight downgrade job", kRefused, Code::kNotFound},
    {"NOSPACE: the write that reached the quota was applied", kPut, G::kResourceExhausted,
     "etcdserver: mvcc: database space exceeded", kMaybe, Code::kResourceExhausted},
    {"compact: required revision has been compacted", kCompact, G::kOutOfRange,
     "etcdserver: mvcc: required revision has been compacted", kRefused, Code::kAlreadyExists},
    {"get at an old revision", kRead, G::kOutOfRange,
     "etcdserver: mvcc: required revision has been compacted", kRefused, Code::kNotFound},
    {"compact: is a future revision", kCompact, G::kOutOfRange,
     "etcdserver: mvcc: required revision is a future revision", kRefused, Code::kUnavailable},
    {"put above 1.5 MiB", kPut, G::kInvalidArgument, "etcdserver: request is too large", kRefused,
     Code::kInvalidArgument},
    {"put above the server's message limit", kPut, G::kResourceExhausted,
     "grpc: received message larger than max (3000008 vs. 2097152)", kRefused,
     Code::kInvalidArgument},
    {"CORRUPT is set", kPut, G::kDataLoss, "etcdserver: corrupt cluster", kRefused,
     Code::kDataLoss},
    {"auth: CN unknown, 3.6", kDefragment, G::kFailedPrecondition,
     "etcdserver: user name not found", kRefused, Code::kPermissionDenied},
    {"auth: no right", kCompact, G::kPermissionDenied, "etcdserver: permission denied", kRefused,
     Code::kPermissionDenied},
    {"auth: no right, 3.5 maintenance", kDefragment, G::kUnknown, "auth: permission denied",
     kRefused, Code::kPermissionDenied},
    {"auth: CN unknown, 3.5 maintenance", kRead, G::kUnknown, "auth: user not found", kRefused,
     Code::kPermissionDenied},
    {"auth: bad token", kPut, G::kUnauthenticated, "etcdserver: invalid auth token", kRefused,
     Code::kPermissionDenied},
    {"overload", kPut, G::kUnavailable, "etcdserver: too many requests", kRefused,
     Code::kUnavailable},
    {"a method that 3.4 does not have", kDowngrade, G::kUnimplemented,
     "unknown method Downgrade for service etcdserverpb.Maintenance", kRefused,
     Code::kUnimplemented},
    {"nobody listens", kPut, G::kUnavailable,
     "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to connect "
     "to remote host: Connection refused",
     kRefused, Code::kUnavailable},
    {"a host without an address", kPut, G::kUnavailable,
     "DNS resolution failed for nowhere.invalid:2379", kRefused, Code::kUnavailable},
    {"the connection broke", kPut, G::kUnavailable, "Socket closed", kMaybe, Code::kUnavailable},
    {"a text we do not know", kPut, G::kUnknown, "etcdserver: news", kMaybe, Code::kInternal},
    {"a refusal we do not know", kMemberAdd, G::kFailedPrecondition, "etcdserver: news", kRefused,
     Code::kFailedPrecondition},
    {"cancelled", kPut, G::kCancelled, "CANCELLED", kMaybe, Code::kCancelled},
    {"an answer above our limit", kPut, G::kResourceExhausted,
     "Received message larger than max (10 vs. 5)", kMaybe, Code::kResourceExhausted},
    {"our deadline, whatever the text", kMemberRemove, G::kDeadlineExceeded,
     "etcdserver: server stopped", kMaybe, Code::kDeadlineExceeded},
};

class Answers : public testing::TestWithParam<Row> {};

TEST_P(Answers, Judged) {
  const auto& row = GetParam();
  const auto judged = judge(row.call, row.grpc, row.text);
  EXPECT_EQ(judged.outcome, row.outcome) << row.condition;
  EXPECT_EQ(judged.error.code, row.code) << row.condition << ": " << name_of(judged.error.code);
  EXPECT_EQ(judged.error.message, row.text) << row.condition;
}

std::string name_of_row(const testing::TestParamInfo<Row>& info) {
  std::string name;
  for (const char c : std::string_view(info.param.condition))
    name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Behaviour, Answers, testing::ValuesIn(kRows), name_of_row);

TEST(Judge, UnusableCredentialsAreNamed) {
  const auto judged = judge(kPut, G::kUnavailable, "empty address list: ");
  EXPECT_EQ(judged.outcome, kRefused);
  EXPECT_EQ(judged.error.code, Code::kInvalidArgument);
  EXPECT_EQ(judged.error.message, "the CA, certificate or key for TLS is unusable");
}

TEST(Judge, OkIsDone) {
  EXPECT_EQ(judge(kPut, G::kOk, "").outcome, kDone);
}

// No code that is not clearly a refusal may ever be taken for one.
TEST(Judge, UnclearCodesMayHaveHappened) {
  for (int code = 1; code <= 16; ++code) {
    const bool clear = code == 3 || code == 5 || code == 6 || code == 7 || code == 9 ||
                       code == 11 || code == 12 || code == 15 || code == 16;
    const auto judged = judge(kPut, static_cast<GrpcCode>(code), "");
    EXPECT_EQ(judged.outcome, clear ? kRefused : kMaybe) << code;
  }
}

TEST(Identity, OrderOfUrlsAndMembersDoesNotMatter) {
  EXPECT_EQ(member_id({"b", "a"}, "t"), member_id({"a", "b"}, "t"));
  EXPECT_NE(member_id({"a"}, "t"), member_id({"a"}, "u"));
  EXPECT_EQ(cluster_id({{1}, {2}}), cluster_id({{2}, {1}}));
}

// The documented default of a lone etcd: its ids are known all over the world.
TEST(Identity, TheWellKnownIdsOfAnUnconfiguredEtcd) {
  const auto member = member_id({"http://localhost:2380"}, "etcd-cluster");
  EXPECT_EQ(base::to_text(member), "8e9e05c52164694d");
  EXPECT_EQ(base::to_text(cluster_id({member})), "cdf818194e3a8c32");
}

}  // namespace
}  // namespace etcd
