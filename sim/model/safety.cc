#include "sim/model/safety.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/model/asked.h"

namespace sim::model {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kFresh = 30s;

std::size_t majority(std::size_t n) {
  return n / 2 + 1;
}

template <class A>
std::size_t count_of(const plan::Plan& plan) {
  return static_cast<std::size_t>(std::ranges::count_if(
      plan.steps, [](const plan::Step& s) { return std::holds_alternative<A>(s.action); }));
}

}  // namespace

Violation broken(Rule rule, std::string text) {
  return {std::string(name_of(rule)), std::move(text)};
}

bool may_stand_still(const Before& before, const plan::Plan& plan, const Cluster& after) {
  const plan::Intent& i = after.intent;
  const bool rests = i.stop || i.cluster.spec.hibernate || i.wish == plan::Wish::kDeleted;
  const bool recovers = plan.record.recovery.has_value() || before.record.recovery.has_value();
  const bool announced =
      before.serving.voters <= 2 && count_of<plan::StopMember>(plan) == plan.steps.size();
  return rests || recovers || announced || before.record.formation != plan::Formation::kLatched;
}

namespace {

Violation judge_quorum(const Before& before, const plan::Plan& plan, const Cluster& after,
                       Counts& counts) {
  const bool disrupts = std::ranges::any_of(
      plan.steps, [](const plan::Step& s) { return plan::is_disruptive(s.action); });
  if (!disrupts || !before.serving.has_quorum() || may_stand_still(before, plan, after)) return {};
  count(counts, Rule::kS1);
  const Serving now = look_at(after.world, before.serving.cluster);
  if (now.voters > 0 && now.up >= majority(now.voters)) return {};
  return broken(Rule::kS1, fmt::format("{} of {} voters were up, now {} of {}", before.serving.up,
                                       before.serving.voters, now.up, now.voters));
}

Violation judge_changes(const Before& before, const plan::Plan& plan, const Cluster& after,
                        Counts& counts) {
  const auto adds = count_of<plan::AddLearner>(plan);
  const auto changes =
      adds + count_of<plan::RemoveMember>(plan) + count_of<plan::PromoteMember>(plan);
  if (changes == 0) return {};
  count(counts, Rule::kS2);
  if (changes > 1) return broken(Rule::kS2, fmt::format("{} changes in one plan", changes));
  if (adds == 0) return {};
  const auto half = [](const Membership& m) {
    return std::ranges::count_if(m.members, [](const etcd::Member& each) {
      return each.learner || each.client_urls.empty();
    });
  };
  const Serving now = look_at(after.world, before.serving.cluster);
  if (now.members == nullptr) return {};
  const auto was = half(before.members), is = half(*now.members);
  if (is <= 1 || is <= was) return {};
  return broken(Rule::kS2, fmt::format("{} members are half joined, there were {}", is, was));
}

bool is_deleted_with_data(const Cluster& state) {
  return state.intent.wish == plan::Wish::kDeleted &&
         state.intent.cluster.spec.when_deleted == api::ClaimPolicy::kDelete;
}

Violation judge_data(const Before& before, const Cluster& after, Counts& counts) {
  for (const auto& [name, stood] : before.places) {
    if (after.world.places.contains(name)) continue;
    count(counts, Rule::kS4);
    if (is_deleted_with_data(after)) continue;
    const bool latched = before.record.formation == plan::Formation::kLatched;
    const bool ours = stood.incarnation == before.record.incarnation && latched;
    if (!ours || stood.cluster != before.serving.cluster) continue;
    // What stood there may have been a copy of another member's volume.
    const bool elsewhere = std::ranges::any_of(before.places, [&](const auto& other) {
      return other.first != name && other.second.member == stood.member &&
             after.world.places.contains(other.first);
    });
    if (!elsewhere && before.members.find(stood.member) != nullptr)
      return broken(Rule::kS4, fmt::format("the data of {} went, and it is a member", name));
  }
  return {};
}

Violation judge_versions(const Before& before, const plan::Plan& plan, Counts& counts) {
  const int cluster = before.serving.state == nullptr ? 0 : before.record.highest_minor_seen;
  for (const auto& [name, m] : plan.record.members) {
    const auto was = before.record.members.find(name);
    if (was == before.record.members.end() || was->second.version == m.version) continue;
    count(counts, Rule::kS7);
    if (cluster == 0) continue;
    if (m.version.minor < cluster || m.version.minor > cluster + 1)
      return broken(Rule::kS7, fmt::format("{} goes from {} to {}, the cluster is at 3.{}", name,
                                           was->second.version.text(), m.version.text(), cluster));
  }
  return {};
}

Violation judge_alarms(const Before& before, const plan::Plan& plan, const Cluster& after,
                       Counts& counts) {
  if (count_of<plan::DisarmAlarm>(plan) == 0) return {};
  const Serving now = look_at(after.world, before.serving.cluster);
  if (now.state == nullptr || now.members == nullptr) return {};
  for (const etcd::Alarm& alarm : before.alarms) {
    const bool still = std::ranges::any_of(now.state->alarms, [&](const etcd::Alarm& a) {
      return a.member == alarm.member && a.kind == alarm.kind;
    });
    if (still) continue;
    count(counts, Rule::kS8);
    for (const Process& p : after.world.etcd().processes()) {
      if (now.members->find(p.id()) == nullptr) continue;
      const bool full = p.dir.db_size * 10 >= p.args->quota * 9;
      if (alarm.kind == etcd::AlarmKind::kNoSpace && full)
        return broken(Rule::kS8, fmt::format("NOSPACE went while {} is full", p.args->name));
      if (alarm.kind == etcd::AlarmKind::kCorrupt && p.dir.wrong_bytes != 0)
        return broken(Rule::kS8, fmt::format("CORRUPT went while {} is wrong", p.args->name));
    }
  }
  return {};
}

Violation judge_words(const engine::Report& report, const Cluster& after, Counts& counts) {
  const plan::Plan& plan = report.plan;
  const api::Condition* c = api::find_condition(plan.status, api::ConditionType::kAvailable);
  if (c == nullptr || c->status != api::Truth::kTrue) return {};
  count(counts, Rule::kS10);
  const auto ago = report.at - after.ghost.true_read;
  if (ago <= kFresh) return {};
  return broken(Rule::kS10, fmt::format("available is True, the last quorum read was {} ago",
                                        base::to_text(ago)));
}

// --- any state ----------------------------------------------------------------------------------

Violation judge_start(const Cluster& state, const Process& p) {
  const auto reached = state.ghost.reached.find(p.id());
  if (reached != state.ghost.reached.end()) {
    if (holds(p.dir.tip, reached->second)) return {};
    return broken(Rule::kS3,
                  fmt::format("{} runs with a log up to {}, it had applied {}", p.args->name,
                              index_of(p.dir.tip), index_of(reached->second)));
  }
  const bool latched = state.stored && state.stored->formation == plan::Formation::kLatched &&
                       state.stored->token == p.args->token;
  if (latched && !p.args->existing)
    return broken(Rule::kS3, p.args->name + " began anew in a cluster that had formed");
  return {};
}

Violation judge_starts(Cluster& state, Counts& counts) {
  for (const Process& p : state.world.etcd().processes()) {
    if (!p.id() || p.phase == Process::Phase::kEnded) continue;
    Pid& newest = state.ghost.ran[p.id()];
    if (newest != p.pid) {
      count(counts, Rule::kS3);
      newest = p.pid;
      if (Violation v = judge_start(state, p); !v.rule.empty()) return v;
    }
    Log& reached = state.ghost.reached[p.id()];
    if (index_of(p.applied) > index_of(reached)) reached = p.applied;
  }
  return {};
}

Violation judge_identity(const Cluster& state, Counts& counts) {
  const Process* first = nullptr;
  for (const Process& p : state.world.etcd().processes()) {
    if (!p.leads || !p.is_up() || !state.world.etcd().can_read(p.pid)) continue;
    count(counts, Rule::kS5);
    if (first == nullptr) {
      first = &p;
    } else {
      return broken(Rule::kS5, fmt::format("{} leads {} and {} leads {}", first->args->name,
                                           base::to_text(first->dir.cluster), p.args->name,
                                           base::to_text(p.dir.cluster)));
    }
  }
  return {};
}

Violation judge_restores(const Cluster& state, Counts& counts) {
  std::map<std::string, std::string> by;
  for (const auto& [name, place] : state.world.places) {
    // A copy of another member's volume, mounted in its place, was not restored here.
    if (!place.volume.marker || place.volume.marker->restored.empty() ||
        place.volume.marker->member_name != name)
      continue;
    count(counts, Rule::kS9);
    const auto [at, first] = by.try_emplace(place.volume.marker->restored, name);
    if (!first && place.volume.marker->member_name != at->second)
      return broken(Rule::kS9,
                    fmt::format("{} and {} were restored by one operation", at->second, name));
  }
  return {};
}

Violation judge_writes(const Cluster& state, Counts& counts) {
  if (state.ghost.acked == 0 || state.ghost.excused || !state.stored) return {};
  for (const Process& p : state.world.etcd().processes()) {
    if (!p.leads || !p.is_up() || !state.world.etcd().can_read(p.pid)) continue;
    if (p.dir.cluster != state.stored->cluster_id) continue;
    count(counts, Rule::kW);
    if (!holds_write(state_of(p.dir.tip), state.ghost.acked))
      return broken(Rule::kW, p.args->name + " leads without the newest acknowledged write");
  }
  return {};
}

}  // namespace

Before note(const Cluster& state) {
  Before out;
  if (state.stored) out.record = *state.stored;
  out.serving = look_at(state.world, out.record.cluster_id);
  if (out.serving.members != nullptr) out.members = *out.serving.members;
  if (out.serving.leader != nullptr) out.leader = out.serving.leader->args->name;
  if (out.serving.state != nullptr) out.alarms = out.serving.state->alarms;
  for (const auto& [name, place] : state.world.places) {
    const Process* p = state.world.process_of(name);
    const Dir& dir = p != nullptr ? p->dir : place.volume.data;
    if (!dir.blank())
      out.places[name] = {dir.member, dir.cluster,
                          place.volume.marker ? place.volume.marker->incarnation : ""};
  }
  return out;
}

Violation judge_pass(const Before& before, const Passed& passed, const Cluster& after,
                     Counts& counts) {
  if (Violation v = judge_data(before, after, counts); !v.rule.empty()) return v;
  if (!passed.thought) return {};
  const plan::Plan& plan = passed.thought->plan;
  if (Violation v = judge_asked(before, passed, after, counts); !v.rule.empty()) return v;
  if (Violation v = judge_quorum(before, plan, after, counts); !v.rule.empty()) return v;
  if (Violation v = judge_changes(before, plan, after, counts); !v.rule.empty()) return v;
  if (Violation v = judge_versions(before, plan, counts); !v.rule.empty()) return v;
  if (Violation v = judge_alarms(before, plan, after, counts); !v.rule.empty()) return v;
  return judge_words(*passed.thought, after, counts);
}

Violation judge_state(Cluster& state, Counts& counts) {
  if (Violation v = judge_starts(state, counts); !v.rule.empty()) return v;
  if (Violation v = judge_identity(state, counts); !v.rule.empty()) return v;
  if (Violation v = judge_restores(state, counts); !v.rule.empty()) return v;
  return judge_writes(state, counts);
}

void excuse(Cluster& state) {
  if (state.ghost.acked == 0 || copies_of(state.world, state.ghost.acked) > 0) return;
  const bool kept = std::ranges::any_of(state.ghost.taken, [&](const auto& entry) {
    return !entry.second.data.blank() &&
           holds_write(state_of(entry.second.data.tip), state.ghost.acked);
  });
  state.ghost.excused = state.ghost.excused || !kept;
}

}  // namespace sim::model
