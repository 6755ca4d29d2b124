#include "etcd/errors.h"

#include <algorithm>
#include <optional>
#include <string>

namespace etcd {
namespace {

using base::Code;

struct Rule {
  std::string_view text;  // a part of etcd's own words
  Code code;
  Outcome outcome = Outcome::kRefused;
};

// The first rule whose text occurs decides, so the longer of two similar texts stands first.
// Refused: etcd checks it before it proposes anything to the cluster.
constexpr Rule kRules[] = {
    // membership
    {"unhealthy cluster", Code::kUnavailable},
    {"not enough started members", Code::kFailedPrecondition},
    {"Peer URLs already exists", Code::kAlreadyExists},
    {"given member URLs are invalid", Code::kInvalidArgument},
    {"too many learner members", Code::kFailedPrecondition},
    {"learner member which is in sync with leader", Code::kUnavailable},
    {"can only promote a learner member", Code::kFailedPrecondition},
    {"member not found", Code::kNotFound},
    {"rpc not supported for learner", Code::kFailedPrecondition},
    // leadership
    {"bad leader transferee", Code::kFailedPrecondition},
    {"not leader", Code::kFailedPrecondition},
    {"no leader", Code::kUnavailable},
    // time
    {"request timed out", Code::kDeadlineExceeded, Outcome::kMayHaveHappened},
    {"leader changed", Code::kUnavailable, Outcome::kMayHaveHappened},
    {"server stopped", Code::kUnavailable, Outcome::kMayHaveHappened},
    {"too many requests", Code::kUnavailable},
    // space, size and history
    {"database space exceeded", Code::kResourceExhausted},
    {"corrupt cluster", Code::kDataLoss},
    {"request is too large", Code::kInvalidArgument},
    {"grpc: received message larger than max", Code::kInvalidArgument},  // the server's words
    {"required revision has been compacted", Code::kNotFound},
    {"required revision is a future revision", Code::kUnavailable},
    // versions
    {"invalid downgrade target version", Code::kInvalidArgument},
    {"wrong downgrade target version format", Code::kInvalidArgument},
    {"downgrade job in progress", Code::kFailedPrecondition},
    {"no inflight downgrade job", Code::kNotFound},
    {"not capable", Code::kUnavailable},
    // auth; 3.5 answers its maintenance calls with code Unknown
    {"permission denied", Code::kPermissionDenied},
    {"user name not found", Code::kPermissionDenied},
    {"auth: user not found", Code::kPermissionDenied},
    {"user name is empty", Code::kPermissionDenied},
    {"invalid auth token", Code::kPermissionDenied},
    {"invalid user ID or password", Code::kPermissionDenied},
    // the channel never had a connection, so nothing was sent
    {"failed to connect to all addresses", Code::kUnavailable},
    {"Failed to pick subchannel", Code::kUnavailable},
    {"DNS resolution failed", Code::kUnavailable},
    {"empty address list", Code::kInvalidArgument},
};

// Where one text means different things to different calls.
std::optional<Judgement> exception(Call call, const Rule& rule, std::string_view text) {
  const auto as = [&](Outcome outcome, Code code) {
    return Judgement{outcome, {code, std::string(text)}};
  };
  // A leader or the answering member itself that was removed stops before it answers.
  if (call == Call::kMemberRemove && rule.text == "server stopped")
    return as(Outcome::kDone, Code::kUnavailable);
  // The member that takes the write to the quota has applied it when it says so.
  if (call == Call::kPut && rule.text == "database space exceeded")
    return as(Outcome::kMayHaveHappened, rule.code);
  // A follower forwards a promotion, and may lose the leader after that.
  if (call == Call::kMemberPromote && rule.text == "no leader")
    return as(Outcome::kMayHaveHappened, rule.code);
  // The history asked to go is gone.
  if (call == Call::kCompact && rule.text == "required revision has been compacted")
    return as(Outcome::kRefused, Code::kAlreadyExists);
  // gRPC's words for credentials that it could not make anything of.
  if (rule.text == "empty address list")
    return Judgement{rule.outcome, {rule.code, "the CA, certificate or key for TLS is unusable"}};
  return std::nullopt;
}

Judgement by_code(GrpcCode code, std::string_view text) {
  const auto as = [&](Outcome outcome, Code canonical) {
    return Judgement{outcome, {canonical, std::string(text)}};
  };
  switch (code) {
    case GrpcCode::kOk:
      return {Outcome::kDone, {}};
    case GrpcCode::kInvalidArgument:
      return as(Outcome::kRefused, Code::kInvalidArgument);
    case GrpcCode::kNotFound:
      return as(Outcome::kRefused, Code::kNotFound);
    case GrpcCode::kAlreadyExists:
      return as(Outcome::kRefused, Code::kAlreadyExists);
    case GrpcCode::kPermissionDenied:
    case GrpcCode::kUnauthenticated:
      return as(Outcome::kRefused, Code::kPermissionDenied);
    case GrpcCode::kFailedPrecondition:
      return as(Outcome::kRefused, Code::kFailedPrecondition);
    case GrpcCode::kOutOfRange:
      return as(Outcome::kRefused, Code::kInvalidArgument);
    case GrpcCode::kUnimplemented:
      return as(Outcome::kRefused, Code::kUnimplemented);
    case GrpcCode::kDataLoss:
      return as(Outcome::kRefused, Code::kDataLoss);
    case GrpcCode::kDeadlineExceeded:
      return as(Outcome::kMayHaveHappened, Code::kDeadlineExceeded);
    case GrpcCode::kUnavailable:
      return as(Outcome::kMayHaveHappened, Code::kUnavailable);
    case GrpcCode::kCancelled:
      return as(Outcome::kMayHaveHappened, Code::kCancelled);
    case GrpcCode::kAborted:
      return as(Outcome::kMayHaveHappened, Code::kAborted);
    case GrpcCode::kResourceExhausted:  // an answer larger than our limit, for one
      return as(Outcome::kMayHaveHappened, Code::kResourceExhausted);
    case GrpcCode::kUnknown:
    case GrpcCode::kInternal:
      break;
  }
  return as(Outcome::kMayHaveHappened, Code::kInternal);
}

}  // namespace

Judgement judge(Call call, GrpcCode code, std::string_view text) {
  // The caller's own deadline: whatever the text says, the request may be on its way.
  if (code == GrpcCode::kOk || code == GrpcCode::kDeadlineExceeded) return by_code(code, text);
  const auto* rule = std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& r) {
    return text.find(r.text) != std::string_view::npos;
  });
  if (rule == std::end(kRules)) return by_code(code, text);
  if (auto special = exception(call, *rule, text)) return *special;
  return {rule->outcome, {rule->code, std::string(text)}};
}

}  // namespace etcd
