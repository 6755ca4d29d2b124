#include "sim/model/canon.h"

#include <array>

#include "sim/model/canon_words.h"
#include "sim/model/truth.h"

namespace sim::model {
namespace {

constexpr std::uint64_t kBytes = 4096;  // sizes are counted by pages

using Position = std::pair<std::uint64_t, std::uint64_t>;  // term, index

class Writer {
 public:
  explicit Writer(const Cluster& state, bool symmetric)
      : s_(state), w_(state.world.now()), symmetric_(symmetric) {
    if (s_.memory.engine.loaded) remembered_ = &s_.memory.engine.loaded->record;
    find_members();
    find_positions();
  }

  std::string write() {
    for (const int ordinal : order_) member(member_name(ordinal));
    network();
    logs();
    record(remembered_);
    // The operator that wrote it last remembers the same, but for audited positions.
    const bool same =
        remembered_ != nullptr && s_.memory.driver.record_version == s_.world.record.version;
    w_.flag(same);
    if (!same) record(s_.stored.get());
    rest();
    wish();
    ghost();
    return w_.take();
  }

 private:
  void find_members() {
    const auto add = [&](const std::string& name) {
      const int ordinal = ordinal_of(name);
      if (std::ranges::find(order_, ordinal) == order_.end()) order_.push_back(ordinal);
    };
    for (const auto& [name, place] : s_.world.places) add(name);
    for (const plan::Record* r : {remembered_, s_.stored.get()})
      if (r != nullptr)
        for (const auto& [name, m] : r->members) add(name);
    std::ranges::sort(order_);
    if (symmetric_)
      std::ranges::sort(order_, std::greater{},
                        [&](int ordinal) { return std::pair(gist(ordinal), -ordinal); });
  }

  // What distinguishes members most, for an order that does not know their names.
  std::array<int, 8> gist(int ordinal) const {
    std::array<int, 8> out{};
    const std::string name = member_name(ordinal);
    if (const Process* p = s_.world.process_of(name))
      out = {p->leads ? 2 : 1, p->ready ? 1 : 0, static_cast<int>(p->phase)};
    if (remembered_ != nullptr)
      if (const auto at = remembered_->members.find(name); at != remembered_->members.end()) {
        out[3] = 1 + static_cast<int>(at->second.phase);
        out[4] = at->second.may_start ? 1 : 0;
      }
    if (const auto at = s_.world.places.find(name); at != s_.world.places.end()) {
      out[5] = 1 + static_cast<int>(at->second.guard.phase);
      out[6] = at->second.volume.marker ? 1 : 0;
      out[7] = at->second.volume.data.blank() ? 1 : 0;
    }
    return out;
  }

  void find_positions() {
    const auto entry = [&](const Log& log) {
      if (log) entries_.add({log->term, log->index});
    };
    for (const auto& [name, place] : s_.world.places) {
      const Process* p = s_.world.process_of(name);
      const Dir& dir = p != nullptr ? p->dir : place.volume.data;
      entry(dir.tip);
      entry(dir.commit);
      terms_.add(dir.hard_term);
      if (p != nullptr) entry(p->applied);
      if (place.volume.marker)
        noted_.add({place.volume.marker->last_term, place.volume.marker->last_index});
    }
    for (const plan::Record* r : {remembered_, s_.stored.get()})
      if (r != nullptr)
        for (const auto& [name, m] : r->members)
          marks_.add(std::max(m.audited_index, m.seen_index));
    entries_.sort();
    terms_.sort();
    noted_.sort();
    marks_.sort();
  }

  void who(const std::string& member) {
    if (member.empty()) return w_.number(0);
    const auto at = std::ranges::find(order_, ordinal_of(member));
    w_.number(at == order_.end() ? 0 : 1 + static_cast<std::uint64_t>(at - order_.begin()));
  }

  void log(const Log& log) {
    w_.number(log ? 1 + entries_.of({log->term, log->index}) : 0);
    if (!log) return;
    for (std::size_t i = 0; i < seen_logs_.size(); ++i)
      if (seen_logs_[i]->id == log->id) return w_.number(i);
    w_.number(seen_logs_.size());
    seen_logs_.push_back(log);
  }

  void dir(const Dir& d, const guard::Marker* marker, const guard::Ticket* ticket) {
    w_.id(d.member);
    if (d.blank()) return;
    w_.id(d.cluster);
    log(d.tip);
    log(d.commit);
    w_.number(terms_.of(d.hard_term));
    w_.flag(d.snapshot != 0);
    w_.flag(d.wrong_bytes != 0);
    w_.choice(d.damage);
    w_.number(static_cast<std::uint64_t>(d.db_size) / kBytes);
    w_.number(static_cast<std::uint64_t>(d.db_minor));
    const auto end = index_of(d.tip);
    w_.flag(marker != nullptr &&
            Position(marker->last_term, marker->last_index) > Position(term_of(d.tip), end));
    w_.flag(ticket != nullptr && ticket->audited_index > end);
  }

  void member(const std::string& name) {
    const auto at = s_.world.places.find(name);
    w_.flag(at != s_.world.places.end());
    if (at == s_.world.places.end()) return;
    const Place& p = at->second;
    const Machine& machine = s_.world.machines[static_cast<std::size_t>(p.machine)];
    w_.flag(machine.up);
    w_.flag(p.ticket != nullptr);
    if (p.ticket) ticket(*p.ticket);
    w_.flag(p.state != nullptr);
    if (p.state) {
      w_.choice(p.state->phase);
      w_.flag(p.state->boot_id == std::to_string(machine.boots));
      w_.text(p.state->version);
      w_.text(p.state->template_hash);
    }
    w_.flag(p.verdict != nullptr);
    if (p.verdict) {
      w_.choice(p.verdict->klass);
      w_.number(std::min(p.verdict->failures, 4U));
      w_.age(p.verdict->at);
    }
    volume(p);
    w_.choice(p.guard.phase);
    w_.flag(p.guard.first_start);
    w_.number(std::min(p.guard.failures, 4U));
    w_.flag(p.guard.kill_at.has_value());
    if (p.guard.phase == Guard::Phase::kWaiting) w_.until(p.guard.wake);
    leaf(p.server);
    leaf(p.peer);
    if (const Process* etcd = s_.world.process_of(name)) process(*etcd);
  }

  void ticket(const guard::Ticket& t) {
    w_.choice(t.permit);
    w_.name(t.incarnation);
    w_.name(t.volume_id);
    w_.name(t.origin);
    w_.id(t.member_id);
    w_.id(t.cluster_id);
    w_.name(t.restore_operation);
    w_.text(t.version);
    w_.text(t.template_hash);
    w_.number(static_cast<std::uint64_t>(std::ranges::count(t.initial_cluster, '=')));
  }

  void volume(const Place& p) {
    const Volume& v = p.volume;
    w_.flag(v.marker_torn);
    w_.flag(v.marker != nullptr);
    if (v.marker) {
      const guard::Marker& m = *v.marker;
      who(m.member_name);
      w_.name(m.incarnation);
      w_.name(m.volume_id);
      w_.name(m.origin);
      w_.id(m.member_id);
      w_.id(m.cluster_id);
      w_.flag(m.started);
      w_.name(m.restored);
      w_.name(m.restoring);
      w_.choice(m.condemned);
      w_.number(noted_.of({m.last_term, m.last_index}));
    }
    w_.flag(v.leftovers);
    w_.choice(v.disk);
    if (p.guard.phase != Guard::Phase::kWatching) dir(v.data, v.marker.get(), p.ticket.get());
  }

  void process(const Process& p) {
    w_.choice(p.phase);
    w_.flag(p.paused);
    w_.flag(p.ready);
    w_.flag(p.leads);
    w_.flag(p.leaving);
    w_.id(p.leader);
    w_.text(p.args->version.text());
    w_.number(static_cast<std::uint64_t>(p.args->quota) / kBytes);
    w_.flag(p.dir.db_size * 10 >= p.args->quota * 9);
    const auto at = s_.world.places.find(p.args->name);
    const bool there = at != s_.world.places.end();
    dir(p.dir, there ? at->second.volume.marker.get() : nullptr,
        there ? at->second.ticket.get() : nullptr);
    log(p.applied);
    w_.number(p.match.size());
    for (const Match& m : p.match) {
      w_.id(m.member);
      w_.flag(m.index >= index_of(p.applied));
    }
    w_.flag(p.due.has_value());
    w_.flag(p.version_due.has_value());
    w_.flag(p.check_due.has_value());
    // Whether etcd's own guard lets members be added.
    w_.number(static_cast<std::uint64_t>(s_.world.etcd().connected(p.pid, s_.world.now())));
  }

  void leaf(const Leaf& l) {
    w_.name("authority " + std::to_string(l.ca));
    if (l.until == base::Instant{}) return w_.number(0);
    const base::Instant renew = l.from + (l.until - l.from) * 2 / 3;
    w_.number(s_.world.now() < renew ? 1 : s_.world.now() < l.until ? 2 : 3);
  }

  void network() {
    const auto& cuts = s_.world.etcd().cuts();
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranks;
    for (const auto& [from, to] : cuts) ranks.emplace_back(rank_of(from), rank_of(to));
    std::ranges::sort(ranks);
    w_.number(ranks.size());
    for (const auto& [from, to] : ranks) {
      w_.number(from);
      w_.number(to);
    }
  }

  std::uint64_t rank_of(int machine) const {
    if (machine == 0) return 0;
    for (std::size_t i = 0; i < order_.size(); ++i) {
      const auto at = s_.world.places.find(member_name(order_[i]));
      if (at != s_.world.places.end() && at->second.machine == machine) return 1 + i;
    }
    return 1 + order_.size();  // nobody is on it any more
  }

  // What the logs that stand somewhere say, each once, and how they lie in one another.
  void logs() {
    for (std::size_t i = 0; i < seen_logs_.size(); ++i) {
      for (std::size_t k = 0; k < seen_logs_.size(); ++k)
        if (i != k && seen_logs_[k]->index <= seen_logs_[i]->index)
          w_.flag(holds(seen_logs_[i], seen_logs_[k]));
      const sim::State& state = *seen_logs_[i]->state;
      w_.flag(s_.ghost.acked != 0 && holds_write(state, s_.ghost.acked));
      w_.number(static_cast<std::uint64_t>(state.cluster_minor));
      w_.number(static_cast<std::uint64_t>(state.downgrade_minor));
      w_.flag(state.compacted >= 0);
      w_.number(static_cast<std::uint64_t>(state.live_bytes) / kBytes);
      w_.number(state.alarms.size());
      for (const etcd::Alarm& a : state.alarms) {
        w_.id(a.member);
        w_.choice(a.kind);
      }
      w_.number(state.membership ? state.membership->members.size() : 0);
      if (!state.membership) continue;
      std::vector<std::pair<std::uint64_t, const etcd::Member*>> members;
      for (const etcd::Member& m : state.membership->members)
        members.emplace_back(rank_of_url(m), &m);
      std::ranges::sort(members, {}, [](const auto& m) { return m.first; });
      for (const auto& [rank, m] : members) {
        w_.number(rank);
        w_.id(m->id);
        w_.flag(m->learner);
        w_.flag(!m->client_urls.empty());
      }
    }
  }

  std::uint64_t rank_of_url(const etcd::Member& m) const {
    for (std::size_t i = 0; i < order_.size(); ++i)
      if (!m.peer_urls.empty() &&
          m.peer_urls.front().find("//" + member_name(order_[i]) + ":") != std::string::npos)
        return i;
    return order_.size();
  }

  void record(const plan::Record* r) {
    w_.flag(r != nullptr);
    if (r == nullptr) return;
    w_.choice(r->formation);
    w_.name(r->incarnation);
    w_.id(r->cluster_id);
    w_.number(static_cast<std::uint64_t>(r->size));
    w_.text(r->version.text());
    w_.text(r->template_hash);
    for (const int ordinal : order_) {
      const auto at = r->members.find(member_name(ordinal));
      w_.flag(at != r->members.end());
      if (at != r->members.end()) recorded(at->second);
    }
    w_.flag(r->operation.has_value());
    if (r->operation) operation(*r->operation);
    w_.flag(r->recovery.has_value());
    if (r->recovery) {
      w_.name(r->recovery->operation);
      who(r->recovery->survivor);
      w_.name(r->recovery->old_incarnation);
      w_.age(r->recovery->chosen_at);
      w_.flag(s_.world.now() - r->recovery->looked_at > std::chrono::minutes(1));
      w_.flag(r->recovery->approved);
      w_.flag(r->recovery->bound.empty());
      w_.flag(r->recovery->failure.empty());
      w_.number(r->recovery->vouched.size());
      for (const auto& name : r->recovery->vouched) who(name);
      w_.number(r->recovery->failed.size());
      for (const auto& [name, times] : r->recovery->failed) {
        who(name);
        w_.number(static_cast<std::uint64_t>(times));
      }
    }
    w_.number(r->strangers.size());
    w_.flag(r->hibernated);
    w_.flag(r->open_to_clients);
    w_.flag(r->quorum_lost_since.has_value());
    if (r->quorum_lost_since) w_.age(*r->quorum_lost_since);
    w_.age(r->last_quorum_read);
    w_.number(static_cast<std::uint64_t>(r->highest_minor_seen));
    w_.flag(r->minor_since_index != 0);
    w_.flag(r->compacted_revision != 0);
    w_.number(r->last_defragmented.size());
    for (const auto& [name, at] : r->last_defragmented) {
      who(name);
      w_.age(at);
    }
  }

  void recorded(const plan::MemberRecord& m) {
    w_.choice(m.phase);
    w_.choice(m.permit);
    w_.id(m.id);
    w_.name(m.volume);
    w_.name(m.origin);
    w_.name(m.incarnation);
    w_.flag(m.may_start);
    w_.flag(m.ran);
    w_.text(m.version.text());
    w_.text(m.template_hash);
    w_.number(marks_.of(std::max(m.audited_index, m.seen_index)));
    w_.flag(m.unreachable_since.has_value());
    if (m.unreachable_since) w_.age(*m.unreachable_since);
    w_.flag(s_.world.now() - m.started_at < std::chrono::seconds(10));
  }

  void operation(const plan::Operation& o) {
    w_.choice(o.kind);
    w_.name(o.id);
    // "catch up N" tells how far it was.
    w_.text(o.step.starts_with("catch up") ? std::string_view("catch up") : o.step);
    who(o.member);
    w_.choice(o.reason);
    w_.flag(o.halted);
    w_.until(o.deadline);
  }

  void rest() {
    const engine::Memory& m = s_.memory.engine;
    w_.flag(m.loaded.has_value());
    if (m.loaded) w_.choice(m.loaded->state);
    w_.flag(m.want_hashes);
    w_.flag(m.last_act.has_value());
    if (m.last_act) {
      w_.text(m.last_act->action);
      w_.choice(m.last_act->outcome);
      w_.flag(m.last_act->damaged);
      w_.number(std::min(m.last_act->failures, 4U));
      w_.flag(s_.world.now() - m.last_act->at < std::chrono::seconds(10));
    }
    w_.flag(s_.passed);
    w_.flag(s_.torn);
    w_.flag(s_.world.published);
    leaf(s_.world.operator_leaf);
    leaf(s_.world.user_leaf);
    w_.flag(s_.world.faults.record_disk_full);
    w_.number(s_.world.binaries.size());
    for (const auto& [operation, saved] : s_.world.saved) {
      w_.name(operation);
      w_.flag(saved.snapshot != nullptr);
      w_.flag(saved.exported);
      w_.flag(saved.fenced);
    }
  }

  void wish() {
    const plan::Intent& i = s_.intent;
    const api::ClusterSpec& spec = i.cluster.spec;
    w_.number(static_cast<std::uint64_t>(spec.size));
    w_.text(spec.version.text());
    w_.text(i.template_hash);
    w_.choice(i.wish);
    w_.flag(spec.paused || i.paused);
    w_.flag(spec.hibernate);
    w_.flag(i.stop);
    w_.flag(spec.restore.has_value());
    w_.choice(spec.recovery.on_quorum_loss);
    w_.choice(spec.recovery.on_data_loss);
    w_.choice(spec.when_deleted);
    w_.choice(spec.when_scaled);
    w_.number(i.cluster.annotations.size());
    w_.number(i.approvals.size());
    for (const plan::Approval& a : i.approvals) {
      w_.name(a.operation);
      w_.flag(a.expires > s_.world.now());
    }
  }

  void ghost() {
    w_.flag(s_.ghost.excused);
    w_.number(s_.ghost.taken.size());
    for (const auto& [name, volume] : s_.ghost.taken) {
      who(name);
      w_.id(volume.data.member);
    }
    for (const int ordinal : order_) {
      const auto at = s_.world.places.find(member_name(ordinal));
      if (at == s_.world.places.end()) continue;
      const Volume volume = s_.world.volume_of(at->first);
      const auto reached = s_.ghost.reached.find(volume.data.member);
      w_.flag(reached != s_.ghost.reached.end() && !holds(volume.data.tip, reached->second));
    }
  }

  const Cluster& s_;
  Words w_;
  bool symmetric_;
  const plan::Record* remembered_ = nullptr;
  std::vector<int> order_;
  Ranks<Position> entries_, noted_;
  Ranks<std::uint64_t> terms_, marks_;
  std::vector<Log> seen_logs_;
};

}  // namespace

std::string canonical(const Cluster& state, bool symmetric) {
  return Writer(state, symmetric).write();
}

}  // namespace sim::model
