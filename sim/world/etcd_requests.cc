// Requests that change something, with the checks of the member that is asked.
#include <fmt/format.h>

#include <algorithm>

#include "api/version.h"
#include "etcd/identity.h"
#include "sim/world/etcd_raft.h"

namespace sim {
namespace {

using enum etcd::GrpcCode;

constexpr size_t kMaxRequest = 1536 * 1024, kMaxMessage = 2 * 1024 * 1024;
constexpr double kInSync = 0.9;

std::unexpected<Refusal> refuse(etcd::GrpcCode code, std::string_view text) {
  return std::unexpected(Refusal{code, "etcdserver: " + std::string(text)});
}

std::unexpected<Refusal> gone() {
  return std::unexpected(Refusal{kUnavailable, "Socket closed"});
}

bool is_url(const std::string& url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    const auto rest = std::string_view(url).substr(scheme.size());
    const auto colon = rest.rfind(':');
    return colon != std::string_view::npos && colon != 0 && rest.find('/') == rest.npos &&
           colon + 1 < rest.size();
  }
  return false;
}

struct Started {
  size_t voters = 0, started = 0;
};
Started count_started(const Membership& m, base::MemberId except) {
  Started n;
  for (const auto& each : m.members) {
    if (each.learner || each.id == except) continue;
    ++n.voters;
    if (!each.name.empty()) ++n.started;
  }
  return n;
}

size_t quorum(size_t n) {
  return n / 2 + 1;
}

// 3.5.30 and 3.6.11 count the new member as one that is down; before, all must be connected.
bool counts_the_new_one(const api::Version& v) {
  if (v.minor == 5) return v.patch >= 30;
  if (v.minor == 6) return v.patch >= 11;
  return v.minor >= 7;
}

}  // namespace

Reply<Pending> Etcd::send(Process& p, const Op& op, base::Instant now) {
  Raft raft(*this, now);
  Pending pending{p.pid, nullptr, op.member, false};
  Process* leader = raft.leader_for(p);
  if (leader == nullptr) return pending;
  const bool changes = op.kind == OpKind::kAdd || op.kind == OpKind::kRemove ||
                       op.kind == OpKind::kPromote || op.kind == OpKind::kUpdate;
  if (changes && Raft::changing_members(*leader)) {
    raft.propose(*leader, {});
  } else {
    pending.entry = raft.propose(*leader, op);
  }
  raft.travel();
  return pending;
}

Reply<Pending> Etcd::put(Pid pid, const std::string& key, const std::string& value,
                         base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  const auto size = key.size() + value.size();
  if (size > kMaxMessage)
    return std::unexpected(Refusal{
        kResourceExhausted,
        fmt::format("grpc: received message larger than max ({} vs. {})", size, kMaxMessage)});
  const auto cost = static_cast<std::int64_t>(size);
  if (!p->state().has_alarm(etcd::AlarmKind::kNoSpace) && p->dir.db_size + cost > p->args->quota) {
    const auto raised = send(
        *p, {.kind = OpKind::kRaise, .member = p->id(), .alarm = etcd::AlarmKind::kNoSpace}, now);
    if (!raised || !done(*raised)) return raised;
    return refuse(kResourceExhausted, "mvcc: database space exceeded");
  }
  if (key.empty()) return refuse(kInvalidArgument, "key is not provided");
  if (size > kMaxRequest) return refuse(kInvalidArgument, "request is too large");
  return send(*p, {.kind = OpKind::kPut, .text = key, .more = value}, now);
}

Reply<Pending> Etcd::member_add(Pid pid, const std::string& url, bool learner, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  if (!is_url(url)) return refuse(kInvalidArgument, "given member URLs are invalid");
  const Membership& members = *p->state().membership;
  const auto all = members.voters();
  if (p->args->strict) {
    const auto n = count_started(members, {});
    const bool first_of_two = n.started == 1 && n.voters == 1;
    if (!learner && !first_of_two && n.started < quorum(n.voters + 1))
      return refuse(kUnknown, "re-configuration failed due to not enough started members");
    const auto with = static_cast<size_t>(connected(pid, now));
    const bool enough =
        counts_the_new_one(p->args->version) ? all == 1 || with >= quorum(all + 1) : with == all;
    if (!enough) return refuse(kUnavailable, "unhealthy cluster");
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  const auto id = etcd::member_id({url}, std::to_string(seconds.count()));
  return send(*p, {.kind = OpKind::kAdd, .member = id, .text = url, .learner = learner}, now);
}

Reply<Pending> Etcd::member_remove(Pid pid, base::MemberId id, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  const Membership& members = *p->state().membership;
  const etcd::Member* target = members.find(id);
  if (p->args->strict && !(target != nullptr && target->learner)) {
    const auto n = count_started(members, id);
    if (n.started < quorum(n.voters))
      return refuse(kUnknown, "re-configuration failed due to not enough started members");
    const bool active = id == p->id() || std::ranges::any_of(processes_, [&](const Process& other) {
                          return other.id() == id && linked(*p, other);
                        });
    const auto with = static_cast<size_t>(connected(pid, now));
    if (active && with - 1 < quorum(members.voters() - 1))
      return refuse(kUnavailable, "unhealthy cluster");
  }
  return send(*p, {.kind = OpKind::kRemove, .member = id}, now);
}

// Only the leader knows who is in sync; a follower forwards.
Reply<Pending> Etcd::member_promote(Pid pid, base::MemberId id, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  Process* leader = Raft(*this, now).leader_for(*p);
  if (leader == nullptr) return Pending{pid, nullptr, id, false};
  const Membership& members = *leader->state().membership;
  if (members.find(id) == nullptr) return refuse(kNotFound, "member not found");
  const auto own = index_of(leader->dir.tip);
  auto match = id == leader->id() ? own : 0;
  for (const auto& m : leader->match)
    if (m.member == id) match = m.index;
  if (static_cast<double>(match) < static_cast<double>(own) * kInSync)
    return refuse(kFailedPrecondition,
                  "can only promote a learner member which is in sync with leader");
  if (leader->args->strict) {
    const auto n = count_started(members, {});
    if (n.started + 1 < quorum(n.voters + 1))
      return refuse(kUnknown, "re-configuration failed due to not enough started members");
  }
  auto sent = send(*leader, {.kind = OpKind::kPromote, .member = id}, now);
  // The leader answers the follower, whether or not that has applied it yet.
  return sent;
}

Reply<Pending> Etcd::member_update(Pid pid, base::MemberId id, const std::string& url,
                                   base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  return send(*p, {.kind = OpKind::kUpdate, .member = id, .text = url}, now);
}

Reply<Pending> Etcd::compact(Pid pid, std::int64_t revision, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  return send(*p, {.kind = OpKind::kCompact, .number = revision}, now);
}

Reply<Pending> Etcd::disarm(Pid pid, base::MemberId member, etcd::AlarmKind kind,
                            base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  return send(*p, {.kind = OpKind::kDisarm, .member = member, .alarm = kind}, now);
}

Reply<Pending> Etcd::set_auth(Pid pid, bool on, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  return send(*p, {.kind = OpKind::kAuth, .number = on ? 1 : 0}, now);
}

Reply<Pending> Etcd::downgrade(Pid pid, etcd::DowngradeAction action, const std::string& version,
                               base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  const State& state = p->state();
  using enum etcd::DowngradeAction;
  int target = 0;
  if (action != kCancel) {
    auto parsed = api::parse_version(version);
    if (!parsed) parsed = api::parse_version(version + ".0");  // "3.5"
    if (!parsed) return refuse(kInvalidArgument, "wrong downgrade target version format");
    if (!can_read(pid)) return Pending{pid, nullptr, {}, false};
    if (parsed->major != 3 || parsed->minor != state.cluster_minor - 1)
      return refuse(kInvalidArgument, "invalid downgrade target version");
    if (state.downgrade_minor != 0)
      return refuse(kFailedPrecondition, "cluster has a downgrade job in progress");
    target = parsed->minor;
  } else if (p->minor() < 6) {
    if (!can_read(pid)) return Pending{pid, nullptr, {}, false};
    if (state.downgrade_minor == 0) return refuse(kFailedPrecondition, "no inflight downgrade job");
  }
  const bool enables = action == kEnable;
  if (action == kValidate) return send(*p, {}, now);
  auto sent = send(*p, {.kind = OpKind::kDowngrade, .number = enables ? target : 0}, now);
  // 3.5 applies it and never answers.
  if (sent && p->minor() < 6) sent->entry = nullptr;
  return sent;
}

Reply<Pending> Etcd::move_leader(Pid pid, base::MemberId to, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  if (p->leader != p->id()) return refuse(kFailedPrecondition, "not leader");
  const etcd::Member* target = p->state().membership->find(to);
  if (target == nullptr || target->learner)
    return refuse(kFailedPrecondition, "bad leader transferee");
  Pending pending{pid, nullptr, to, true};
  if (to == p->id()) return pending;
  for (auto& heir : processes_) {
    if (heir.id() != to || !linked(*p, heir) || heir.dir.tip != p->dir.tip) continue;
    Raft raft(*this, now);
    p->leads = false;
    raft.elect(heir);
    raft.travel();
    break;
  }
  return pending;
}

Reply<void> Etcd::defragment(Pid pid) {
  Process* p = mine(pid);
  if (p == nullptr) return gone();
  p->dir.db_size = kEmptyDb + p->state().live_bytes;
  return {};
}

bool Etcd::done(const Pending& pending) const {
  const Process* p = find(pending.asked);
  if (p == nullptr || p->phase != Process::Phase::kRunning) return false;
  if (pending.moves) return p->leader == pending.id;
  return pending.entry != nullptr && holds(p->applied, pending.entry);
}

}  // namespace sim
