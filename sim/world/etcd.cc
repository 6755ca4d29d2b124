#include "sim/world/etcd.h"

#include <algorithm>

#include "sim/world/etcd_raft.h"

namespace sim {
namespace {

constexpr int kSigKill = 9, kSigTerm = 15;

bool is_voter(const Process& p) {
  const etcd::Member* m = p.state().membership->find(p.id());
  return m != nullptr && !m->learner;
}

std::pair<std::uint64_t, std::uint64_t> newness(const Process& p) {
  return {term_of(p.dir.tip), index_of(p.dir.tip)};
}

}  // namespace

Timing Timing::instant() {
  Timing t;
  t.start = t.election = t.version = t.exit = {base::Duration(0), base::Duration(0)};
  t.step_down = base::Duration(0);
  t.constant = true;
  return t;
}

const Process* Etcd::find(Pid pid) const {
  const auto found = std::ranges::find(processes_, pid, &Process::pid);
  return found == processes_.end() ? nullptr : &*found;
}

Process* Etcd::mine(Pid pid) {
  const auto found = std::ranges::find(processes_, pid, &Process::pid);
  return found == processes_.end() ? nullptr : &*found;
}

const Process* Etcd::at_client_url(const std::string& url) const {
  for (const auto& p : processes_)
    if (p.phase == Process::Phase::kRunning && p.args->client_url == url) return &p;
  return nullptr;
}

const Process* Etcd::leader_of(base::ClusterId cluster) const {
  const Process* found = nullptr;
  for (const auto& p : processes_)
    if (p.leads && p.dir.cluster == cluster &&
        (found == nullptr || p.dir.hard_term > found->dir.hard_term))
      found = &p;
  return found;
}

Pid Etcd::start(Args args, Dir dir, base::Instant now) {
  Process p;
  p.pid = ++last_pid_;
  p.tls = std::make_shared<const TlsSides>(args.tls);
  p.args = std::make_shared<const Args>(std::move(args));
  p.dir = std::move(dir);
  p.started_at = now;
  Raft raft(*this, now);
  p.due = raft.draw(timing_.start);
  processes_.push_back(std::move(p));
  return last_pid_;
}

void Etcd::stop(Pid pid, Stop how, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr || p->phase == Process::Phase::kEnded) return;
  if (how == Stop::kTerm && p->paused) {
    p->asked = true;
    return;
  }
  Raft raft(*this, now);
  const bool hands_over = how == Stop::kTerm && p->leads && p->is_up();
  const auto followers = [&] {
    std::vector<Pid> pids;
    for (const auto& other : processes_)
      if (other.pid != pid && linked(*p, other)) pids.push_back(other.pid);
    return pids;
  }();
  // One that ends in order leaves nothing unwritten.
  if (how == Stop::kTerm && p->is_up() && !p->dir.blank()) p->dir.commit = p->applied;
  raft.end(*p, {-1, how == Stop::kTerm ? kSigTerm : kSigKill, {}});
  for (const Pid next : hands_over ? followers : std::vector<Pid>()) {
    Process* heir = mine(next);
    if (!can_win(*heir)) continue;
    raft.elect(*heir);
    break;
  }
  raft.changed();
}

void Etcd::pause(Pid pid, base::Instant now) {
  if (Process* p = mine(pid); p != nullptr && p->phase != Process::Phase::kEnded) p->paused = true;
  Raft(*this, now).changed();
}

void Etcd::resume(Pid pid, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return;
  p->paused = false;
  if (std::exchange(p->asked, false)) return stop(pid, Stop::kTerm, now);
  Raft(*this, now).changed();
}

Dir Etcd::reap(Pid pid) {
  Dir dir;
  if (Process* p = mine(pid); p != nullptr && p->phase == Process::Phase::kEnded) {
    dir = std::move(p->dir);
    std::erase_if(processes_, [&](const Process& each) { return each.pid == pid; });
  }
  return dir;
}

void Etcd::set_leaf(Pid pid, bool peer, const Leaf& leaf, base::Instant now) {
  Process* p = mine(pid);
  if (p == nullptr) return;
  auto tls = *p->tls;
  (peer ? tls.peer : tls.client).leaf = leaf;
  p->tls = std::make_shared<const TlsSides>(std::move(tls));
  if (peer) Raft(*this, now).changed();
}

void Etcd::corrupt(Pid pid, std::uint32_t how, base::Instant now) {
  if (Process* p = mine(pid)) p->dir.wrong_bytes = how;
  Raft(*this, now).changed();
}

void Etcd::cut(int from, int to, base::Instant now) {
  const std::pair cut(from, to);
  const auto place = std::ranges::lower_bound(cuts_, cut);
  if (place != cuts_.end() && *place == cut) return;
  cuts_.insert(place, cut);
  Raft(*this, now).changed();
}

void Etcd::heal(int from, int to, base::Instant now) {
  if (std::erase(cuts_, std::pair(from, to)) != 0) Raft(*this, now).changed();
}

bool Etcd::is_cut(int from, int to) const {
  return !cuts_.empty() && std::ranges::binary_search(cuts_, std::pair(from, to));
}

bool Etcd::linked(const Process& a, const Process& b) const {
  return std::ranges::any_of(links_, [&](const Link& l) {
    return (l.a == a.pid && l.b == b.pid) || (l.a == b.pid && l.b == a.pid);
  });
}

int Etcd::connected(Pid pid, base::Instant now) const {
  const Process* p = find(pid);
  if (p == nullptr) return 0;
  int count = 0;
  for (const auto& m : p->state().membership->members) {
    if (m.learner) continue;
    if (m.id == p->id()) {
      ++count;
      continue;
    }
    const bool ripe = std::ranges::any_of(links_, [&](const Link& l) {
      if (l.a != pid && l.b != pid) return false;
      const Process* other = find(l.a == pid ? l.b : l.a);
      return other != nullptr && other->id() == m.id && l.since + timing_.connected < now;
    });
    if (ripe) ++count;
  }
  return count;
}

const Process* Etcd::leader_seen_by(const Process& p) const {
  if (p.leads) return &p;
  if (!p.leader) return nullptr;
  for (const auto& other : processes_)
    if (other.leads && other.id() == p.leader && linked(p, other)) return &other;
  return nullptr;
}

bool Etcd::has_quorum(const Process& leader) const {
  const Membership& now = *leader.state().membership;
  size_t with = is_voter(leader) ? 1 : 0;
  for (const auto& other : processes_) {
    if (other.pid == leader.pid || !linked(leader, other)) continue;
    const etcd::Member* m = now.find(other.id());
    if (m != nullptr && !m->learner && other.dir.hard_term <= leader.dir.hard_term) ++with;
  }
  return with > now.voters() / 2;
}

// A vote needs a log that is at least as new, and a voter that hears no leader.
bool Etcd::can_win(const Process& c) const {
  if (!c.is_up() || c.leads || c.leaving || !is_voter(c) || leader_seen_by(c) != nullptr)
    return false;
  const Membership& now = *c.state().membership;
  size_t votes = 1;
  for (const auto& p : processes_) {
    if (p.pid == c.pid || !linked(p, c)) continue;
    const etcd::Member* m = now.find(p.id());
    if (m == nullptr || m->learner || leader_seen_by(p) != nullptr) continue;
    if (newness(p) <= newness(c)) ++votes;
  }
  return votes > now.voters() / 2;
}

}  // namespace sim
