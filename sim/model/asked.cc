#include "sim/model/asked.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/model/goals.h"
#include "sim/world/etcd_offline.h"

namespace sim::model {
namespace {

std::size_t majority(std::size_t n) {
  return n / 2 + 1;
}

template <class A>
const A* find(const plan::Plan& plan) {
  for (const plan::Step& step : plan.steps)
    if (const A* a = std::get_if<A>(&step.action)) return a;
  return nullptr;
}

// Whatever is begun can be understood after a crash.
Violation judge_order(const Passed& passed, const Cluster& after, Counts& counts) {
  // A deletion with its data takes the record along.
  const auto* deletion = find<plan::DeleteCluster>(passed.thought->plan);
  if (!passed.acted_on || (deletion != nullptr && deletion->delete_data)) return {};
  count(counts, Rule::kR);
  if (passed.went_on) return broken(Rule::kR, "a step was begun although the last was refused");
  const bool known = *passed.acted_on == after.world.record.version && after.stored &&
                     *after.stored == passed.thought->plan.record;
  if (known) return {};
  return broken(Rule::kR, fmt::format("{} was begun, and the stored record does not say so",
                                      plan::to_text(passed.thought->plan.steps.front().action)));
}

bool runs(const World& world, base::MemberId id) {
  return std::ranges::any_of(world.etcd().processes(),
                             [&](const Process& p) { return p.id() == id && p.is_up(); });
}

// A learner is there to vote: it counts as if it did already, and as one that is not up.
Violation judge_membership(const Before& before, const plan::Plan& plan, const Cluster& after,
                           Counts& counts) {
  if (!before.serving.has_quorum() || may_stand_still(before, plan, after)) return {};
  const Serving& was = before.serving;
  std::size_t up = was.up, voters = was.voters, enough = 0;
  for (const plan::Step& step : plan.steps) {
    if (std::holds_alternative<plan::AddLearner>(step.action)) {
      for (const etcd::Member& m : before.members.members)
        if (m.learner || m.client_urls.empty())
          return broken(Rule::kS2, "a member is added, and one is half joined already");
      voters += 1;
      enough = was.voters;  // nobody is missing: more cannot be asked of one or two
    } else if (const auto* a = std::get_if<plan::RemoveMember>(&step.action)) {
      const etcd::Member* m = before.members.find(a->id);
      if (m == nullptr || m->learner) continue;
      voters -= 1;
      up -= was.reached.contains(a->id) ? 1U : 0U;
    } else if (const auto* p = std::get_if<plan::PromoteMember>(&step.action)) {
      voters += 1;
      up += runs(after.world, p->id) ? 1U : 0U;
    }
  }
  if (voters == was.voters) return {};
  count(counts, Rule::kS1);
  if (up >= majority(voters) || (enough > 0 && up >= enough)) return {};
  return broken(Rule::kS1, fmt::format("{} of {} voters were up, {} of {} were asked for", was.up,
                                       was.voters, up, voters));
}

Violation judge_ordinals(const Before& before, const plan::Plan& plan) {
  for (const auto& [name, m] : plan.record.members) {
    const bool again =
        !before.record.members.contains(name) && m.ordinal < before.record.next_ordinal;
    if (again || m.ordinal >= plan.record.next_ordinal)
      return broken(Rule::kS3, fmt::format("the name {} is or would be used again", name));
  }
  return {};
}

// What begins anew has a new token and new names, and nobody who is out of the membership comes
// back.
Violation judge_identities(const Before& before, const plan::Plan& plan, Counts& counts) {
  count(counts, Rule::kS3);
  const std::string& token = plan.record.token;
  const bool anew = plan.record.incarnation != before.record.incarnation && !token.empty();
  if (anew && (token == before.record.token || before.record.old_tokens.contains(token)))
    return broken(Rule::kS3, fmt::format("the token {} is used again", token));
  const bool forms = plan.record.formation == plan::Formation::kForming;
  if (anew && forms && before.record.incarnation.empty() && !before.places.empty())
    return broken(Rule::kS5, "a cluster is begun over data that no record explains");
  for (const plan::Step& step : plan.steps) {
    const auto* a = std::get_if<plan::StartMember>(&step.action);
    if (a == nullptr) continue;
    const auto member = plan.record.members.find(a->member);
    if (member == plan.record.members.end()) continue;
    const bool left = member->second.phase == plan::Phase::kRetired && member->second.id &&
                      before.members.find(member->second.id) == nullptr;
    if (left) return broken(Rule::kS3, a->member + " is out of the membership and was started");
  }
  return judge_ordinals(before, plan);
}

bool takes_blank(const Cluster& state, const std::string& member) {
  const auto at = state.world.places.find(member);
  return at == state.world.places.end() || !at->second.ticket ||
         at->second.ticket->permit != guard::Permit::kData;
}

// From when on an empty directory of a member is a loss: before clients may come, and before it
// votes.
Violation judge_latches(const Before& before, const plan::Plan& plan, const Cluster& after,
                        Counts& counts) {
  const bool latched = plan.record.formation == plan::Formation::kLatched;
  if (plan.record.open_to_clients && !before.record.open_to_clients && !latched)
    return broken(Rule::kS3, "clients are let in before the cluster is latched");
  const auto* promoted = find<plan::PromoteMember>(plan);
  if (promoted != nullptr) {
    count(counts, Rule::kS3);
    if (takes_blank(after, promoted->member))
      return broken(Rule::kS3, promoted->member + " votes, and its ticket would take blank data");
  }
  if (find<plan::OpenToClients>(plan) == nullptr || !after.world.published) return {};
  count(counts, Rule::kS3);
  for (const auto& [name, m] : plan.record.members)
    if (m.phase == plan::Phase::kVoter && m.may_start && takes_blank(after, name))
      return broken(Rule::kS3, name + " would take blank data, and clients are let in");
  return {};
}

Violation judge_deletion(const plan::Plan& plan, const Cluster& after, Counts& counts) {
  const auto* a = find<plan::DeleteCluster>(plan);
  if (a == nullptr) return {};
  count(counts, Rule::kS4);
  const plan::Intent& i = after.intent;
  if (i.wish != plan::Wish::kDeleted)
    return broken(Rule::kS4, "the cluster goes, and nobody deleted it");
  if (a->delete_data && i.cluster.spec.when_deleted != api::ClaimPolicy::kDelete)
    return broken(Rule::kS4, "the data goes, and is to be kept");
  return {};
}

// --- recoveries ---------------------------------------------------------------------------------

// All that it had applied is there, or is away and may come back.
bool has_all(const Cluster& state, const plan::MemberRecord& m, base::ClusterId cluster) {
  const auto whole = [&](const Volume& volume) {
    const Dir& dir = volume.data;
    if (dir.blank() || dir.damage != Damage::kNone || dir.cluster != cluster) return false;
    const auto reached = state.ghost.reached.find(dir.member);
    return dir.member == m.id &&
           (reached == state.ghost.reached.end() || holds(dir.tip, reached->second));
  };
  const auto away = state.ghost.taken.find(m.name);
  if (away != state.ghost.taken.end() && whole(away->second)) return true;
  return state.world.places.contains(m.name) && whole(state.world.volume_of(m.name));
}

// By what the disks tell, or may tell when they are back; a running process may have applied more.
// What ended by its removal, in etcd's own words, is never started again.
bool may_elect(const Cluster& state, const plan::Record& record) {
  std::vector<Dir> dirs;
  for (const auto& [name, m] : record.members) {
    if (!has_all(state, m, record.cluster_id)) continue;
    const auto away = state.ghost.taken.find(name);
    const bool back = away == state.ghost.taken.end() || away->second.data.member != m.id;
    const Volume volume = back ? state.world.volume_of(name) : away->second;
    const Process* p = state.world.process_of(name);
    const auto place = state.world.places.find(name);
    const bool removed = place != state.world.places.end() && place->second.verdict &&
                         place->second.verdict->klass == guard::Class::kRemoved;
    if (p == nullptr && removed) continue;
    if (volume.marker && volume.marker->condemned != guard::Class::kNone) continue;
    Dir dir = volume.data;
    if (p != nullptr && p->id() == dir.member && p->phase == Process::Phase::kRunning)
      dir.commit = p->applied;
    dirs.push_back(std::move(dir));
  }
  return sim::may_elect(dirs);
}

Violation judge_decision(const Before& before, const plan::Recovery& decided, const Cluster& after,
                         Counts& counts) {
  count(counts, Rule::kS5);
  const bool asked = std::ranges::any_of(after.intent.approvals, [&](const plan::Approval& a) {
    return a.operation == decided.operation && a.expires > after.world.now();
  });
  if (decided.approved && !asked)
    return broken(Rule::kS5, "a recovery goes on by an approval that nobody gave for it");
  if (decided.approved) return {};
  std::size_t voters = 0, whole = 0;
  for (const auto& [name, m] : before.record.members) {
    if (m.phase != plan::Phase::kVoter) continue;
    voters += 1;
    whole += has_all(after, m, before.record.cluster_id) ? 1U : 0U;
  }
  // etcd elects by the membership that a disk tells: it may be one from before a removal, which has
  // no quorum any more.
  if (voters == 0 || whole < majority(voters) || !may_elect(after, before.record)) return {};
  return broken(Rule::kS5, fmt::format("a recovery begins, and {} of {} voters have their data",
                                       whole, voters));
}

Violation judge_recovery(const Before& before, const plan::Plan& plan, const Cluster& after,
                         Counts& counts) {
  if (!plan.record.recovery) return {};
  const plan::Recovery& r = *plan.record.recovery;
  if (!before.record.recovery || before.record.recovery->operation != r.operation ||
      before.record.recovery->approved != r.approved)
    return judge_decision(before, r, after, counts);
  if (find<plan::NewPeerAuthority>(plan) == nullptr) return {};
  for (const Process& p : after.world.etcd().processes()) {
    const bool ours = before.record.cluster_id && p.dir.cluster == before.record.cluster_id;
    if (!ours || p.phase == Process::Phase::kEnded || r.vouched.contains(p.args->name)) continue;
    return broken(Rule::kS5, p.args->name + " still runs, and what replaces it begins");
  }
  return {};
}

// --- rollouts -----------------------------------------------------------------------------------

Violation judge_rollout(const Before& before, const plan::Plan& plan, Counts& counts) {
  const auto* stopped = find<plan::StopMember>(plan);
  if (stopped == nullptr || before.leader.empty()) return {};
  const plan::Reason why = plan.steps.front().reason;
  if (why != plan::Reason::kRollout && why != plan::Reason::kUpgrade) return {};
  count(counts, Rule::kK);
  if (stopped->member != before.leader) return {};
  for (const auto& [name, m] : plan.record.members) {
    const bool waits =
        m.version != plan.record.version || m.template_hash != plan.record.template_hash;
    if (m.phase == plan::Phase::kVoter && m.may_start && waits && name != before.leader)
      return broken(Rule::kK,
                    fmt::format("{} leads and is restarted before {}", before.leader, name));
  }
  return {};
}

}  // namespace

Violation judge_asked(const Before& before, const Passed& passed, const Cluster& after,
                      Counts& counts) {
  const plan::Plan& plan = passed.thought->plan;
  if (Violation v = judge_order(passed, after, counts); !v.rule.empty()) return v;
  if (Violation v = judge_membership(before, plan, after, counts); !v.rule.empty()) return v;
  if (Violation v = judge_identities(before, plan, counts); !v.rule.empty()) return v;
  if (Violation v = judge_latches(before, plan, after, counts); !v.rule.empty()) return v;
  if (Violation v = judge_deletion(plan, after, counts); !v.rule.empty()) return v;
  if (Violation v = judge_recovery(before, plan, after, counts); !v.rule.empty()) return v;
  return judge_rollout(before, plan, counts);
}

Violation judge_patience(bool had_quorum, const Cluster& after, const plan::Plan& plan,
                         Counts& counts) {
  const Serving now = look_at(after.world, plan.record.cluster_id);
  if (!had_quorum || !now.has_quorum()) return {};
  // Whom it cannot see may be gone too.
  const bool all_seen = std::ranges::all_of(after.world.places, [&](const auto& e) {
    const int machine = e.second.machine;
    return !after.world.is_up(machine) || after.world.reaches(machine);
  });
  if (!all_seen) return {};
  for (const auto& [name, m] : plan.record.members) {
    const auto at = after.world.places.find(name);
    if (at == after.world.places.end() || after.world.is_up(at->second.machine)) continue;
    if (m.phase != plan::Phase::kVoter || now.members->find(m.id) == nullptr) continue;
    count(counts, Rule::kL2);
    if (!plan.steps.empty()) continue;
    const std::string lack = lacks_good_end(after, plan);
    if (!lack.empty())
      return broken(Rule::kL2,
                    fmt::format("{} is gone for minutes, and nothing is done: {}", name, lack));
  }
  return {};
}

}  // namespace sim::model
