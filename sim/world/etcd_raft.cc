#include "sim/world/etcd_raft.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace sim {
namespace {

constexpr std::uint64_t kCatchUp = 5000;  // entries that a member keeps behind its raft snapshot

bool trusts(const TlsSide& by, const Leaf& leaf, base::Instant now) {
  return std::ranges::find(by.trusted, leaf.ca) != by.trusted.end() && leaf.from <= now &&
         now < leaf.until;
}

bool is_change(OpKind kind) {
  return kind == OpKind::kAdd || kind == OpKind::kRemove || kind == OpKind::kPromote ||
         kind == OpKind::kUpdate;
}

std::uint64_t snapshot_count(const Process& p) {
  if (p.args->snapshot_count != 0) return p.args->snapshot_count;
  return p.minor() < 6 ? 100'000 : 10'000;
}

Match& match_of(Process& leader, base::MemberId id) {
  for (auto& m : leader.match)
    if (m.member == id) return m;
  leader.match.push_back({id, 0});
  return leader.match.back();
}

End panic(std::string text) {
  return {2, 0, "panic: " + std::move(text)};
}

// The next entry of `to` behind `from` that changes the membership, else `to`.
Log next_stop(const Log& from, const Log& to) {
  Log stop = to;
  for (Log e = to; index_of(e) > index_of(from); e = e->parent)
    if (is_change(e->op.kind)) stop = e;
  return stop;
}

}  // namespace

base::Instant Raft::draw(const Timing::Span& span) {
  const auto width = (span.high - span.low).count();
  if (e_.timing_.constant || width <= 0) return now_ + span.low;
  std::uint64_t z = (e_.seed_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  const auto drawn = static_cast<std::int64_t>(z % static_cast<std::uint64_t>(width + 1));
  return now_ + span.low + base::Duration(drawn);
}

bool Raft::reaches(const Process& from, const Process& to) const {
  return from.is_up() && to.is_up() && !e_.is_cut(from.args->machine, to.args->machine) &&
         !e_.is_cut(to.args->machine, from.args->machine);
}

bool Raft::reaches_by_http(const Process& from, const Process& to) const {
  if (!to.is_up() || e_.is_cut(from.args->machine, to.args->machine) ||
      e_.is_cut(to.args->machine, from.args->machine))
    return false;
  return !to.tls->peer.on || (trusts(from.tls->peer, to.tls->peer.leaf, now_) &&
                              trusts(to.tls->peer, from.tls->peer.leaf, now_));
}

// `from` finds `to` where its membership says, and both accept each other's certificates.
bool Raft::dials(const Process& from, const Process& to, base::Instant now) {
  const etcd::Member* m = from.state().membership->find(to.id());
  if (m == nullptr || std::ranges::find(m->peer_urls, to.args->peer_url) == m->peer_urls.end())
    return false;
  if (!to.tls->peer.on) return true;
  return trusts(from.tls->peer, to.tls->peer.leaf, now) &&
         trusts(to.tls->peer, from.tls->peer.leaf, now);
}

// Traffic of both directions uses a connection of either.
bool Raft::should_link(const Process& a, const Process& b) const {
  if (!reaches(a, b) || a.dir.cluster != b.dir.cluster || a.id() == b.id()) return false;
  if (a.state().membership->was_removed(b.id()) || b.state().membership->was_removed(a.id()))
    return false;
  return e_.linked(a, b) || dials(a, b, now_) || dials(b, a, now_);
}

void Raft::retire(Process& p, const Process& told_by) {
  if (p.leaving || !reaches(p, told_by) || p.dir.cluster != told_by.dir.cluster) return;
  if (!told_by.state().membership->was_removed(p.id()) || !dials(p, told_by, now_)) return;
  p.leaving = true;
  p.leads = false;
  p.leader = {};
  p.due = draw(e_.timing_.exit);
}

void Raft::relink() {
  auto& all = e_.processes_;
  std::erase_if(e_.links_, [&](const Etcd::Link& l) {
    const Process* a = e_.find(l.a);
    const Process* b = e_.find(l.b);
    return a == nullptr || b == nullptr || !should_link(*a, *b);
  });
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t k = i + 1; k < all.size(); ++k) {
      if (!e_.linked(all[i], all[k]) && should_link(all[i], all[k]))
        e_.links_.push_back({all[i].pid, all[k].pid, now_});
      retire(all[i], all[k]);
      retire(all[k], all[i]);
    }
}

void Raft::changed() {
  do {
    relink_again_ = false;
    relink();
    run();
  } while (relink_again_);
  arm();
}

void Raft::travel() {
  run();
  if (relink_again_) return changed();
  arm();
}

void Raft::end(Process& p, End why) {
  p.phase = Process::Phase::kEnded;
  p.paused = p.ready = p.leads = p.leaving = false;
  p.leader = {};
  p.due.reset();
  p.version_due.reset();
  p.check_due.reset();
  p.match.clear();
  p.end = std::make_shared<const End>(std::move(why));
  relink_again_ = true;
}

Process* Raft::leader_for(Process& p) {
  const Process* leader = e_.leader_seen_by(p);
  return leader == nullptr ? nullptr : e_.mine(leader->pid);
}

Log Raft::propose(Process& leader, const Op& op) {
  leader.dir.commit = leader.applied;  // a state record goes with the entry
  leader.dir.tip = append(leader.dir.tip, leader.dir.hard_term, op, leader.minor());
  return leader.dir.tip;
}

bool Raft::changing_members(const Process& leader) {
  for (Log e = leader.dir.tip; index_of(e) > index_of(leader.applied); e = e->parent)
    if (is_change(e->op.kind)) return true;
  return false;
}

void Raft::elect(Process& c) {
  std::uint64_t term = c.dir.hard_term;
  for (const auto& p : e_.processes_)
    if (e_.linked(p, c)) term = std::max(term, p.dir.hard_term);
  ++term;
  for (auto& p : e_.processes_) {
    if (p.pid != c.pid && !e_.linked(p, c)) continue;
    p.dir.hard_term = term;
    p.dir.vote = c.id();
    p.leads = false;
    p.match.clear();
  }
  c.leads = true;
  c.leader = c.id();
  c.due.reset();
  propose(c, {});
}

void Raft::run() {
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& p : e_.processes_)
      if (p.leads && p.is_up() && drive(p)) moved = true;
  }
}

bool Raft::depose(Process& leader) {
  for (const auto& p : e_.processes_) {
    if (!e_.linked(leader, p) || p.dir.hard_term <= leader.dir.hard_term) continue;
    leader.leads = false;
    leader.leader = {};
    leader.dir.hard_term = p.dir.hard_term;
    leader.match.clear();
    return true;
  }
  return false;
}

bool Raft::drive(Process& leader) {
  if (depose(leader)) return true;
  bool moved = false;
  for (auto& p : e_.processes_) {
    if (p.pid != leader.pid && e_.linked(leader, p) && p.is_up() && replicate(leader, p))
      moved = true;
    if (!leader.leads) return true;
  }
  if (commit(leader)) moved = true;
  for (auto& p : e_.processes_) {
    if (p.pid == leader.pid || p.leader != leader.id() || !p.is_up() || !e_.linked(leader, p))
      continue;
    const Log known = at(p.dir.tip, index_of(leader.applied));
    if (index_of(known) <= index_of(p.applied)) continue;
    const Log before = std::exchange(p.applied, known);
    applied(p, before);
    moved = true;
  }
  if (!leader.leads) return true;  // it removed itself
  for (auto& p : e_.processes_)
    if (publish(leader, p)) moved = true;
  for (const Pid pid : std::exchange(over_quota_, std::vector<Pid>()))
    if (const Process* p = e_.find(pid)) {
      const Op op{.kind = OpKind::kRaise, .member = p->id(), .alarm = etcd::AlarmKind::kNoSpace};
      propose(leader, op);
      moved = true;
    }
  return moved;
}

bool Raft::replicate(Process& leader, Process& f) {
  if (leader.state().membership->find(f.id()) == nullptr) return false;
  Match& match = match_of(leader, f.id());
  const auto remembered = std::min(match.index, index_of(leader.applied));
  const auto last = index_of(f.dir.tip);
  if (remembered > last) {
    end(f, panic(fmt::format("tocommit({}) is out of range [lastIndex({})]. Was the raft log "
                             "corrupted, truncated, or lost?",
                             remembered, last)));
    return true;
  }
  const bool knows = f.leader == leader.id() && f.dir.hard_term == leader.dir.hard_term;
  if (knows && match.index == index_of(leader.dir.tip)) return false;
  f.leads = false;
  f.leader = leader.id();
  f.dir.hard_term = leader.dir.hard_term;
  if (!f.leaving) f.due.reset();
  if (f.dir.tip != leader.dir.tip) {
    // A blank member of 3.6 and later is sent the snapshot where there is one (ADR 0012).
    const bool blank = last == 0 && leader.minor() >= 6 && leader.dir.snapshot > 0;
    const bool by_snapshot = blank || last < leader.log_start;
    const Log next = by_snapshot ? leader.dir.tip : follow(f.dir.tip, leader.dir.tip, f.minor());
    // It has committed what its leader does not have: an acknowledged write is gone. It answers
    // with an index beyond the leader's log, on which 3.6 crashes and 3.5 sends no more.
    if (!by_snapshot && !holds(next, f.applied)) {
      f.leader = {};
      if (leader.minor() < 6) return false;
      end(leader, panic("need non-empty snapshot"));
      return true;
    }
    if (!by_snapshot && f.minor() >= 7 && next->old_form > last) {
      end(f, panic("unmarshal should never fail (proto: cannot parse invalid wire-format data)"));
      return true;
    }
    if (by_snapshot) f.dir.snapshot = f.log_start = blank ? leader.dir.snapshot : leader.log_start;
    f.dir.commit = f.applied;
    f.dir.tip = next;
  }
  match.index = index_of(leader.dir.tip);
  return true;
}

// To where a quorum of the leader's configuration has the log, entry of its own term last.
bool Raft::commit(Process& leader) {
  bool moved = false;
  while (leader.leads) {
    const Membership& now = *leader.state().membership;
    std::vector<std::uint64_t> have;
    for (const auto& m : now.members)
      if (!m.learner)
        have.push_back(m.id == leader.id() ? index_of(leader.dir.tip)
                                           : match_of(leader, m.id).index);
    if (have.empty()) break;
    std::ranges::sort(have, std::greater{});
    const auto index = have[have.size() / 2];
    if (index <= index_of(leader.applied)) break;
    const Log to = at(leader.dir.tip, index);
    if (term_of(to) != leader.dir.hard_term) break;
    const Log before = std::exchange(leader.applied, next_stop(leader.applied, to));
    applied(leader, before);
    moved = true;
  }
  return moved;
}

void Raft::applied(Process& p, const Log& before) {
  const State& old = state_of(before);
  const State& now = p.state();
  if (old.membership != now.membership) relink_again_ = true;
  p.dir.db_size = std::max(p.dir.db_size, kEmptyDb + now.live_bytes);
  p.dir.db_minor = now.cluster_minor;
  if (old.puts != now.puts && p.dir.db_size > p.args->quota &&
      !now.has_alarm(etcd::AlarmKind::kNoSpace))
    over_quota_.push_back(p.pid);
  const auto index = index_of(p.applied);
  if (index - p.dir.snapshot > snapshot_count(p)) {
    p.dir.snapshot = index;
    p.log_start = std::max(p.log_start, index > kCatchUp ? index - kCatchUp : 0);
  }
  if (p.minor() < now.cluster_minor) {
    end(p, {1, 0,
            "{\"level\":\"fatal\",\"msg\":\"invalid downgrade; server version is lower than "
            "determined cluster version\"}"});
  } else if (now.membership->was_removed(p.id()) && !p.leaving) {
    p.leaving = true;
    p.leads = false;
    p.leader = {};
    p.due = draw(e_.timing_.exit);
  }
}

// A member opens its client port when it has told its name through a quorum.
bool Raft::publish(Process& leader, Process& p) {
  if (p.ready || p.leaving || !p.is_up() || p.leader != leader.id()) return false;
  if (leader.state().membership->find(p.id()) == nullptr || !e_.has_quorum(leader)) return false;
  if (p.pid != leader.pid && !e_.linked(p, leader)) return false;
  propose(leader, {.kind = OpKind::kPublish,
                   .member = p.id(),
                   .text = p.args->name,
                   .more = p.args->client_url});
  p.ready = true;
  return true;
}

}  // namespace sim
