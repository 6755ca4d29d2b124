#include <fmt/format.h>
#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/time.h>

#include <algorithm>

#include "etcd/api.h"
#include "etcd/errors.h"
#include "etcd/grpc_link.h"

namespace etcd {
namespace {

namespace pb = etcdserverpb;
using base::Code;

// Any key does: what counts is that the read went through a quorum.
constexpr const char* kProbeKey = "health";

Judgement judge(Call call, const grpc::Status& status) {
  return judge(call, static_cast<GrpcCode>(status.error_code()), status.error_message());
}

std::unexpected<base::Error> fail_read(const grpc::Status& status) {
  return std::unexpected(judge(Call::kRead, status).error);
}

template <class T>
std::vector<std::string> texts(const T& repeated) {
  return {repeated.begin(), repeated.end()};
}

Member to_member(const pb::Member& m) {
  return {.id = {m.id()},
          .name = m.name(),
          .peer_urls = texts(m.peerurls()),
          .client_urls = texts(m.clienturls()),
          .learner = m.islearner()};
}

AlarmKind to_kind(pb::AlarmType type) {
  switch (type) {
    case pb::NOSPACE:
      return AlarmKind::kNoSpace;
    case pb::CORRUPT:
      return AlarmKind::kCorrupt;
    default:
      return AlarmKind::kNone;
  }
}

pb::AlarmType to_type(AlarmKind kind) {
  switch (kind) {
    case AlarmKind::kNoSpace:
      return pb::NOSPACE;
    case AlarmKind::kCorrupt:
      return pb::CORRUPT;
    case AlarmKind::kNone:
      break;
  }
  return pb::NONE;
}

pb::DowngradeRequest::DowngradeAction to_action(DowngradeAction action) {
  switch (action) {
    case DowngradeAction::kValidate:
      return pb::DowngradeRequest::VALIDATE;
    case DowngradeAction::kEnable:
      return pb::DowngradeRequest::ENABLE;
    case DowngradeAction::kCancel:
      return pb::DowngradeRequest::CANCEL;
  }
  return pb::DowngradeRequest::VALIDATE;
}

// What a call needs of the server: kLeader fails at once on a member that knows no leader, instead
// of after etcd's own seven seconds.
enum class Needs { kNothing, kLeader };

class GrpcApi final : public EtcdApi {
 public:
  GrpcApi(const std::string& endpoint, const Tls& tls) : linker_(endpoint, tls) {}

  base::Result<MemberList> member_list(bool linearizable, base::Duration deadline) override {
    pb::MemberListRequest request;
    request.set_linearizable(linearizable);
    pb::MemberListResponse response;
    const auto needs = linearizable ? Needs::kLeader : Needs::kNothing;
    const auto status =
        call(&Link::cluster, &pb::Cluster::Stub::MemberList, request, response, deadline, needs);
    if (!status.ok()) return fail_read(status);
    MemberList out{.cluster_id = {response.header().cluster_id()},
                   .answered_by = {response.header().member_id()},
                   .members = {}};
    for (const auto& m : response.members()) out.members.push_back(to_member(m));
    std::sort(out.members.begin(), out.members.end(),
              [](const Member& a, const Member& b) { return a.id < b.id; });
    return out;
  }

  base::Result<MemberStatus> status(base::Duration deadline) override {
    pb::StatusResponse r;
    const auto status = call(&Link::maintenance, &pb::Maintenance::Stub::Status,
                             pb::StatusRequest(), r, deadline, Needs::kNothing);
    if (!status.ok()) return fail_read(status);
    return MemberStatus{.cluster_id = {r.header().cluster_id()},
                        .id = {r.header().member_id()},
                        .leader = {r.leader()},
                        .version = r.version(),
                        .storage_version = r.storageversion(),
                        .revision = r.header().revision(),
                        .db_size = r.dbsize(),
                        .db_in_use = r.dbsizeinuse(),
                        .db_quota = r.dbsizequota(),
                        .raft_term = r.raftterm(),
                        .raft_index = r.raftindex(),
                        .raft_applied = r.raftappliedindex(),
                        .learner = r.islearner(),
                        .errors = texts(r.errors())};
  }

  base::Result<std::vector<Alarm>> alarms(base::Duration deadline) override {
    pb::AlarmRequest request;
    request.set_action(pb::AlarmRequest::GET);
    pb::AlarmResponse response;
    const auto status = call(&Link::maintenance, &pb::Maintenance::Stub::Alarm, request, response,
                             deadline, Needs::kLeader);
    if (!status.ok()) return fail_read(status);
    std::vector<Alarm> out;
    for (const auto& a : response.alarms()) out.push_back({{a.memberid()}, to_kind(a.alarm())});
    return out;
  }

  base::Result<Hash> hash_kv(std::int64_t revision, base::Duration deadline) override {
    pb::HashKVRequest request;
    request.set_revision(revision);
    pb::HashKVResponse response;
    const auto status = call(&Link::maintenance, &pb::Maintenance::Stub::HashKV, request, response,
                             deadline, Needs::kNothing);
    if (!status.ok()) return fail_read(status);
    return Hash{response.hash(), response.compact_revision(), revision};
  }

  base::Result<RangeResult> range(const std::string& key, const std::string& range_end,
                                  bool serializable, std::int64_t revision,
                                  base::Duration deadline) override {
    pb::RangeRequest request;
    request.set_key(key);
    request.set_range_end(range_end);
    request.set_serializable(serializable);
    request.set_revision(revision);
    pb::RangeResponse response;
    const auto status = call(&Link::kv, &pb::KV::Stub::Range, request, response, deadline,
                             serializable ? Needs::kNothing : Needs::kLeader);
    if (!status.ok()) return fail_read(status);
    RangeResult out{.revision = response.header().revision(), .count = response.count(), .kvs = {}};
    for (const auto& kv : response.kvs())
      out.kvs.push_back({.key = kv.key(),
                         .value = kv.value(),
                         .create_revision = kv.create_revision(),
                         .mod_revision = kv.mod_revision(),
                         .version = kv.version()});
    return out;
  }

  base::Result<std::int64_t> quorum_read(base::Duration deadline) override {
    pb::RangeRequest request;
    request.set_key(kProbeKey);
    request.set_keys_only(true);
    pb::RangeResponse response;
    const auto status =
        call(&Link::kv, &pb::KV::Stub::Range, request, response, deadline, Needs::kLeader);
    if (!status.ok()) return fail_read(status);
    return response.header().revision();
  }

  base::Status snapshot(const std::function<bool(std::string_view)>& sink,
                        base::Duration deadline) override {
    if (deadline <= base::Duration(0)) return fail_read(no_time());
    const auto until = end_of(deadline);
    const auto link = linker_.connected(until);
    if (!link) return fail_read(link.error());
    grpc::ClientContext context;
    context.set_deadline(until);
    const auto reader = (*link)->maintenance.Snapshot(&context, pb::SnapshotRequest());
    pb::SnapshotResponse part;
    std::uint64_t remaining = 1;  // no part yet: not complete
    while (reader->Read(&part)) {
      remaining = part.remaining_bytes();
      if (sink(part.blob())) continue;
      context.TryCancel();
      while (reader->Read(&part)) {
      }
      static_cast<void>(reader->Finish());  // Cancelled, by ourselves
      return base::fail(Code::kCancelled, "snapshot stopped by its reader");
    }
    const auto status = reader->Finish();
    if (!status.ok()) return fail_read(status);
    if (remaining != 0)
      return base::fail(Code::kUnavailable,
                        fmt::format("snapshot ended {} bytes early", remaining));
    return {};
  }

  Change<std::int64_t> put(const std::string& key, const std::string& value,
                           base::Duration deadline) override {
    pb::PutRequest request;
    request.set_key(key);
    request.set_value(value);
    pb::PutResponse response;
    const auto done =
        change(Call::kPut, &Link::kv, &pb::KV::Stub::Put, request, response, deadline);
    if (!done) return std::unexpected(done.error());
    return response.header().revision();
  }

  Change<Member> member_add(const std::string& peer_url, bool learner,
                            base::Duration deadline) override {
    pb::MemberAddRequest request;
    request.add_peerurls(peer_url);
    request.set_islearner(learner);
    pb::MemberAddResponse response;
    const auto done = change(Call::kMemberAdd, &Link::cluster, &pb::Cluster::Stub::MemberAdd,
                             request, response, deadline);
    if (!done) return std::unexpected(done.error());
    return to_member(response.member());
  }

  Change<void> member_remove(base::MemberId id, base::Duration deadline) override {
    pb::MemberRemoveRequest request;
    request.set_id(id.value);
    pb::MemberRemoveResponse response;
    return change(Call::kMemberRemove, &Link::cluster, &pb::Cluster::Stub::MemberRemove, request,
                  response, deadline);
  }

  Change<void> member_promote(base::MemberId id, base::Duration deadline) override {
    pb::MemberPromoteRequest request;
    request.set_id(id.value);
    pb::MemberPromoteResponse response;
    return change(Call::kMemberPromote, &Link::cluster, &pb::Cluster::Stub::MemberPromote, request,
                  response, deadline);
  }

  Change<void> member_update(base::MemberId id, const std::string& peer_url,
                             base::Duration deadline) override {
    pb::MemberUpdateRequest request;
    request.set_id(id.value);
    request.add_peerurls(peer_url);
    pb::MemberUpdateResponse response;
    return change(Call::kMemberUpdate, &Link::cluster, &pb::Cluster::Stub::MemberUpdate, request,
                  response, deadline);
  }

  Change<void> move_leader(base::MemberId to, base::Duration deadline) override {
    pb::MoveLeaderRequest request;
    request.set_targetid(to.value);
    pb::MoveLeaderResponse response;
    return change(Call::kMoveLeader, &Link::maintenance, &pb::Maintenance::Stub::MoveLeader,
                  request, response, deadline);
  }

  Change<void> defragment(base::Duration deadline) override {
    pb::DefragmentResponse response;
    return change(Call::kDefragment, &Link::maintenance, &pb::Maintenance::Stub::Defragment,
                  pb::DefragmentRequest(), response, deadline, Needs::kNothing);
  }

  Change<void> compact(std::int64_t revision, bool physical, base::Duration deadline) override {
    pb::CompactionRequest request;
    request.set_revision(revision);
    request.set_physical(physical);
    pb::CompactionResponse response;
    return change(Call::kCompact, &Link::kv, &pb::KV::Stub::Compact, request, response, deadline);
  }

  Change<void> disarm(base::MemberId member, AlarmKind kind, base::Duration deadline) override {
    pb::AlarmRequest request;
    request.set_action(pb::AlarmRequest::DEACTIVATE);
    request.set_memberid(member.value);
    request.set_alarm(to_type(kind));
    pb::AlarmResponse response;
    return change(Call::kDisarm, &Link::maintenance, &pb::Maintenance::Stub::Alarm, request,
                  response, deadline);
  }

  Change<void> downgrade(DowngradeAction action, const std::string& version,
                         base::Duration deadline) override {
    pb::DowngradeRequest request;
    request.set_action(to_action(action));
    request.set_version(version);
    pb::DowngradeResponse response;
    return change(Call::kDowngrade, &Link::maintenance, &pb::Maintenance::Stub::Downgrade, request,
                  response, deadline);
  }

 private:
  static grpc::Status no_time() {
    return {grpc::StatusCode::DEADLINE_EXCEEDED, "no time was left for the call"};
  }

  static gpr_timespec end_of(base::Duration deadline) {
    const auto span = gpr_time_from_millis(deadline.count(), GPR_TIMESPAN);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), span);
  }

  template <class Stub, class Method, class Request, class Response>
  grpc::Status call(Stub Link::* stub, Method method, const Request& request, Response& response,
                    base::Duration deadline, Needs needs) {
    if (deadline <= base::Duration(0)) return no_time();
    const auto until = end_of(deadline);
    const auto link = linker_.connected(until);
    if (!link) return link.error();
    grpc::ClientContext context;
    context.set_deadline(until);
    if (needs == Needs::kLeader) context.AddMetadata("hasleader", "true");
    return ((**link).*stub.*method)(&context, request, &response);
  }

  template <class Stub, class Method, class Request, class Response>
  Change<void> change(Call kind, Stub Link::* stub, Method method, const Request& request,
                      Response& response, base::Duration deadline, Needs needs = Needs::kLeader) {
    // Nothing is sent, so nothing can have happened.
    if (deadline <= base::Duration(0))
      return std::unexpected(
          Failure{Outcome::kRefused, {Code::kDeadlineExceeded, no_time().error_message()}});
    const auto status = call(stub, method, request, response, deadline, needs);
    auto judgement = judge(kind, status);
    if (judgement.outcome == Outcome::kDone) return {};
    return std::unexpected(Failure{judgement.outcome, std::move(judgement.error)});
  }

  Linker linker_;
};

}  // namespace

std::unique_ptr<EtcdApi> connect(const std::string& endpoint, const Tls& tls) {
  return std::make_unique<GrpcApi>(endpoint, tls);
}

}  // namespace etcd
