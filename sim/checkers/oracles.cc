#include "sim/checkers/oracles.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace sim {
namespace {

// How old the knowledge may be on which the status rests.
constexpr base::Duration kStale{31'000};  // and what a look may take

std::string hex(base::ClusterId id) {
  return base::to_text(id);
}

// A step that cannot take a voter away: it writes beside the members, or makes one run. By our own
// judgement: what the planner thinks of its steps is what is checked here.
constexpr auto harmless = []<class A>(const A&) {
  return std::is_same_v<A, plan::PrepareMember> || std::is_same_v<A, plan::StartMember> ||
         std::is_same_v<A, plan::WriteTicket> || std::is_same_v<A, plan::IssueCertificates> ||
         std::is_same_v<A, plan::OpenToClients> || std::is_same_v<A, plan::FetchBinary> ||
         std::is_same_v<A, plan::AdvanceLog> || std::is_same_v<A, plan::RewriteMembers> ||
         std::is_same_v<A, plan::SnapshotSurvivor>;
};

bool has_data(const Dir& dir) {
  return !dir.blank() && dir.damage == Damage::kNone;
}

const api::Condition* condition(const engine::Report& report, api::ConditionType type) {
  return api::find_condition(report.plan.status, type);
}

}  // namespace

void Oracles::acknowledged(const World& world, const std::string& key, const std::string& value) {
  ++writes_;
  acknowledged_[key] = value;
  if (const Process* leader = server(world)) acked_ = leader->applied;
}

Log Oracles::sound_data(const World& world, base::MemberId member) const {
  const auto dir = data_of(world, cluster_, member);
  if (!dir || !has_data(*dir)) return nullptr;
  const auto reached = reached_.find({cluster_, member});
  if (reached != reached_.end() && index_of(dir->tip) < reached->second) return nullptr;
  return dir->tip;
}

Strength Oracles::sound(const World& world) const {
  Strength out;
  if (!members_) return out;
  for (const auto& m : members_->members) {
    if (m.learner) continue;
    ++out.voters;
    out.up += sound_data(world, m.id) ? 1 : 0;
  }
  return out;
}

// By what the disks tell, where a running process may have applied more than its own. What ended
// by its removal, in etcd's own words, is never started again by its guard, nor by the operator.
bool Oracles::may_elect(const World& world) const {
  std::vector<Dir> dirs;
  for (const auto& [name, place] : world.places) {
    const Volume volume = world.volume_of(name);
    Dir dir = volume.data;
    if (dir.cluster != cluster_ || !sound_data(world, dir.member)) continue;
    const Process* p = world.process_of(name);
    const bool removed = place.verdict && place.verdict->klass == guard::Class::kRemoved;
    if (p == nullptr && removed) continue;
    if (volume.marker && volume.marker->condemned != guard::Class::kNone) continue;
    if (p != nullptr && p->phase == Process::Phase::kRunning) dir.commit = p->applied;
    dirs.push_back(std::move(dir));
  }
  return sim::may_elect(dirs);
}

// Neither may two clusters serve under one name, nor two halves of one.
std::string Oracles::one_identity(const World& world) const {
  const auto all = serving(world);
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      const auto &a = *all[i], &b = *all[j];
      if (a.dir.cluster != b.dir.cluster)
        return fmt::format("S5: clusters {} and {} both serve", hex(a.dir.cluster),
                           hex(b.dir.cluster));
      if (!holds(a.applied, b.applied) && !holds(b.applied, a.applied))
        return fmt::format("S5: two leaders of {} serve different histories", hex(a.dir.cluster));
    }
  return {};
}

std::string Oracles::one_process(const World& world) const {
  std::set<Whose> seen;
  for (const Process& p : world.etcd().processes()) {
    if (p.phase == Process::Phase::kEnded || p.dir.blank()) continue;
    if (!seen.insert({p.dir.cluster, p.id()}).second)
      return fmt::format("two processes of member {}", base::to_text(p.id()));
  }
  return {};
}

// The cluster that serves goes on with all that was acknowledged; after a recovery, with all that a
// sound survivor held.
std::string Oracles::follow_cluster(const Process& leader, const Allowed& allowed) {
  if (leader.dir.cluster == cluster_) {
    if (acked_ && !holds(leader.applied, acked_) && !holds(leader.dir.tip, acked_))
      return fmt::format(
          "acknowledged writes are lost: {} serves from index {} of term {}, {} of "
          "term {} was acknowledged",
          hex(cluster_), index_of(leader.applied), term_of(leader.applied), acked_->index,
          acked_->term);
    members_ = leader.state().membership;
    return {};
  }
  const bool first = !cluster_ || acknowledged_.empty();
  const auto now = contents(leader.state());
  if (!first && !recovering_ && !allowed.approved)
    return fmt::format("cluster {} serves in the place of {}, and no recovery was begun",
                       hex(leader.dir.cluster), hex(cluster_));
  for (const auto& [key, value] : must_keep_) {
    const auto found = now.find(key);
    if (found == now.end() || found->second != value)
      return fmt::format("a survivor had {}={}, the recovered cluster has not", key, value);
  }
  if (!first) ++recoveries_;
  std::erase_if(acknowledged_, [&](const auto& kv) {
    const auto found = now.find(kv.first);
    const bool gone = found == now.end() || found->second != kv.second;
    lost_ += gone ? 1 : 0;
    return gone;
  });
  cluster_ = leader.dir.cluster;
  acked_ = leader.applied;
  members_ = leader.state().membership;
  recovering_ = false;
  must_keep_.clear();
  return {};
}

std::string Oracles::after_step(const World& world, const Allowed& allowed) {
  for (const Process& p : world.etcd().processes())
    if (!p.dir.blank()) {
      auto& index = reached_[{p.dir.cluster, p.id()}];
      index = std::max(index, index_of(p.dir.tip));
    }
  if (!world.record.bytes && allowed.delete_data) {  // gone as the user wanted
    acknowledged_.clear();
    acked_.reset();
    cluster_ = {};
    must_keep_.clear();  // of a recovery that the deletion ended
  }
  if (auto wrong = one_identity(world); !wrong.empty()) return wrong;
  if (auto wrong = one_process(world); !wrong.empty()) return wrong;
  const Process* leader = server(world);
  if (leader == nullptr) return {};
  served_at_ = world.now();
  return follow_cluster(*leader, allowed);
}

void Oracles::before_pass(const World& world) {
  before_ = {};
  if (const Process* leader = server(world)) {
    before_.cluster = leader->dir.cluster;
    before_.strength = strength(world, *leader);
    served_at_ = world.now();
  }
  for (const auto& [name, place] : world.places) {
    const Volume volume = world.volume_of(name);
    const bool own = !volume.marker || volume.marker->member_name == name;
    if (!own || !has_data(volume.data)) continue;
    before_.data[name] = {volume.data.cluster, volume.data.member};
  }
}

void Oracles::looked(const World& world) {
  if (server(world) != nullptr) served_at_ = world.now();
}

std::string Oracles::our_hand(const World& world, const engine::Report* report,
                              const Allowed& allowed) const {
  if (report == nullptr || allowed.outage || !before_.strength || !before_.strength->quorum())
    return {};
  if (before_.strength->voters <= allowed.small) return {};
  const bool ours = std::ranges::any_of(
      report->plan.steps, [](const plan::Step& s) { return !std::visit(harmless, s.action); });
  if (!ours || report->plan.record.recovery) return {};
  // That two followers do not hear each other is seen only when the leader goes.
  if (std::ranges::any_of(world.etcd().cuts(),
                          [](const auto& cut) { return cut.first != 0 && cut.second != 0; }))
    return {};
  // Nothing was promised before the latch.
  if (report->plan.record.formation != plan::Formation::kLatched) return {};
  for (const Process& p : world.etcd().processes()) {
    if (!p.is_up() || p.dir.cluster != before_.cluster) continue;
    if (strength(world, p).quorum()) return {};
  }
  return "S1: what this pass did took the quorum away";
}

std::string Oracles::directories(const World& world, const Allowed& allowed) const {
  if (allowed.delete_data) return {};
  if (!latched_) return {};  // all of it may be thrown away
  for (const auto& [name, whose] : before_.data) {
    const auto& [cluster, member] = whose;
    if (allowed.doomed.contains(name)) continue;
    if (cluster != cluster_ || !members_ || members_->find(member) == nullptr) continue;
    const Process* leader = server(world);
    if (leader != nullptr &&
        (leader->dir.cluster != cluster || leader->state().membership->find(member) == nullptr))
      continue;
    if (!data_of(world, cluster, member) && !recovering_)
      return fmt::format("S4: the data of {} ({}) is gone, and it is a member", name,
                         base::to_text(member));
  }
  return {};
}

// S10: a read of a quorum was possible a short while ago.
std::string Oracles::truth(const World& world, const engine::Report& report) const {
  const auto* available = condition(report, api::ConditionType::kAvailable);
  if (available == nullptr || available->status != api::Truth::kTrue) return {};
  if (server(world) != nullptr || report.at - served_at_ <= kStale) return {};
  return fmt::format("S10: the status says Available, and nobody served for {}: {}",
                     base::to_text(report.at - served_at_), available->message);
}

// A recovery without a person's word needs that no quorum of the last members has its data, or
// that what is left cannot come to know that it is one.
std::string Oracles::recovery_begun(const World& world, const engine::Report& report,
                                    const Allowed& allowed) {
  const auto& recovery = report.plan.record.recovery;
  if (!recovery || recovery->operation == recovery_) return {};
  recovery_ = recovery->operation;
  recovering_ = true;
  must_keep_.clear();
  if (!members_) return {};
  Log best;
  for (const auto& m : members_->members) {
    const Log log = m.learner ? nullptr : sound_data(world, m.id);
    if (!log) continue;
    if (!best || std::pair(log->term, log->index) > std::pair(best->term, best->index)) best = log;
  }
  if (sound(world).quorum() && may_elect(world) && !allowed.approved)
    return fmt::format("S5: a recovery was begun, and {} of {} voters have their data",
                       sound(world).up, members_->voters());
  if (!best) return {};
  const auto held = contents(state_of(best));
  for (const auto& [key, value] : acknowledged_)
    if (const auto found = held.find(key); found != held.end() && found->second == value)
      must_keep_.insert({key, value});
  return {};
}

std::string Oracles::after_pass(const World& world, const engine::Report* report,
                                const Allowed& allowed) {
  if (report != nullptr) latched_ = report->plan.record.formation == plan::Formation::kLatched;
  if (report != nullptr)
    if (auto wrong = recovery_begun(world, *report, allowed); !wrong.empty()) return wrong;
  if (auto wrong = our_hand(world, report, allowed); !wrong.empty()) return wrong;
  if (auto wrong = directories(world, allowed); !wrong.empty()) return wrong;
  if (report != nullptr)
    if (auto wrong = truth(world, *report); !wrong.empty()) return wrong;
  return after_step(world, allowed);
}

std::string Oracles::nothing_lost(const World& world) const {
  const Process* leader = server(world);
  if (leader == nullptr) return acknowledged_.empty() ? "" : "nobody serves";
  for (const auto& m : leader->state().membership->members) {
    const auto dir = data_of(world, leader->dir.cluster, m.id);
    if (!dir) return "member " + base::to_text(m.id) + " has no data";
  }
  const auto now = contents(leader->state());
  for (const auto& [key, value] : acknowledged_) {
    const auto found = now.find(key);
    if (found == now.end()) return "acknowledged and gone: " + key;
    if (found->second != value) return "acknowledged and changed: " + key;
  }
  return {};
}

}  // namespace sim
