#include "sim/run/course.h"

#include <fmt/format.h>

#include <algorithm>

namespace sim {
namespace {

constexpr std::size_t kTail = 80;
constexpr int kQuiet = 3, kPassesToConverge = 1'500;
constexpr base::Duration kWake{300};

std::string text_of(const plan::LastAct& act) {
  std::string_view outcome = "done";
  if (act.outcome == plan::Outcome::kRefused) outcome = "refused";
  if (act.outcome == plan::Outcome::kMayHaveHappened) outcome = "may have happened";
  return act.text.empty() ? std::string(outcome) : fmt::format("{} ({})", outcome, act.text);
}

std::string text_of(const api::ClusterStatus& status) {
  std::string text(api::name_of(status.phase));
  for (const auto& c : status.conditions)
    text += fmt::format("\n    {}={} {}: {}", api::name_of(c.type), api::name_of(c.status),
                        c.reason, c.message);
  return text;
}

}  // namespace

const api::Condition* is_true(const api::ClusterStatus& status, api::ConditionType type) {
  const auto* found = api::find_condition(status, type);
  return found != nullptr && found->status == api::Truth::kTrue ? found : nullptr;
}

Course::Course(const Schedule& schedule, Say say)
    : schedule_(schedule), say_(std::move(say)), dice_(schedule.seed), wanted_(schedule.wanted) {
  result_.seed = schedule.seed;
}

void Course::note(const std::string& line) {
  const auto at = (world().now() - Settings{}.start).count();
  std::string text = fmt::format("{:>9}.{:03} {}", at / 1000, at % 1000, line);
  result_.digest =
      model::hash128(fmt::format("{:016x}{:016x}{}", result_.digest.hi, result_.digest.lo, text));
  if (say_) say_(text);
  tail_.push_back(std::move(text));
  if (tail_.size() > kTail) tail_.pop_front();
}

void Course::fail(const std::string& why) {
  if (failed() || why.empty()) return;
  note("FAILED: " + why);
  result_.failure = why;
}

Allowed Course::allowed() const {
  Allowed out;
  out.outage = wanted_.hibernate || wanted_.stopped || wanted_.deleted;
  out.delete_data = wanted_.deleted && wanted_.delete_data;
  out.approved = approved_;
  return out;
}

void Course::go_to(base::Instant at) {
  while (!later_.empty() && later_.begin()->first <= std::max(at, world().now())) {
    const auto first = later_.begin();
    if (first->first > world().now()) pass_time(first->first - world().now());
    const auto act = std::move(first->second);
    later_.erase(first);
    act();
    wake();
  }
  if (at > world().now()) pass_time(at - world().now());
}

void Course::wake() {
  look_at_ = std::min(look_at_, world().now() + dice_.about(kWake));
}

void Course::edit() {
  ++wanted_.generation;
  note("user: " + to_text(wanted_));
  wake();
}

void Course::tell(const engine::Report& report) {
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
void Course::hear(const engine::Report& report) {
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

// Everything that stands on the world's machines is well again.
void Course::heal_world() {
  for (auto& [at, act] : std::exchange(later_, {})) act();
  const auto cuts = world().etcd().cuts();
  for (const auto& [from, to] : cuts) world().etcd().heal(from, to, world().now());
  for (std::size_t m = 0; m < world().machines.size(); ++m)
    world().boot_machine(static_cast<int>(m));
  std::vector<Pid> paused;
  for (const Process& p : world().etcd().processes())
    if (p.paused) paused.push_back(p.pid);
  for (const Pid pid : paused) world().etcd().resume(pid, world().now());
  for (auto& [name, place] : world().places) place.volume.disk = Disk::kFine;
  world().faults = Faults{};
}

// What a person does who reads the status. True: something was done.
bool Course::read_status(const api::ClusterStatus& status) {
  using Type = api::ConditionType;
  if (is_true(status, Type::kNeedsApproval) != nullptr && status.operation &&
      (!wanted_.approval || wanted_.approval->operation != status.operation->id)) {
    wanted_.approval =
        plan::Approval{status.operation->id, world().now() + base::Duration{3'600'000}};
    approved_ = true;
    note("user: approves " + status.operation->id);
    approve(status.operation->id);
    return true;
  }
  if (answer(status)) return true;
  const auto* blocked = is_true(status, Type::kUpgradeBlocked);
  if (blocked != nullptr && blocked->reason == "DowngradeRefused") {
    if (const Process* leader = server(world()))
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

std::string Course::words() const {
  return "; the status: " + (last_ ? text_of(last_->plan.status) : "none");
}

void Course::converge() {
  int quiet = 0;
  std::string what;
  base::Instant read{};
  for (int i = 0; i < kPassesToConverge && !failed(); ++i) {
    go_to(look_at_);
    operate();
    judge();
    if (!last_ || failed()) continue;
    what = missing(world(), {wanted_.size, *api::parse_version(wanted_.version)});
    const bool still = what.empty() && last_->plan.steps.empty();
    quiet = still ? quiet + 1 : 0;
    if (quiet < kQuiet) {
      if (world().now() - read > base::Duration{60'000} && read_status(last_->plan.status))
        read = world().now();
      continue;
    }
    if (is_true(last_->plan.status, api::ConditionType::kAvailable) == nullptr) {
      what = "it serves, and the status does not say so";
      continue;
    }
    fail(oracles_.nothing_lost(world()));
    note("converged");
    converged();
    return;
  }
  // Nobody can be healed who has no sound data; then a person is asked, as long as it takes.
  if (!failed() && last_ && oracles_.sound(world()).up == 0 &&
      is_true(last_->plan.status, api::ConditionType::kNeedsApproval) != nullptr) {
    note("a person is asked, and there is no sound data");
    return;
  }
  if (!failed()) fail("it did not converge: " + what + words() + scene());
}

void Course::step() {
  auto next = std::ranges::min_element(due_, {}, [](const auto& d) { return d.second; });
  const bool pass = next == due_.end() || look_at_ <= next->second;
  go_to(pass ? look_at_ : next->second);
  ++result_.steps;
  if (pass) {
    operate();
  } else {
    const auto info = std::ranges::find(works(), next->first, &WorkInfo::work);
    next->second = world().now() + dice_.about(info->mean);
    if (work(info->work)) {
      result_.faults += info->fault ? 1 : 0;
      count(info->name);
    }
  }
  judge();
}

Result Course::run() {
  note(to_text(schedule_));
  look_at_ = world().now();
  for (const WorkInfo& info : works())
    if (schedule_.on.contains(info.work)) due_[info.work] = world().now() + dice_.about(info.mean);
  while (!failed() && result_.steps < schedule_.steps) step();
  if (!failed()) {
    heal();
    converge();
  }
  result_.simulated = world().now() - Settings{}.start;
  result_.writes = oracles_.writes();
  result_.recoveries = oracles_.recoveries();
  result_.lost = oracles_.lost();
  result_.trace = {tail_.begin(), tail_.end()};
  return std::move(result_);
}

}  // namespace sim
