// What a member says of itself, and whether it says anything.
#include <fmt/format.h>

#include <algorithm>

#include "sim/world/etcd_raft.h"

namespace sim {
namespace {

using enum etcd::GrpcCode;

std::unexpected<Refusal> refuse(etcd::GrpcCode code, std::string_view text) {
  return std::unexpected(Refusal{code, "etcdserver: " + std::string(text)});
}

bool needs_leader(Rpc rpc) {
  switch (rpc) {
    case Rpc::kStatus:
    case Rpc::kMemberList:
    case Rpc::kHashKv:
    case Rpc::kRange:
    case Rpc::kSnapshot:
    case Rpc::kDefragment:
      return false;
    default:
      return true;
  }
}

bool for_learners(Rpc rpc) {
  return rpc == Rpc::kStatus || rpc == Rpc::kRange || rpc == Rpc::kSnapshot;
}

bool for_everybody(Rpc rpc) {
  return rpc == Rpc::kStatus || rpc == Rpc::kMemberList || rpc == Rpc::kMemberListLinearizable ||
         rpc == Rpc::kAlarms;
}

bool of_keys(Rpc rpc) {
  return rpc == Rpc::kPut || rpc == Rpc::kRange || rpc == Rpc::kRangeLinearizable;
}

bool of_maintenance(Rpc rpc) {
  return rpc == Rpc::kHashKv || rpc == Rpc::kSnapshot || rpc == Rpc::kDefragment;
}

const Put* newest_at(const Process& p, std::int64_t revision) {
  const Put* put = p.state().puts.get();
  while (put != nullptr && put->revision > revision) put = put->before.get();
  return put;
}

}  // namespace

std::uint32_t hash_at(const Process& p, std::int64_t revision) {
  const Put* put = newest_at(p, revision);
  std::uint64_t hash = put == nullptr ? 0x51ed270bULL : put->digest;
  hash = (hash ^ static_cast<std::uint64_t>(p.state().compacted)) * 0x9e3779b97f4a7c15ULL;
  hash ^= hash >> 32;
  return static_cast<std::uint32_t>(hash) ^ p.dir.wrong_bytes;
}

Reply<void> Etcd::admits(Pid pid, Rpc rpc, const std::string& user) const {
  const Process* p = find(pid);
  if (p == nullptr) return std::unexpected(Refusal{kUnavailable, "Socket closed"});
  if (p->is_learner() && !for_learners(rpc))
    return refuse(p->minor() < 6 ? kUnavailable : kFailedPrecondition,
                  "rpc not supported for learner");
  if (needs_leader(rpc) && !p->leader) return refuse(kUnavailable, "no leader");
  if (!p->state().auth || user == "root" || for_everybody(rpc)) return {};
  if (user.empty()) return refuse(kInvalidArgument, "user name is empty");
  if (of_keys(rpc)) return refuse(kPermissionDenied, "permission denied");
  if (p->minor() < 6 && of_maintenance(rpc))
    return std::unexpected(Refusal{kUnknown, "auth: user not found"});
  const bool unguarded = p->minor() == 5 && p->args->version.patch <= 12;
  if (unguarded && (rpc == Rpc::kMoveLeader || rpc == Rpc::kCompact || rpc == Rpc::kDowngrade))
    return {};
  return refuse(kFailedPrecondition, "user name not found");
}

bool Etcd::can_read(Pid pid) const {
  const Process* p = find(pid);
  if (p == nullptr || !p->is_up()) return false;
  const Process* leader = leader_seen_by(*p);
  return leader != nullptr && has_quorum(*leader) &&
         term_of(leader->applied) == leader->dir.hard_term &&
         index_of(p->applied) >= index_of(leader->applied);
}

Reply<etcd::Hash> Etcd::hash_kv(Pid pid, std::int64_t revision) const {
  const Process* p = find(pid);
  if (p == nullptr) return std::unexpected(Refusal{kUnavailable, "Socket closed"});
  const State& state = p->state();
  if (revision > state.revision)
    return refuse(kOutOfRange, "mvcc: required revision is a future revision");
  if (revision != 0 && revision < state.compacted)
    return refuse(kOutOfRange, "mvcc: required revision has been compacted");
  return etcd::Hash{hash_at(*p, revision == 0 ? state.revision : revision), state.compacted,
                    revision};
}

etcd::MemberStatus Etcd::status(Pid pid) const {
  etcd::MemberStatus s;
  const Process* p = find(pid);
  if (p == nullptr) return s;
  const State& state = p->state();
  s.cluster_id = p->dir.cluster;
  s.id = p->id();
  s.leader = p->leader;
  s.version = p->args->version.text();
  if (p->minor() >= 6) {
    s.storage_version = fmt::format("3.{}.0", state.cluster_minor < 5 ? 5 : state.cluster_minor);
    s.db_quota = p->args->quota;
  }
  s.revision = state.revision;
  s.db_size = p->dir.db_size;
  s.db_in_use = kEmptyDb + state.live_bytes;
  s.raft_term = p->dir.hard_term;
  s.raft_index = s.raft_applied = index_of(p->applied);
  s.learner = p->is_learner();
  if (!p->leader) s.errors.emplace_back("etcdserver: no leader");
  for (const auto& a : state.alarms) {
    const auto kind = a.kind == etcd::AlarmKind::kNoSpace ? "NOSPACE" : "CORRUPT";
    s.errors.push_back(a.member ? fmt::format("memberID:{} alarm:{} ", a.member.value, kind)
                                : fmt::format("alarm:{} ", kind));
  }
  return s;
}

etcd::MemberList Etcd::member_list(Pid pid) const {
  const Process* p = find(pid);
  if (p == nullptr) return {};
  return {p->dir.cluster, p->id(), p->state().membership->members};
}

Reply<etcd::RangeResult> Etcd::range(Pid pid, const std::string& key, const std::string& range_end,
                                     std::int64_t revision) const {
  const Process* p = find(pid);
  if (p == nullptr) return std::unexpected(Refusal{kUnavailable, "Socket closed"});
  const State& state = p->state();
  if (key.empty()) return refuse(kInvalidArgument, "key is not provided");
  if (revision > state.revision)
    return refuse(kOutOfRange, "mvcc: required revision is a future revision");
  if (revision != 0 && revision < state.compacted)
    return refuse(kOutOfRange, "mvcc: required revision has been compacted");
  const bool to_the_end = range_end == std::string(1, '\0');
  const auto wanted = [&](const std::string& k) {
    if (range_end.empty()) return k == key;
    return k >= key && (to_the_end || k < range_end);
  };
  etcd::RangeResult result{.revision = state.revision, .count = 0, .kvs = {}};
  for (const Put* put = newest_at(*p, revision == 0 ? state.revision : revision); put != nullptr;
       put = put->before.get()) {
    if (!wanted(put->key)) continue;
    const auto found = std::ranges::find(result.kvs, put->key, &etcd::KeyValue::key);
    if (found == result.kvs.end()) {
      result.kvs.push_back({put->key, put->value, put->revision, put->revision, 1});
      if (p->dir.wrong_bytes != 0) result.kvs.back().value += "?";
    } else {
      found->create_revision = put->revision;
      ++found->version;
    }
  }
  std::ranges::sort(result.kvs, {}, &etcd::KeyValue::key);
  result.count = static_cast<std::int64_t>(result.kvs.size());
  return result;
}

}  // namespace sim
