// Every call of EtcdApi against real servers, and every refusal that is cheap to provoke.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <thread>

#include "etcd/api.h"
#include "etcd/identity.h"
#include "pki/digest.h"
#include "posix/wakeup.h"
#include "support/etcd_process.h"

namespace {

using base::Code;
using etcd::Outcome;
using support::TestCluster;

constexpr base::Duration kCall{10'000};
constexpr base::MemberId kNobody{0x1234};

bool eventually(const std::function<bool()>& condition, base::Duration limit = kCall * 3) {
  for (const auto deadline = posix::deadline_in(limit);
       posix::deadline_in(base::Duration(0)) < deadline; ::poll(nullptr, 0, 20))
    if (condition()) return true;
  return false;
}

template <class T>
testing::AssertionResult done(const etcd::Change<T>& change) {
  if (change) return testing::AssertionSuccess();
  return testing::AssertionFailure() << change.error().error.text();
}

template <class T>
testing::AssertionResult done(const base::Result<T>& result) {
  if (result) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().text();
}

template <class T>
testing::AssertionResult refused(const etcd::Change<T>& change, Code code,
                                 const std::string& text) {
  if (change) return testing::AssertionFailure() << "was done";
  const auto& [outcome, error] = change.error();
  if (outcome == Outcome::kRefused && error.code == code &&
      error.message.find(text) != std::string::npos)
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << error.text() << ", outcome " << static_cast<int>(outcome);
}

template <class T>
testing::AssertionResult fails(const base::Result<T>& result, Code code) {
  if (result) return testing::AssertionFailure() << "succeeded";
  if (result.error().code == code) return testing::AssertionSuccess();
  return testing::AssertionFailure() << result.error().text();
}

class EtcdApiTest : public testing::TestWithParam<const char*> {
 protected:
  [[nodiscard]] bool is_35() const { return std::string(GetParam()).starts_with("3.5"); }
};

INSTANTIATE_TEST_SUITE_P(Versions, EtcdApiTest, testing::Values("3.5.12", "3.6.16"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (auto& c : name)
                             if (c == '.') c = '_';
                           return "v" + name;
                         });

TEST_P(EtcdApiTest, ReadsAndWritesOfOneMemberOverTls) {
  TestCluster cluster(GetParam(), 1, true);
  ASSERT_EQ(cluster.error, "");
  const auto api = cluster.members[0]->connect();

  const auto first = api->put("a", "1", kCall);
  ASSERT_TRUE(done(first));
  ASSERT_TRUE(done(api->put("a", std::string("\0\xff two", 6), kCall)));
  EXPECT_EQ(*api->quorum_read(kCall), *first + 1);
  for (const bool serializable : {false, true}) {
    const auto now = api->range("a", "", serializable, 0, kCall);
    ASSERT_TRUE(done(now));
    ASSERT_EQ(now->kvs.size(), 1U);
    EXPECT_EQ(now->kvs[0].value, std::string("\0\xff two", 6));
    EXPECT_EQ(now->kvs[0].mod_revision, *first + 1);
    EXPECT_EQ(now->kvs[0].create_revision, *first);
    EXPECT_EQ(now->kvs[0].version, 2);
  }
  EXPECT_EQ(api->range("a", "", false, *first, kCall)->kvs[0].value, "1");
  EXPECT_TRUE(fails(api->range("", "", false, 0, kCall), Code::kInvalidArgument));
  EXPECT_EQ(api->range(std::string(1, '\0'), std::string(1, '\0'), false, 0, kCall)->count, 1);

  const auto status = api->status(kCall);
  ASSERT_TRUE(done(status));
  EXPECT_EQ(status->version, GetParam());
  EXPECT_EQ(status->leader, status->id);
  EXPECT_EQ(status->revision, *first + 1);
  EXPECT_GT(status->db_size, 0);
  EXPECT_GT(status->db_in_use, 0);
  EXPECT_GT(status->raft_index, 0U);
  EXPECT_GE(status->raft_index, status->raft_applied);
  EXPECT_GT(status->raft_term, 0U);
  EXPECT_FALSE(status->learner);
  EXPECT_EQ(status->storage_version, is_35() ? "" : "3.6.0");
  EXPECT_EQ(status->db_quota > 0, !is_35());
  EXPECT_TRUE(status->errors.empty());

  for (const bool linearizable : {false, true}) {
    const auto list = api->member_list(linearizable, kCall);
    ASSERT_TRUE(done(list));
    ASSERT_EQ(list->members.size(), 1U);
    EXPECT_EQ(list->members[0].name, "m0");
    EXPECT_EQ(list->members[0].client_urls,
              std::vector<std::string>{cluster.members[0]->client_url()});
    EXPECT_EQ(list->cluster_id, status->cluster_id);
    EXPECT_EQ(list->answered_by, status->id);
  }
  EXPECT_TRUE(api->alarms(kCall)->empty());

  const auto hash = api->hash_kv(*first + 1, kCall);
  ASSERT_TRUE(done(hash));
  EXPECT_NE(hash->hash, 0U);
  EXPECT_EQ(hash->compact_revision, -1);
  EXPECT_EQ(hash->revision, *first + 1);
  ASSERT_TRUE(done(api->compact(*first + 1, true, kCall)));
  EXPECT_EQ(api->hash_kv(0, kCall)->compact_revision, *first + 1);
  ASSERT_TRUE(done(api->defragment(kCall)));
}

TEST_P(EtcdApiTest, ASnapshotEndsWithItsDigestAndCanBeStopped) {
  TestCluster cluster(GetParam(), 1, true);
  ASSERT_EQ(cluster.error, "");
  const auto api = cluster.members[0]->connect();
  for (int i = 0; i < 8; ++i)
    ASSERT_TRUE(done(api->put("k" + std::to_string(i), std::string(1'000'000, 'x'), kCall)));
  std::string bytes;
  const auto take = [&](std::string_view part) {
    bytes += part;
    return true;
  };
  ASSERT_TRUE(api->snapshot(take, kCall));
  ASSERT_GT(bytes.size(), 8'000'000U);
  EXPECT_EQ(bytes.size() % 512, 32U);
  EXPECT_EQ(bytes.substr(bytes.size() - 32), pki::sha256(bytes.substr(0, bytes.size() - 32)));
  size_t parts = 0;
  const auto stopped = api->snapshot([&](std::string_view) { return ++parts < 3; }, kCall);
  EXPECT_EQ(stopped.error().code, Code::kCancelled);
  EXPECT_EQ(parts, 3U);
  EXPECT_TRUE(done(api->quorum_read(kCall)));
}

TEST_P(EtcdApiTest, RefusalsOfOneMember) {
  TestCluster cluster(GetParam(), 1, true);
  ASSERT_EQ(cluster.error, "");
  const auto api = cluster.members[0]->connect();
  const auto self = api->status(kCall)->id;
  const auto own_url = cluster.members[0]->peer_url();
  const auto revision = *api->put("a", "1", kCall);
  ASSERT_TRUE(done(api->put("a", "2", kCall)));
  ASSERT_TRUE(done(api->compact(revision + 1, false, kCall)));

  EXPECT_TRUE(refused(api->compact(revision, false, kCall), Code::kAlreadyExists, "compacted"));
  EXPECT_TRUE(refused(api->compact(revision + 99, false, kCall), Code::kUnavailable, "future"));
  EXPECT_TRUE(fails(api->range("a", "", false, revision, kCall), Code::kNotFound));
  EXPECT_TRUE(fails(api->range("a", "", false, revision + 99, kCall), Code::kUnavailable));
  EXPECT_TRUE(fails(api->hash_kv(revision + 99, kCall), Code::kUnavailable));
  EXPECT_TRUE(refused(api->put("a", std::string(1'600'000, 'x'), kCall), Code::kInvalidArgument,
                      "request is too large"));
  EXPECT_TRUE(refused(api->put("a", std::string(3'000'000, 'x'), kCall), Code::kInvalidArgument,
                      "message larger than max"));
  EXPECT_TRUE(refused(api->put("", "x", kCall), Code::kInvalidArgument, "key is not provided"));

  EXPECT_TRUE(refused(api->member_remove(self, kCall), Code::kFailedPrecondition,
                      "not enough started members"));
  EXPECT_TRUE(refused(api->member_remove(kNobody, kCall), Code::kNotFound, "member not found"));
  EXPECT_TRUE(refused(api->member_promote(self, kCall), Code::kFailedPrecondition,
                      "can only promote a learner member"));
  EXPECT_TRUE(refused(api->member_promote(kNobody, kCall), Code::kNotFound, "member not found"));
  EXPECT_TRUE(refused(api->member_update(kNobody, "https://127.0.0.1:1", kCall), Code::kNotFound,
                      "member not found"));
  EXPECT_TRUE(refused(api->member_add("nonsense", true, kCall), Code::kInvalidArgument,
                      "member URLs are invalid"));
  EXPECT_TRUE(refused(api->member_add(own_url, false, kCall), Code::kAlreadyExists,
                      "Peer URLs already exists"));
  const auto learner = api->member_add("https://127.0.0.1:1", true, kCall);
  ASSERT_TRUE(done(learner));
  EXPECT_TRUE(learner->learner);
  EXPECT_TRUE(learner->name.empty());
  EXPECT_TRUE(refused(api->member_add("https://127.0.0.1:2", true, kCall),
                      Code::kFailedPrecondition, "too many learner members"));
  EXPECT_TRUE(
      refused(api->member_promote(learner->id, kCall), Code::kUnavailable, "in sync with leader"));
  EXPECT_TRUE(refused(api->member_update(learner->id, own_url, kCall), Code::kAlreadyExists,
                      "Peer URLs already exists"));
  EXPECT_TRUE(done(api->member_update(learner->id, "https://127.0.0.1:3", kCall)));
  EXPECT_TRUE(refused(api->move_leader(kNobody, kCall), Code::kFailedPrecondition,
                      "bad leader transferee"));
  EXPECT_TRUE(done(api->member_remove(learner->id, kCall)));
  EXPECT_TRUE(done(api->move_leader(self, kCall)));
}

TEST_P(EtcdApiTest, DowngradeAnswers) {
  TestCluster cluster(GetParam(), 1, true);
  ASSERT_EQ(cluster.error, "");
  const auto api = cluster.members[0]->connect();
  using enum etcd::DowngradeAction;
  const std::string below = is_35() ? "3.4.0" : "3.5.0";
  EXPECT_TRUE(done(api->downgrade(kValidate, below, kCall)));
  EXPECT_TRUE(refused(api->downgrade(kValidate, "3.1.0", kCall), Code::kInvalidArgument,
                      "invalid downgrade target version"));
  EXPECT_TRUE(refused(api->downgrade(kValidate, "news", kCall), Code::kInvalidArgument,
                      "wrong downgrade target version format"));
  if (is_35()) {
    EXPECT_TRUE(
        refused(api->downgrade(kCancel, "", kCall), Code::kNotFound, "no inflight downgrade job"));
    return;  // enabling it takes seven seconds there, and is never right
  }
  EXPECT_TRUE(done(api->downgrade(kEnable, below, kCall)));
  EXPECT_TRUE(refused(api->downgrade(kEnable, below, kCall), Code::kFailedPrecondition,
                      "downgrade job in progress"));
  EXPECT_TRUE(eventually([&] { return api->status(kCall)->storage_version == below; }));
  EXPECT_TRUE(done(api->downgrade(kCancel, "", kCall)));
}

TEST_P(EtcdApiTest, NoSpaceIsRaisedAndDisarmed) {
  TestCluster cluster(GetParam(), 1, true, {"--quota-backend-bytes=4194304"});
  ASSERT_EQ(cluster.error, "");
  const auto api = cluster.members[0]->connect();
  etcd::Change<std::int64_t> last = 0;
  for (int i = 0; i < 200 && last; ++i) last = api->put("k", std::string(500'000, 'x'), kCall);
  ASSERT_FALSE(last);
  EXPECT_EQ(last.error().error.code, Code::kResourceExhausted);
  const auto alarms = api->alarms(kCall);
  ASSERT_TRUE(done(alarms));
  ASSERT_EQ(alarms->size(), 1U);
  const auto self = api->status(kCall)->id;
  EXPECT_EQ((*alarms)[0].kind, etcd::AlarmKind::kNoSpace);
  EXPECT_EQ((*alarms)[0].member, self);
  EXPECT_FALSE(api->status(kCall)->errors.empty());
  ASSERT_TRUE(done(api->compact(*api->quorum_read(kCall), true, kCall)));
  ASSERT_TRUE(done(api->defragment(kCall)));
  ASSERT_TRUE(done(api->disarm(self, etcd::AlarmKind::kNoSpace, kCall)));
  EXPECT_TRUE(api->alarms(kCall)->empty());
  EXPECT_TRUE(done(api->put("k", "x", kCall)));
}

TEST_P(EtcdApiTest, ConnectionsThatCannotBe) {
  TestCluster cluster(GetParam(), 1, true);
  ASSERT_EQ(cluster.error, "");
  const auto url = cluster.members[0]->client_url();
  const auto good = cluster.pki->client();
  const auto refused_by = [](const std::string& endpoint, const etcd::Tls& tls) {
    const auto api = etcd::connect(endpoint, tls);
    const auto put = api->put("a", "1", base::Duration(3000));
    const auto read = api->quorum_read(base::Duration(3000));
    return !put && !read && put.error().error.code != Code::kInternal &&
           (read.error().code == Code::kUnavailable ||
            read.error().code == Code::kDeadlineExceeded);
  };
  auto other_name = good;
  other_name.server_name = "not-localhost";
  EXPECT_TRUE(refused_by(url, other_name));
  auto by_name = good;
  by_name.server_name = "localhost";
  EXPECT_TRUE(done(etcd::connect(url, by_name)->quorum_read(kCall)));
  EXPECT_TRUE(refused_by(url, {.ca = good.ca, .cert = {}, .key = {}, .server_name = {}}));
  EXPECT_TRUE(refused_by(url, {}));
  auto bad_pem = good;
  bad_pem.cert = bad_pem.key = "no PEM";
  EXPECT_TRUE(refused(etcd::connect(url, bad_pem)->put("a", "1", kCall), Code::kInvalidArgument,
                      "TLS is unusable"));
  const auto ports = support::free_ports(1);
  const auto nobody = etcd::connect("127.0.0.1:" + std::to_string(ports[0]), good);
  EXPECT_TRUE(refused(nobody->put("a", "1", kCall), Code::kUnavailable, "failed to connect"));
  EXPECT_TRUE(refused(etcd::connect(url, good)->put("a", "1", base::Duration(0)),
                      Code::kDeadlineExceeded, "no time"));
  EXPECT_EQ(etcd::connect(url, good)->range("a", "", false, 0, kCall)->count, 0);
}

std::map<std::string, base::MemberId> ids_by_name(const etcd::MemberList& list) {
  std::map<std::string, base::MemberId> ids;
  for (const auto& m : list.members) ids[m.name] = m.id;
  return ids;
}

// etcd refuses adds for some seconds after a start; that is Refused, Unavailable, "later".
etcd::Change<etcd::Member> add_when_allowed(etcd::EtcdApi& api, const std::string& url) {
  etcd::Change<etcd::Member> added = api.member_add(url, true, kCall);
  eventually([&] {
    if (added || !refused(added, Code::kUnavailable, "unhealthy cluster")) return true;
    added = api.member_add(url, true, kCall);
    return false;
  });
  return added;
}

TEST_P(EtcdApiTest, IdsByFormulaAndTheLifeOfALearner) {
  TestCluster cluster(GetParam(), 3, true);
  ASSERT_EQ(cluster.error, "");
  const auto api = cluster.members[0]->connect();
  const auto list = api->member_list(true, kCall);
  ASSERT_TRUE(done(list));
  std::vector<base::MemberId> computed;
  for (const auto& process : cluster.members) {
    const auto id = etcd::member_id({process->peer_url()}, "test");
    EXPECT_EQ(ids_by_name(*list)[process->options().name], id);
    computed.push_back(id);
  }
  EXPECT_EQ(list->cluster_id, etcd::cluster_id(computed));
  EXPECT_TRUE(std::is_sorted(list->members.begin(), list->members.end(),
                             [](const auto& a, const auto& b) { return a.id < b.id; }));

  auto& process = cluster.add_process(cluster.initial_cluster(), "existing");
  const auto added = add_when_allowed(*api, process.peer_url());
  ASSERT_TRUE(done(added));
  EXPECT_TRUE(added->learner);
  EXPECT_TRUE(refused(api->member_promote(added->id, kCall), Code::kUnavailable, "in sync"));
  ASSERT_TRUE(process.start());
  const auto of_learner = process.connect();
  ASSERT_TRUE(eventually([&] { return done(of_learner->status(kCall)); })) << process.log();
  EXPECT_TRUE(of_learner->status(kCall)->learner);
  EXPECT_TRUE(fails(of_learner->quorum_read(kCall), Code::kFailedPrecondition));
  EXPECT_TRUE(refused(of_learner->member_promote(added->id, kCall), Code::kFailedPrecondition,
                      "rpc not supported for learner"));
  ASSERT_TRUE(eventually([&] { return done(api->member_promote(added->id, kCall)); }));
  const auto promoted = api->member_list(true, kCall);
  ASSERT_EQ(promoted->members.size(), 4U);
  EXPECT_EQ(ids_by_name(*promoted)["m3"], added->id);
  for (const auto& m : promoted->members) EXPECT_FALSE(m.learner);
}

TEST_P(EtcdApiTest, LeadersMoveAndLeave) {
  TestCluster cluster(GetParam(), 3, true);
  ASSERT_EQ(cluster.error, "");
  std::vector<std::unique_ptr<etcd::EtcdApi>> apis;
  for (const auto& m : cluster.members) apis.push_back(m->connect());
  const auto list = apis[0]->member_list(true, kCall);
  ASSERT_TRUE(done(list));
  const auto leader_id = apis[0]->status(kCall)->leader;
  auto ids = ids_by_name(*list);
  const auto index_of = [&](base::MemberId id) {
    for (size_t i = 0; i < apis.size(); ++i)
      if (ids[cluster.members[i]->options().name] == id) return i;
    return apis.size();
  };
  const size_t leader = index_of(leader_id);
  ASSERT_LT(leader, 3U);
  const size_t follower = (leader + 1) % 3;
  const auto next = ids[cluster.members[follower]->options().name];
  EXPECT_TRUE(
      refused(apis[follower]->move_leader(next, kCall), Code::kFailedPrecondition, "not leader"));
  EXPECT_TRUE(done(apis[leader]->move_leader(next, kCall)));
  EXPECT_TRUE(eventually([&] { return apis[follower]->status(kCall)->leader == next; }));

  // A leader that removes itself answers, or has stopped before it could: both are done.
  eventually([&] {
    const auto removed = apis[follower]->member_remove(next, kCall);
    if (removed) return true;
    EXPECT_TRUE(refused(removed, Code::kUnavailable, "unhealthy cluster"));
    return false;
  });
  EXPECT_TRUE(cluster.members[follower]->wait_exit(kCall));
  EXPECT_TRUE(eventually([&] {
    const auto now = apis[leader]->member_list(true, kCall);
    return now && now->members.size() == 2;
  }));
}

TEST_P(EtcdApiTest, WithoutAQuorumReadsOfOneMemberGoOnAndTheRestFailsFast) {
  TestCluster cluster(GetParam(), 3, true);
  ASSERT_EQ(cluster.error, "");
  const auto api = cluster.members[0]->connect();
  const auto revision = api->put("a", "1", kCall);
  ASSERT_TRUE(done(revision));
  const auto self = api->status(kCall)->id;
  cluster.members[1]->kill();
  cluster.members[2]->kill();
  ASSERT_TRUE(eventually([&] { return !api->status(kCall)->leader; }));

  EXPECT_TRUE(fails(api->quorum_read(kCall), Code::kUnavailable));
  EXPECT_TRUE(fails(api->member_list(true, kCall), Code::kUnavailable));
  EXPECT_TRUE(refused(api->put("a", "2", kCall), Code::kUnavailable, "no leader"));
  EXPECT_TRUE(refused(api->member_remove(self, kCall), Code::kUnavailable, "no leader"));
  EXPECT_FALSE(api->status(kCall)->errors.empty());
  EXPECT_EQ(api->member_list(false, kCall)->members.size(), 3U);
  EXPECT_EQ(api->range("a", "", true, 0, kCall)->kvs[0].value, "1");
  EXPECT_TRUE(done(api->hash_kv(*revision, kCall)));
  EXPECT_TRUE(api->snapshot([](std::string_view) { return true; }, kCall));
  EXPECT_TRUE(done(api->defragment(kCall)));
}

// One client, many threads, a server that dies and comes back: no call hangs, none answers from an
// old failure once the server is there.
TEST_P(EtcdApiTest, AServerThatComesBackIsFoundByTheNextCall) {
  TestCluster cluster(GetParam(), 1, true);
  ASSERT_EQ(cluster.error, "");
  auto& server = *cluster.members[0];
  const auto api = server.connect();
  std::atomic<int> unclear{0};
  std::atomic<int> written{0};
  {
    std::vector<std::jthread> writers;
    for (int i = 0; i < 8; ++i)
      writers.emplace_back([&, i](const std::stop_token& stop) {
        for (int n = 0; !stop.stop_requested(); ++n) {
          const auto put = api->put("k" + std::to_string(i), std::to_string(n), kCall);
          if (put) ++written;
          if (!put && put.error().outcome == Outcome::kMayHaveHappened) ++unclear;
        }
      });
    ASSERT_TRUE(eventually([&] { return written > 100; }));
    server.kill();
    EXPECT_TRUE(eventually([&] {  // the first calls may still go to the broken connection
      return refused(api->put("a", "1", kCall), Code::kUnavailable, "failed to connect");
    }));
    EXPECT_TRUE(fails(api->status(kCall), Code::kUnavailable));
    ASSERT_TRUE(server.start());
    ASSERT_TRUE(server.wait_ready(kCall));
    const int before = written;
    EXPECT_TRUE(eventually([&] { return written > before + 100; }));
  }
  EXPECT_TRUE(done(api->put("a", "1", kCall)));
  // What was in flight when it died, and tries before gRPC noticed; while nobody listens, nothing.
  EXPECT_LE(unclear, 8 * 50);
}

// The answer is lost, the change is not.
TEST_P(EtcdApiTest, AChangeWithoutAnAnswerMayHaveHappened) {
  TestCluster cluster(GetParam(), 3, true);
  ASSERT_EQ(cluster.error, "");
  const auto leader_id = cluster.members[0]->connect()->status(kCall)->leader;
  size_t leader = 0;
  for (size_t i = 0; i < 3; ++i)
    if (cluster.members[i]->connect()->status(kCall)->id == leader_id) leader = i;
  const auto api = cluster.members[leader]->connect();
  ASSERT_TRUE(done(api->quorum_read(kCall)));
  for (size_t i = 0; i < 3; ++i)
    if (i != leader) cluster.members[i]->signal(SIGSTOP);
  const auto lost = api->put("a", "1", base::Duration(300));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().outcome, Outcome::kMayHaveHappened);
  EXPECT_EQ(lost.error().error.code, Code::kDeadlineExceeded);
  for (const auto& m : cluster.members) m->signal(SIGCONT);
  EXPECT_TRUE(eventually([&] {
    const auto read = api->range("a", "", false, 0, kCall);
    return read && read->count == 1;
  }));
}

}  // namespace
