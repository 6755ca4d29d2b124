#include "sim/run/simulation.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/record_codec.h"
#include "sim/run/worker.h"

namespace sim {
namespace {

constexpr std::size_t kTail = 80;
constexpr int kPassesToConverge = 1'500, kQuiet = 3;
constexpr base::Duration kWake{300}, kAfterFailure{500};

Settings settings_of(const Schedule& schedule) {
  Settings settings;
  settings.seed = schedule.seed;
  return settings;
}

std::string text_of(const plan::LastAct& act) {
  std::string_view outcome = "done";
  if (act.outcome == plan::Outcome::kRefused) outcome = "refused";
  if (act.outcome == plan::Outcome::kMayHaveHappened) outcome = "may have happened";
  return act.text.empty() ? std::string(outcome) : fmt::format("{} ({})", outcome, act.text);
}

const api::Condition* is_true(const api::ClusterStatus& status, api::ConditionType type) {
  const auto* found = api::find_condition(status, type);
  return found != nullptr && found->status == api::Truth::kTrue ? found : nullptr;
}

std::string text_of(const api::ClusterStatus& status) {
  std::string text(api::name_of(status.phase));
  for (const auto& c : status.conditions)
    text += fmt::format("\n    {}={} {}: {}", api::name_of(c.type), api::name_of(c.status),
                        c.reason, c.message);
  return text;
}

// Of a pass that acted: all that it planned was in the store, and is to be read after a crash.
std::string not_recorded(const std::string& store, const engine::Report& report) {
  if (store == engine::encode_record(report.plan.record)) return {};
  const auto& steps = report.plan.steps;
  return fmt::format("R: {} was begun, and the stored record does not say so",
                     steps.empty() ? "a step" : plan::to_text(steps.front().action));
}

}  // namespace

Simulation::Simulation(const Schedule& schedule, std::function<void(const std::string&)> say)
    : schedule_(schedule),
      say_(std::move(say)),
      dice_(schedule.seed),
      world_(settings_of(schedule)),
      lives_(world_),
      wanted_(schedule.wanted),
      versions_{"3.5.12", "3.5.33", "3.6.16", "3.7.3"} {
  world_.binaries = {versions_.begin(), versions_.end()};
  look_at_ = world_.now();
  if (wanted_.backup_interval.count() > 0) {
    scratch_ = std::make_unique<posix::TestDir>();
    depot_ = std::make_unique<Depot>(world_, schedule.seed, scratch_->path("jobs"));
    world_.stores = depot_.get();
    depot_->before_damage = [this] { fail(store_oracles_.after_step(world_, rules())); };
  }
  for (const WorkInfo& work : works())
    if (schedule_.on.contains(work.work)) due_[work.work] = world_.now() + dice_.about(work.mean);
  lives_.fuse().on_look([this] { oracles_.looked(world_); });
  result_.seed = schedule.seed;
}

void Simulation::note(const std::string& line) {
  const auto at = (world_.now() - Settings{}.start).count();
  std::string text = fmt::format("{:>9}.{:03} {}", at / 1000, at % 1000, line);
  result_.digest =
      model::hash128(fmt::format("{:016x}{:016x}{}", result_.digest.hi, result_.digest.lo, text));
  if (say_) say_(text);
  tail_.push_back(std::move(text));
  if (tail_.size() > kTail) tail_.pop_front();
}

void Simulation::fail(const std::string& why) {
  if (failed() || why.empty()) return;
  note("FAILED: " + why);
  result_.failure = why;
}

Allowed Simulation::allowed() const {
  Allowed out;
  out.outage = wanted_.hibernate || wanted_.stopped || wanted_.deleted;
  out.delete_data = wanted_.deleted && wanted_.delete_data;
  out.approved = approved_;
  return out;
}

StoreRules Simulation::rules() const {
  return {wanted_.backup_interval, wanted_.restore, wanted_.max_backups};
}

void Simulation::go_to(base::Instant at) {
  while (!later_.empty() && later_.begin()->first <= std::max(at, world_.now())) {
    const auto first = later_.begin();
    if (first->first > world_.now()) world_.advance(first->first - world_.now());
    const auto act = std::move(first->second);
    later_.erase(first);
    act();
    wake();
  }
  if (at > world_.now()) world_.advance(at - world_.now());
}

void Simulation::wake() {
  look_at_ = std::min(look_at_, world_.now() + dice_.about(kWake));
}

void Simulation::edit() {
  ++wanted_.generation;
  edited_ = true;
  note("user: " + to_text(wanted_));
  wake();
}

void Simulation::tell(const engine::Report& report) {
  for (std::size_t i = 0; i < report.plan.steps.size(); ++i) {
    const auto& step = report.plan.steps[i];
    count(plan::name_of(step.action));
    count(plan::name_of(step.reason));
    note(fmt::format("  {} {}", plan::to_text(step.action), plan::name_of(step.reason)));
  }
  if (report.act) note("  " + text_of(*report.act));
  if (!report.problem.empty()) note("  problem: " + report.problem);
  for (const auto& event : report.plan.events) count(plan::name_of(event.reason));
}

// What was seen and said in one line, when it is something else than before.
void Simulation::hear(const engine::Report& report) {
  const auto& status = report.plan.status;
  std::string words(api::name_of(status.phase));
  for (const auto type : {api::ConditionType::kAvailable, api::ConditionType::kProgressing,
                          api::ConditionType::kNeedsApproval, api::ConditionType::kBackupHealthy,
                          api::ConditionType::kBackupProven}) {
    const auto* c = api::find_condition(status, type);
    if (c != nullptr)
      words += fmt::format("; {}={} {}", api::name_of(type), api::name_of(c->status), c->reason);
  }
  if (report.seen.membership.is_unknown()) words += "; " + report.seen.membership.why();
  if (words != heard_) note("status: " + words);
  heard_ = std::move(words);
}

void Simulation::operate(unsigned crash_after) {
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
  for (auto& [at, act] : std::exchange(later_, {})) act();
  const auto cuts = world_.etcd().cuts();
  for (const auto& [from, to] : cuts) world_.etcd().heal(from, to, world_.now());
  for (std::size_t m = 0; m < world_.machines.size(); ++m) world_.boot_machine(static_cast<int>(m));
  std::vector<Pid> paused;
  for (const Process& p : world_.etcd().processes())
    if (p.paused) paused.push_back(p.pid);
  for (const Pid pid : paused) world_.etcd().resume(pid, world_.now());
  for (auto& [name, place] : world_.places) place.volume.disk = Disk::kFine;
  world_.faults = Faults{};
  if (depot_) depot_->heal();
  if (wanted_.deleted) lives_.restart();
  wanted_.paused = wanted_.hibernate = wanted_.stopped = wanted_.deleted = false;
  note("all is well again");
  edit();
}

// What a person does who reads the status. True: something was done.
bool Simulation::read_status(const api::ClusterStatus& status) {
  using Type = api::ConditionType;
  if (is_true(status, Type::kNeedsApproval) != nullptr && status.operation &&
      (!wanted_.approval || wanted_.approval->operation != status.operation->id)) {
    wanted_.approval =
        plan::Approval{status.operation->id, world_.now() + base::Duration{3'600'000}};
    approved_ = true;
    note("user: approves " + status.operation->id);
    edit();
    return true;
  }
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
  const auto* blocked = is_true(status, Type::kUpgradeBlocked);
  if (blocked != nullptr && blocked->reason == "DowngradeRefused") {
    if (const Process* leader = server(world_))
      for (const auto& version : versions_)
        if (api::parse_version(version)->minor == leader->state().cluster_minor)
          wanted_.version = version;
    edit();
    return true;
  }
  if (blocked != nullptr && blocked->reason == "UpgradeRefused") {  // one minor at a time
    const auto at = std::ranges::find(versions_, wanted_.version);
    if (at != versions_.begin()) wanted_.version = *std::prev(at);
    edit();
    return true;
  }
  const auto* degraded = is_true(status, Type::kDegraded);
  if (degraded != nullptr && degraded->reason == "NoSpaceStuck" && wanted_.quota > 0) {
    wanted_.quota = 0;
    edit();
    return true;
  }
  return false;
}

void Simulation::converge() {
  int quiet = 0;
  std::string what;
  base::Instant read{};
  for (int i = 0; i < kPassesToConverge && !failed(); ++i) {
    go_to(look_at_);
    operate(0);
    fail(store_oracles_.after_step(world_, rules()));
    if (!last_ || failed()) continue;
    what = missing(world_, {wanted_.size, *api::parse_version(wanted_.version)});
    const bool still = what.empty() && last_->plan.steps.empty();
    quiet = still ? quiet + 1 : 0;
    if (quiet < kQuiet) {
      if (world_.now() - read > base::Duration{60'000} && read_status(last_->plan.status))
        read = world_.now();
      continue;
    }
    if (is_true(last_->plan.status, api::ConditionType::kAvailable) == nullptr) {
      what = "it serves, and the status does not say so";
      continue;
    }
    fail(oracles_.nothing_lost(world_));
    note("converged");
    if (depot_) converge_backups();
    return;
  }
  // Nobody can be healed who has no sound data; then a person is asked, as long as it takes.
  if (!failed() && last_ && oracles_.sound(world_).up == 0 &&
      is_true(last_->plan.status, api::ConditionType::kNeedsApproval) != nullptr) {
    note("a person is asked, and there is no sound data");
    return;
  }
  if (!failed())
    fail("it did not converge: " + what +
         "; the status: " + (last_ ? text_of(last_->plan.status) : "none"));
}

// What was written before everything was well is in a backup after an interval, and the status says
// so. Where a drill must find out first that the one there is damaged: after its interval, too.
void Simulation::converge_backups() {
  const base::Instant well = world_.now();
  const base::Duration more =
      store_oracles_.hidden_damage(world_) ? wanted_.verify : base::Duration{0};
  const base::Instant until = well + more + 2 * wanted_.backup_interval + base::Duration{60'000};
  std::string what = "nobody looked";
  while (!failed() && !what.empty()) {
    if (world_.now() > until)
      return fail("its backups did not converge: " + what +
                  "; the status: " + (last_ ? text_of(last_->plan.status) : "none"));
    go_to(look_at_);
    operate(0);
    fail(store_oracles_.after_step(world_, rules()));
    what = store_oracles_.missing(world_, well);
    if (what.empty() &&
        (!last_ || is_true(last_->plan.status, api::ConditionType::kBackupHealthy) == nullptr))
      what = "BackupHealthy is not True";
  }
  note("backups converged");
}

Result Simulation::run() {
  note(to_text(schedule_));
  while (!failed() && result_.steps < schedule_.steps) {
    auto next = std::ranges::min_element(due_, {}, [](const auto& d) { return d.second; });
    const bool pass = next == due_.end() || look_at_ <= next->second;
    go_to(pass ? look_at_ : next->second);
    ++result_.steps;
    if (pass) {
      operate(0);
    } else {
      const auto info = std::ranges::find(works(), next->first, &WorkInfo::work);
      next->second = world_.now() + dice_.about(info->mean);
      if (Worker(*this).work(info->work)) {
        result_.faults += info->fault ? 1 : 0;
        count(info->name);
      }
    }
    fail(oracles_.after_step(world_, allowed()));
    fail(store_oracles_.after_step(world_, rules()));
  }
  if (!failed()) {
    heal();
    converge();
  }
  result_.simulated = world_.now() - Settings{}.start;
  result_.writes = oracles_.writes();
  result_.recoveries = oracles_.recoveries();
  result_.restores = store_oracles_.restores();
  result_.lost = oracles_.lost();
  result_.trace = {tail_.begin(), tail_.end()};
  return std::move(result_);
}

Result simulate(const Schedule& schedule, const std::function<void(const std::string&)>& say) {
  return Simulation(schedule, say).run();
}

}  // namespace sim
