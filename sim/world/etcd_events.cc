// What etcd does by itself when its time has come.
#include <algorithm>

#include "sim/world/etcd_raft.h"

namespace sim {
namespace {

End removed_end(bool polite) {
  if (polite)
    return {0, 0, "{\"level\":\"warn\",\"msg\":\"data-dir used by this member must be removed\"}"};
  return {1, 0,
          "{\"level\":\"fatal\",\"msg\":\"server error\",\"error\":\"the member has been "
          "permanently removed from the cluster\"}"};
}

}  // namespace

void Raft::arm() {
  for (auto& p : e_.processes_) {
    if (p.phase != Process::Phase::kRunning || p.leaving) continue;
    if (p.paused)
      p.due.reset();
    else if (p.leads)
      arm_leader(p);
    else
      arm_follower(p);
  }
}

void Raft::arm_leader(Process& p) {
  if (!e_.has_quorum(p)) {
    if (!p.due) p.due = now_ + e_.timing_.step_down;
    p.version_due.reset();
    p.check_due.reset();
    return;
  }
  p.due.reset();
  const auto version = wanted_version(p);
  if (!version)
    p.version_due.reset();
  else if (p.state().cluster_minor == 0)
    p.version_due = now_;  // the first one is not waited for
  else if (!p.version_due)
    p.version_due = draw(e_.timing_.version);
  const auto period = std::max(p.args->compact_check, p.args->periodic_check);
  if (wanted_alarms(p).empty())
    p.check_due.reset();
  else if (!p.check_due)
    p.check_due = e_.timing_.constant ? now_ : draw({period / 4, period});
}

void Raft::arm_follower(Process& p) {
  p.version_due.reset();
  p.check_due.reset();
  if (e_.leader_seen_by(p) != nullptr || (!p.leader && !e_.can_win(p)))
    p.due.reset();
  else if (!p.due)
    p.due = draw(e_.timing_.election);
}

// The lowest version of all members that the leader can ask, if the cluster's is to become it.
std::optional<Op> Raft::wanted_version(const Process& leader) const {
  const State& now = leader.state();
  int lowest = 0;
  bool same = true;
  for (const auto& m : now.membership->members) {
    const auto found = std::ranges::find_if(e_.processes_, [&](const Process& p) {
      return p.id() == m.id && (p.pid == leader.pid || e_.linked(p, leader));
    });
    if (found == e_.processes_.end()) return std::nullopt;
    same = same && found->minor() == now.downgrade_minor;
    lowest = lowest == 0 ? found->minor() : std::min(lowest, found->minor());
  }
  if (leader.minor() >= 6 && now.downgrade_minor != 0) {
    if (now.cluster_minor != now.downgrade_minor)
      return Op{.kind = OpKind::kClusterVersion, .number = now.downgrade_minor};
    if (same) return Op{.kind = OpKind::kDowngrade, .number = 0};
    return std::nullopt;
  }
  if (lowest <= now.cluster_minor) return std::nullopt;
  return Op{.kind = OpKind::kClusterVersion, .number = lowest};
}

// The members whose keys are not those of most, as a leader finds them that compares hashes.
std::vector<Op> Raft::wanted_alarms(const Process& leader) const {
  std::vector<Op> alarms;
  const State& now = leader.state();
  const bool checks = leader.args->periodic_check > base::Duration(0) ||
                      (leader.args->compact_check > base::Duration(0) && now.compacted >= 0);
  if (!checks) return alarms;
  std::vector<const Process*> peers;
  for (const auto& p : e_.processes_)
    if (p.pid == leader.pid || e_.linked(p, leader)) peers.push_back(&p);
  for (const Process* p : peers) {
    const auto revision = std::min(p->state().revision, now.revision);
    const auto agree = std::ranges::count_if(peers, [&](const Process* other) {
      return hash_at(*other, revision) == hash_at(*p, revision);
    });
    if (static_cast<size_t>(agree) * 2 > peers.size()) continue;
    const auto id = leader.minor() < 6 ? base::MemberId{} : p->id();
    const bool raised = std::ranges::any_of(now.alarms, [&](const etcd::Alarm& a) {
      return a.member == id && a.kind == etcd::AlarmKind::kCorrupt;
    });
    if (!raised)
      alarms.push_back({.kind = OpKind::kRaise, .member = id, .alarm = etcd::AlarmKind::kCorrupt});
  }
  return alarms;
}

void Raft::happen() {
  for (auto& p : e_.processes_) {
    if (p.version_due && *p.version_due <= now_) {
      p.version_due.reset();
      if (const auto op = wanted_version(p)) propose(p, *op);
      return changed();
    }
    if (p.check_due && *p.check_due <= now_) {
      p.check_due.reset();
      for (const auto& op : wanted_alarms(p)) propose(p, op);
      return changed();
    }
    if (!p.due || *p.due > now_) continue;
    p.due.reset();
    if (p.phase == Process::Phase::kStarting) {
      begin(p);
    } else if (p.leaving) {
      end(p, removed_end(draw({base::Duration(0), base::Duration(1)}) == now_));
    } else if (p.leads) {
      p.leads = false;
      p.leader = {};
      p.match.clear();
    } else {
      p.leader = {};
      if (e_.can_win(p)) elect(p);
    }
    return changed();
  }
}

std::optional<base::Instant> Etcd::next_event() const {
  std::optional<base::Instant> next;
  for (const auto& p : processes_)
    for (const auto& due : {p.due, p.version_due, p.check_due})
      if (due && (!next || *due < *next)) next = due;
  return next;
}

bool Etcd::settle(base::Instant until) {
  bool any = false;
  for (auto next = next_event(); next && *next <= until; next = next_event()) {
    Raft(*this, *next).happen();
    any = true;
  }
  // How far the log is committed is on disk when another entry follows, or it ends by SIGTERM. Only
  // 3.7 goes by its database, which is written within moments.
  for (auto& p : processes_) {
    if (!p.is_up() || p.dir.commit == p.applied || p.minor() < 7) continue;
    p.dir.commit = p.applied;
    any = true;
  }
  return any;
}

std::vector<Pid> Etcd::candidates() const {
  std::vector<Pid> result;
  for (const auto& p : processes_)
    if (can_win(p)) result.push_back(p.pid);
  return result;
}

void Etcd::elect(Pid pid, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr || !can_win(*p)) return;
  Raft raft(*this, now);
  raft.elect(*p);
  raft.changed();
}

}  // namespace sim
