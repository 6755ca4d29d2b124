#include "sim/run/simulation.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/record_codec.h"
#include "sim/run/worker.h"

namespace sim {
namespace {

constexpr base::Duration kAfterFailure{500};

Settings settings_of(const Schedule& schedule) {
  Settings settings;
  settings.seed = schedule.seed;
  return settings;
}

// Of a pass that acted: all that it planned was in the store, and is to be read after a crash.
std::string not_recorded(const std::string& store, const engine::Report& report) {
  if (store == engine::encode_record(report.plan.record)) return {};
  const auto& steps = report.plan.steps;
  return fmt::format("R: {} was begun, and the stored record does not say so",
                     steps.empty() ? "a step" : plan::to_text(steps.front().action));
}

}  // namespace

Simulation::Simulation(const Schedule& schedule, Say say)
    : Course(schedule, std::move(say)), world_(settings_of(schedule)), lives_(world_) {
  world_.binaries = {versions_.begin(), versions_.end()};
  if (wanted_.backup_interval.count() > 0) {
    scratch_ = std::make_unique<posix::TestDir>();
    depot_ = std::make_unique<Depot>(world_, schedule.seed, scratch_->path("jobs"));
    world_.stores = depot_.get();
    depot_->before_damage = [this] { fail(store_oracles_.after_step(world_, rules())); };
  }
  lives_.fuse().on_look([this] { oracles_.looked(world_); });
}

void Simulation::edit() {
  edited_ = true;
  Course::edit();
}

bool Simulation::work(Work kind) {
  return Worker(*this).work(kind);
}

void Simulation::judge() {
  fail(oracles_.after_step(world_, allowed()));
  fail(store_oracles_.after_step(world_, rules()));
  result_.restores = store_oracles_.restores();
}

StoreRules Simulation::rules() const {
  return {wanted_.backup_interval, wanted_.restore, wanted_.max_backups};
}

void Simulation::operate_until(unsigned crash_after) {
  if (std::exchange(edited_, false)) intent_ = intent_of(wanted_);
  oracles_.before_pass(world_);
  watched_.before_pass(world_);
  const auto passed = lives_.pass(intent_, crash_after);
  ++result_.passes;
  last_ = passed.report;
  if (!passed.crashed_at.empty()) {
    count("crash");
    note("operator: crashed at " + passed.crashed_at);
  } else if (passed.report && (!passed.report->plan.steps.empty() || !passed.again)) {
    note("operator:");
    tell(*passed.report);
  }
  if (passed.report) hear(*passed.report);
  if (passed.report) watched_.after_pass(world_, *passed.report);
  if (passed.report && depot_) {
    fail(store_oracles_.after_step(world_, rules()));  // jobs that ended during the pass
    fail(store_oracles_.after_pass(*passed.report, rules()));
    for (const auto& event : passed.report->plan.events)
      note(fmt::format("  event {}: {}", plan::name_of(event.reason), event.message));
  }
  fail(oracles_.after_pass(world_, passed.report.get(), allowed()));
  if (passed.acted_on && passed.report) fail(not_recorded(*passed.acted_on, *passed.report));
  if (lives_.log().went_on) fail("R: a step was begun although the last was refused");
  look_at_ = world_.now() + passed.again.value_or(kAfterFailure);
  for (const auto& line : std::exchange(lives_.log().errors, {})) fail("logged an error: " + line);
  lives_.log().lines.clear();
}

// What one operator thought is carried out after another one came: the store refuses its record,
// and then it does nothing. (What needs no new record is kept apart by the lease or the lock.)
void Simulation::operate_late() {
  if (std::exchange(edited_, false)) intent_ = intent_of(wanted_);
  const auto thought = lives_.think(intent_);
  Lives other(world_);
  other.fuse().on_look([this] { oracles_.looked(world_); });
  for (int i = 0; i < 3; ++i) {
    oracles_.before_pass(world_);
    const auto passed = other.pass(intent_, 0);
    if (passed.report) tell(*passed.report);
    fail(oracles_.after_pass(world_, passed.report.get(), allowed()));
  }
  if (thought && !thought->plan.steps.empty() && lives_.stores_first(*thought)) {
    oracles_.before_pass(world_);
    lives_.log().lines.clear();
    const auto stored = world_.record.version;
    const auto done = lives_.carry_out(*thought);
    note("the older operator: " + (done ? "done" : done.error().text()));
    const bool acted = std::ranges::any_of(
        lives_.log().lines, [](const std::string& line) { return line.starts_with("step "); });
    if (acted && (!done || world_.record.version == stored))
      fail("S12: an operator acted although its record was refused");
    fail(oracles_.after_pass(world_, nullptr, allowed()));
    count(done ? "late" : "late-refused");
  }
  lives_.restart();
  look_at_ = world_.now() + kAfterFailure;
}

// Everything outside of the operator is well again, and the user wants a plain cluster.
void Simulation::heal() {
  heal_world();
  if (depot_) depot_->heal();
  if (wanted_.deleted) lives_.restart();
  wanted_.paused = wanted_.hibernate = wanted_.stopped = wanted_.deleted = false;
  note("all is well again");
  edit();
}

std::optional<Client> Simulation::user() const {
  if (!world_.published || (wanted_.tls && world_.user_leaf.until == base::Instant{}))
    return std::nullopt;
  Client client;
  client.tls = {wanted_.tls, world_.user_leaf, {1}};
  return client;
}

void Simulation::approve(const std::string& /*operation*/) {
  edit();
}

bool Simulation::answer(const api::ClusterStatus& status) {
  using Type = api::ConditionType;
  const auto says = [&](Type type, std::string_view reason) {
    const auto* found = api::find_condition(status, type);
    return found != nullptr && found->reason == reason;
  };
  const bool stuck =
      says(Type::kAvailable, "RestoreLookupFailed") || says(Type::kDegraded, "DataLossTotal");
  if (stuck && depot_ && (wanted_.restore || wanted_.restore_on_loss) &&
      std::ranges::none_of(depot_->backups(), &StoredBackup::whole)) {
    wanted_.restore = wanted_.restore_on_loss = false;
    note("user: does without a backup");
    edit();
    return true;
  }
  // "… was written by etcd 3.6.16, and etcd 3.5.33 …": what is declared cannot take it.
  const auto* available = api::find_condition(status, Type::kAvailable);
  if (stuck && available != nullptr)
    for (const auto& version : versions_)
      if (version != wanted_.version &&
          available->message.find(fmt::format("was written by etcd {},", version)) !=
              std::string::npos) {
        wanted_.version = version;
        note("user: declares the version of the backup");
        edit();
        return true;
      }
  return false;
}

// What was written before everything was well is in a backup after an interval, and the status says
// so. Where a drill must find out first that the one there is damaged: after its interval, too.
void Simulation::converged() {
  if (!depot_) return;
  const base::Instant well = world_.now();
  const base::Duration more =
      store_oracles_.hidden_damage(world_) ? wanted_.verify : base::Duration{0};
  const base::Instant until = well + more + 2 * wanted_.backup_interval + base::Duration{60'000};
  std::string what = "nobody looked";
  while (!failed() && !what.empty()) {
    if (world_.now() > until) return fail("its backups did not converge: " + what + words());
    go_to(look_at_);
    operate_until(0);
    fail(store_oracles_.after_step(world_, rules()));
    what = store_oracles_.missing(world_, well);
    if (what.empty() &&
        (!last_ || is_true(last_->plan.status, api::ConditionType::kBackupHealthy) == nullptr))
      what = "BackupHealthy is not True";
  }
  note("backups converged");
}

Result simulate(const Schedule& schedule, const std::function<void(const std::string&)>& say) {
  return Simulation(schedule, say).run();
}

}  // namespace sim
