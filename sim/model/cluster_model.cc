#include "sim/model/cluster_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "sim/model/begun.h"
#include "sim/model/canon.h"
#include "sim/model/goals.h"
#include "sim/model/happen.h"
#include "sim/model/mishaps.h"

namespace sim::model {
namespace {

constexpr std::string_view kQuota = "--quota-backend-bytes=32768";
constexpr int kFormingSteps = 200;
constexpr base::Duration kLong = std::chrono::hours(24 * 365);

Settings settings() {
  Settings out;
  out.timing.constant = true;
  out.latency = {base::Duration(0), base::Duration(0)};
  out.waits = false;
  return out;
}

const Cluster& cluster_of(const State& state) {
  return dynamic_cast<const Cluster&>(state);
}
Cluster& cluster_of(State& state) {
  return dynamic_cast<Cluster&>(state);
}

// Passes and time, until the operator has nothing to do any more.
void settle(Cluster& state, Counts& scrap) {
  for (int i = 0; i < kFormingSteps; ++i) {
    const Happened did = happen(state, {Kind::kPass}, scrap);
    const bool done = did.passed && did.passed->thought && !state.world.record.bytes == false &&
                      lacks_good_end(state, did.passed->thought->plan).empty() &&
                      did.passed->thought->plan.status.phase == api::Phase::kRunning;
    if (done) return;
    (void)happen(state, {Kind::kTime}, scrap);
  }
}

// Nothing is begun yet.
std::unique_ptr<Cluster> wanted(int size, const api::Version& version,
                                std::vector<std::string> options) {
  auto state = std::make_unique<Cluster>(settings());
  plan::Intent& i = state->intent;
  i.cluster.key = key_of_cluster();
  i.cluster.generation = 1;
  i.cluster.spec.size = size;
  i.cluster.spec.version = version;
  i.cluster.spec.etcd_options = std::move(options);
  i.template_hash = "t1";
  // What was approved before is no word on what is asked now.
  i.approvals.push_back({"an-older-question", state->world.now() + kLong});
  state->first_intent = std::make_shared<const plan::Intent>(i);
  state->world.binaries = {version.text()};
  state->world.binaries_to_fetch = {"3.4.23", "3.5.12", "3.5.33", "3.6.16", "3.7.3"};
  return state;
}

bool befalls(Cluster& state, std::string_view text, int members) {
  Counts scrap = no_tally();
  const std::vector<Event> free{{Kind::kPass}, {Kind::kTime}, {Kind::kPatience}, {Kind::kHeal}};
  for (const auto& events : {free, faults_at(state), edits_at(state, members)})
    for (const Event& e : events)
      if (text_of(e) == text) return happen(state, e, scrap).possible;
  return false;
}

bool is_sick(const World& world) {
  return !world.etcd().cuts().empty() || std::ranges::any_of(world.places, [&](const auto& e) {
    return e.second.volume.disk != Disk::kFine || !world.is_up(e.second.machine);
  });
}

// What the operator did last came to nothing.
bool is_in_vain(const Cluster& state) {
  const auto& last = state.memory.engine.last_act;
  return last && last->outcome != plan::Outcome::kDone;
}

}  // namespace

ClusterModel::ClusterModel(const Scenario& scenario) : scenario_(scenario) {
  const auto wants = [&](std::string_view name) {
    return scenario.from.empty() || scenario.from == name;
  };
  for (int size = 1; size <= scenario.members; ++size) {
    if (wants("bootstrap"))
      add_root(fmt::format("bootstrap of {}", size), size, {3, 5, 33, ""}, false);
    if (wants("formed")) add_root(fmt::format("a cluster of {}", size), size, {3, 5, 33, ""}, true);
  }
  const int odd = scenario.members >= 3 ? 3 : 1;
  if (wants("old")) add_root(fmt::format("an old cluster of {}", odd), odd, {3, 5, 12, ""}, true);
  if (wants("new")) add_root(fmt::format("a new cluster of {}", odd), odd, {3, 6, 16, ""}, true);
  if (scenario.from.empty()) return;
  for (const Begun& begun : all_begun())
    if (wants("begun") || wants(begun.name)) add_begun(begun);
}

std::vector<std::string> ClusterModel::scenarios() {
  return {"bootstrap", "formed", "old", "new", "begun"};
}

void ClusterModel::add_root(std::string name, int size, const api::Version& version, bool formed) {
  auto state = wanted(size, version, {std::string(kQuota)});
  Counts scrap = no_tally();
  if (formed) settle(*state, scrap);
  for (const std::string& first : scenario_.first) {
    if (!befalls(*state, first, scenario_.members)) return;
    name += ", then " + first;
  }
  roots_.push_back({std::move(name), std::move(state)});
}

void ClusterModel::add_begun(const Begun& begun) {
  auto state = wanted(begun.size, begun.version,
                      begun.options.empty() ? std::vector{std::string(kQuota)} : begun.options);
  Counts scrap = no_tally();
  const auto all = [&](const std::vector<Event>& events) {
    for (const Event& event : events) {
      const Happened did = happen(*state, event, scrap);
      if (!did.possible || !did.violation.rule.empty())
        throw std::logic_error(begun.name + ": " + text_of(event) + " " + did.violation.text);
    }
  };
  all(begun.first);
  if (begun.forms) settle(*state, scrap);
  all(begun.then);
  if (begun.settles) settle(*state, scrap);
  all(begun.last);
  roots_.push_back({begun.name, std::move(state)});
}

std::unique_ptr<State> ClusterModel::root(std::size_t number) const {
  return roots_.at(number).state->copy();
}

std::string ClusterModel::text_of_root(std::size_t number) const {
  return roots_.at(number).name;
}

Hash128 ClusterModel::key(const State& state) const {
  return hash128(canonical(cluster_of(state), scenario_.symmetric));
}

bool ClusterModel::take(State& state, Step step, Violation& violation, Counts& counts) const {
  Happened did = happen(cluster_of(state), unpack(step), counts);
  violation = std::move(did.violation);
  return did.possible;
}

void ClusterModel::add(Expansion& out, const Cluster& from, const Event& event,
                       Counts& counts) const {
  auto next = std::make_unique<Cluster>(from);
  Happened did = happen(*next, event, counts);
  if (!did.possible) return;
  out.followers.push_back(
      {pack(event), price_of(event.kind), std::move(next), std::move(did.violation)});
}

Expansion ClusterModel::expand(const State& state, bool faults, bool edits, Counts& counts) const {
  const Cluster& from = cluster_of(state);
  Expansion out;
  auto after = std::make_unique<Cluster>(from);
  Happened did = happen(*after, {Kind::kPass}, counts);
  const Hash128 own = key(from);
  const bool quiet = key(*after) == own;
  const Passed passed = std::move(*did.passed);
  if (quiet && passed.thought) out.goal = lacks_good_end(*after, passed.thought->plan).empty();
  out.followers.push_back({pack({Kind::kPass}), Price::kFree, std::move(after), did.violation});
  if (from.passed) add(out, from, {Kind::kTime}, counts);
  if (quiet && from.passed && !out.goal) add(out, from, {Kind::kPatience}, counts);
  if (quiet || is_in_vain(from)) {
    if (is_sick(from.world)) add(out, from, {Kind::kHeal}, counts);
    add(out, from, {Kind::kApprove}, counts);
  }
  if (faults) {
    for (const Event& e : mishaps_of(passed, from.memory.engine.loaded.has_value()))
      add(out, from, e, counts);
    for (const Event& e : faults_at(from)) add(out, from, e, counts);
  }
  if (edits)
    for (const Event& e : edits_at(from, scenario_.members)) add(out, from, e, counts);
  return out;
}

}  // namespace sim::model
