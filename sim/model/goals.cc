#include "sim/model/goals.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "api/annotations.h"

namespace sim::model {
namespace {

const api::Condition* condition(const plan::Plan& plan, api::ConditionType type) {
  return api::find_condition(plan.status, type);
}

bool says(const plan::Plan& plan, std::string_view reason) {
  return std::ranges::any_of(plan.status.conditions,
                             [&](const api::Condition& c) { return c.reason == reason; });
}

bool asks(const plan::Plan& plan) {
  const api::Condition* c = condition(plan, api::ConditionType::kNeedsApproval);
  return c != nullptr && c->status == api::Truth::kTrue;
}

bool nothing_runs(const World& world) {
  return std::ranges::none_of(world.places, [&](const auto& e) { return world.is_alive(e.first); });
}

// What halted is still what is wanted, or what is wanted is refused: else an edit leaves it (L3).
bool aims_at(const plan::Plan& plan, const plan::Intent& intent) {
  const bool wanted = plan.record.template_hash == intent.template_hash &&
                      plan.record.version == intent.cluster.spec.version;
  return wanted || intent.wish != plan::Wish::kPresent || says(plan, "UpgradeRefused") ||
         says(plan, "DowngradeRefused");
}

// What a person must do, and is told: no operation of ours can go on.
std::string_view told_to_person(const plan::Plan& plan, const plan::Intent& intent) {
  constexpr std::array<std::string_view, 12> kTold{
      "RecordTorn",        "StrayData",     "RestoreNotPossible", "IntentUnreadable",
      "RecoveryForbidden", "DataLossTotal", "NoSpaceStuck",       "CorruptNoMajority",
      "RolloutHalted",     "BinaryMissing", "OperationTimedOut",  "DowngradeRefused"};
  const auto at = std::ranges::find_if(kTold, [&](std::string_view r) {
    return says(plan, r) && (r != "RolloutHalted" || aims_at(plan, intent));
  });
  return at == kTold.end() ? std::string_view() : *at;
}

// A person added a voter by hand that never started, and with it went the quorum.
bool hangs_on_stranger(const Cluster& state, const plan::Plan& plan) {
  const Serving now = look_at(state.world, plan.record.cluster_id);
  if (now.members == nullptr || now.leader != nullptr) return false;
  return std::ranges::any_of(now.members->members, [&](const etcd::Member& m) {
    return m.client_urls.empty() && !m.learner &&
           std::ranges::none_of(plan.record.members,
                                [&](const auto& own) { return own.second.id == m.id; });
  });
}

// Every voter that is wanted runs what is wanted, and clients may come.
std::string lacks(const Cluster& state, const plan::Plan& plan) {
  const api::ClusterSpec& spec = state.intent.cluster.spec;
  // Unreadable, or deleted and protected: it goes on as it was.
  const bool stale = state.intent.wish != plan::Wish::kPresent;
  const Serving now = look_at(state.world, plan.record.cluster_id);
  const auto size = static_cast<std::size_t>(stale ? plan.record.size : spec.size);
  if (now.leader == nullptr) return "nobody leads";
  if (now.voters != size || now.up != size)
    return fmt::format("{} of {} voters are up, {} are wanted", now.up, now.voters, size);
  if (now.learners + now.unstarted > 0) return "a member is half joined";
  if (!now.state->alarms.empty()) return "an alarm is set";
  if (!state.world.published) return "it is not open to clients";
  const bool blocked = says(plan, "UpgradeRefused") || says(plan, "DowngradeRefused");
  for (const Process& p : state.world.etcd().processes()) {
    if (stale || blocked || now.members->find(p.id()) == nullptr) continue;
    if (p.args->version != spec.version) return p.args->name + " runs another version";
    const auto at = state.world.places.find(p.args->name);
    if (at == state.world.places.end() || !at->second.state) return "a guard is silent";
    if (at->second.state->template_hash != state.intent.template_hash)
      return p.args->name + " runs another template";
    const base::Instant until = std::min(at->second.server.until, at->second.peer.until);
    if (at->second.has_leaves() && until <= state.world.now())
      return "a certificate of " + p.args->name + " has expired";
  }
  if (plan.status.phase != api::Phase::kRunning)
    return "the status does not say Running: " + std::string(api::name_of(plan.status.phase));
  return {};
}

}  // namespace

std::string lacks_good_end(const Cluster& state, const plan::Plan& plan) {
  const plan::Intent& i = state.intent;
  // Flags that cannot be rendered, in a cluster that is formed: told, and tried for ever.
  const auto& last = state.memory.engine.last_act;
  if (plan.record.formation == plan::Formation::kLatched && last &&
      last->outcome == plan::Outcome::kRefused &&
      last->text.find("is not one that may be set") != std::string::npos)
    return {};
  if (!plan.steps.empty()) return "there is more to do";
  const api::ClusterSpec& spec = i.cluster.spec;
  // The gate before everything: a record that is lost or cut is told, whatever is wanted.
  if (says(plan, "StrayData") || says(plan, "RecordTorn")) return {};
  const bool is_protected = api::is_protected(i.cluster);
  if (i.wish == plan::Wish::kDeleted && !is_protected) {
    if (!says(plan, "DeleteDone")) return "the deletion is not done";
    return nothing_runs(state.world) ? "" : "it is deleted, and something runs";
  }
  if (spec.paused || i.paused)
    return says(plan, "Paused") ? "" : "it does not say that it is paused";
  if (i.stop || spec.hibernate)
    return nothing_runs(state.world) ? "" : "it is to rest, and something runs";
  if (asks(plan) || !told_to_person(plan, i).empty()) return {};
  if (says(plan, "QuorumLost") && hangs_on_stranger(state, plan)) return {};
  if (is_protected && plan.record.formation == plan::Formation::kNone) return {};
  std::string lack = lacks(state, plan);
  return is_protected && lack.starts_with("the status") ? "" : lack;
}

}  // namespace sim::model
