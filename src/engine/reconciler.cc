#include "engine/reconciler.h"

#include <algorithm>
#include <utility>

#include "base/mutants.h"

namespace engine {
namespace {

constexpr base::Duration kSoonest{20}, kLatest{60'000}, kRepeatLimit{5'000}, kAskAgain{50};
constexpr size_t kMostUntold = 64;  // events that wait to be published; further ones are dropped

plan::Record without_marks(plan::Record record) {
  record.last_quorum_read = {};
  if (record.recovery) record.recovery->looked_at = {};
  for (auto& [name, member] : record.members) {
    member.audited_term = member.audited_index = 0;
    member.seen_term = member.seen_index = 0;
  }
  return record;
}

std::string text_of(const std::vector<plan::Step>& steps) {
  std::string text;
  for (const auto& step : steps) text += plan::to_text(step.action) + "\n";
  return text;
}

std::string text_of(const std::vector<plan::Event>& events) {
  std::string text;
  for (const auto& e : events) text += std::string(plan::name_of(e.reason)) + e.message + "\n";
  return text;
}

// A pass that could not work: nothing new is claimed, and what stands in the way is said.
api::ClusterStatus hindered(api::ClusterStatus status, const std::string& why, base::Instant now) {
  api::set_condition(
      status, {api::ConditionType::kProgressing, api::Truth::kFalse, "StateNotStored", why, {}},
      now);
  api::set_condition(
      status, {api::ConditionType::kDegraded, api::Truth::kTrue, "StateNotStored", why, {}}, now);
  return status;
}

// The time that was told is `most` behind, or ahead: the clock was set back.
bool is_old(const std::optional<base::Instant>& told, const std::optional<base::Instant>& now,
            base::Duration most) {
  return now && (!told || *now < *told || *now - *told >= most);
}

}  // namespace

void keep_transitions(const api::ClusterStatus& before, api::ClusterStatus& status) {
  for (auto& condition : status.conditions) {
    const auto* old = api::find_condition(before, condition.type);
    if (old != nullptr && old->status == condition.status && old->last_transition)
      condition.last_transition = old->last_transition;
  }
}

Reconciler::Reconciler(Parts parts, const ReconcilerOptions& options, Memory memory)
    : parts_(std::move(parts)), options_(options), memory_(std::move(memory)) {}

Memory Reconciler::memory() const {
  const std::lock_guard lock(pass_mutex_);
  return memory_;
}

base::Status Reconciler::load() {
  const bool torn = memory_.loaded && memory_.loaded->state == plan::RecordState::kTorn;
  if (memory_.loaded && !torn) return {};
  const FaultScope scope(parts_.faults, "load_record");
  TRY_IN("read the record of " + parts_.key.text(), Loaded loaded, parts_.driver.load_record());
  // A person may be about to put it back: that it is gone does not yet mean that there is none.
  if (torn && loaded.state == plan::RecordState::kNone) {
    memory_.loaded->problem = "it was moved away; without one a new operator begins anew";
    return {};
  }
  if (loaded.state != plan::RecordState::kOk) loaded.record = {};
  loaded.record.key = parts_.key;
  memory_.stored = loaded.state == plan::RecordState::kOk
                       ? std::make_shared<const plan::Record>(loaded.record)
                       : nullptr;
  memory_.loaded = std::move(loaded);
  return {};
}

plan::Observation Reconciler::look(const plan::Intent& intent, const std::stop_token& stop) {
  plan::Observation seen;
  const Job job{intent, memory_.loaded->record, options_.observe_deadline};
  {
    const FaultScope scope(parts_.faults, "observe");
    seen = parts_.driver.observe(job, memory_.want_hashes, stop);
  }
  seen.record_state = memory_.loaded->state;
  seen.record_problem = memory_.loaded->problem;
  seen.last = memory_.last_act;
  return seen;
}

base::Status Reconciler::store(const plan::Plan& plan, base::Instant now) {
  // A torn record is evidence: only a person or a rebuild by the driver replaces it.
  if (memory_.loaded->state == plan::RecordState::kTorn) {
    if (plan.steps.empty()) return {};
    return base::fail(base::Code::kFailedPrecondition,
                      "the record is torn: " + memory_.loaded->problem);
  }
  const plan::Record* stored = memory_.stored.get();
  if (stored == nullptr || *stored != plan.record) {
    const bool due = stored == nullptr || !plan.steps.empty() || now < memory_.stored_at ||
                     now - memory_.stored_at >= options_.store_marks_every ||
                     without_marks(*stored) != without_marks(plan.record);
    if (due) {
      const FaultScope scope(parts_.faults, "save_record");
      // If the answer gets lost the store may hold either of the two: no later plan is taken for
      // the stored one before a write has succeeded.
      memory_.stored = nullptr;
      TRY_OK(parts_.driver.save_record(plan.record));
      memory_.stored = std::make_shared<const plan::Record>(plan.record);
      memory_.stored_at = now;
      memory_.loaded->state = plan::RecordState::kOk;
      memory_.loaded->problem.clear();
    }
  }
  memory_.loaded->record = plan.record;
  return {};
}

void Reconciler::remember(const plan::Step& step, const ApplyResult& result) {
  const std::string name(plan::name_of(step.action));
  unsigned failures = 0;
  if (result.outcome != plan::Outcome::kDone)
    failures =
        memory_.last_act && memory_.last_act->action == name ? memory_.last_act->failures + 1 : 1;
  memory_.last_act = plan::LastAct{name,     result.outcome, result.text, parts_.clock.now(),
                                   failures, result.damaged};
}

void Reconciler::act(Report& report, const std::stop_token& stop) {
  const Job job{report.intent, report.plan.record, options_.apply_deadline};
  for (const auto& step : report.plan.steps) {
    if (stop.stop_requested()) return;
    const std::string name(plan::name_of(step.action));
    ApplyResult result;
    {
      const FaultScope scope(parts_.faults, name);
      result = parts_.driver.apply(step, job, stop);
    }
    remember(step, result);
    report.act = memory_.last_act;
    const bool done = result.outcome == plan::Outcome::kDone;
    parts_.log.write(
        done ? base::Level::kInfo : base::Level::kWarning, "step",
        {{"cluster", parts_.key.text()},
         {"action", plan::to_text(step.action)},
         {"reason", std::string(plan::name_of(step.reason))},
         {"outcome", done                                        ? "done"
                     : result.outcome == plan::Outcome::kRefused ? "refused"
                                                                 : "may have happened"},
         {"text", result.text}});
    if (!done && !mutant(base::Mutant::kGoesOnAfterRefusal)) return;
  }
}

base::Duration Reconciler::look_again(const Report& report) {
  if (report.plan.steps.empty()) {
    memory_.last_steps.clear();
    return std::clamp(report.plan.requeue_after, kSoonest, kLatest);
  }
  if (memory_.last_act && memory_.last_act->failures > 0)
    return options_.backoff.wait(memory_.last_act->failures, parts_.random.next());
  // A done step is looked at once more at once; one that is planned again and again slows down.
  const std::string steps = text_of(report.plan.steps);
  memory_.repeats = steps == memory_.last_steps ? memory_.repeats + 1 : 0;
  memory_.last_steps = steps;
  const base::Backoff slow{kSoonest, kRepeatLimit};
  return std::max(kSoonest, slow.wait(memory_.repeats, parts_.random.next()));
}

void Reconciler::tell(Report& report) {
  auto& status = report.plan.status;
  if (memory_.published) keep_transitions(*memory_.published, status);
  auto quiet = status;  // without what changes in every pass
  quiet.observed_at.reset();
  std::string events = text_of(report.plan.events);
  auto& untold = memory_.untold;
  if (events != memory_.last_events)
    for (const auto& event : report.plan.events)
      if (untold.size() < kMostUntold) untold.push_back(event);
  memory_.last_events = std::move(events);
  const bool old = is_old(memory_.published_look, status.observed_at, options_.tell_again_every);
  if (memory_.published && *memory_.published == quiet && untold.empty() && !old) return;
  const FaultScope scope(parts_.faults, "publish");
  if (const auto told = parts_.driver.publish(status, untold); !told) {
    parts_.log.warning("publish_failed",
                       {{"cluster", parts_.key.text()}, {"error", told.error().text()}});
    return;
  }
  memory_.published = std::move(quiet);
  memory_.published_look = status.observed_at;
  untold.clear();
}

void Reconciler::keep(const Report& report) {
  auto shared = std::make_shared<const Report>(report);
  const std::lock_guard lock(mutex_);
  last_ = std::move(shared);
}

// The pass could not do its work: that is said, and kept.
std::unexpected<base::Error> Reconciler::give_up(Report report, base::Error why) {
  report.problem = why.text();
  report.plan.steps.clear();
  report.plan.events.clear();
  report.plan.status = hindered(report.plan.status, report.problem, report.at);
  tell(report);
  keep(report);
  return std::unexpected(std::move(why));
}

base::Result<Report> Reconciler::think(const plan::Intent& intent, const std::stop_token& stop) {
  const std::lock_guard lock(pass_mutex_);
  return think_alone(intent, stop);
}

base::Result<Report> Reconciler::dry_run(const plan::Intent& intent, const std::stop_token& stop) {
  std::unique_lock lock(pass_mutex_, std::defer_lock);
  for (auto left = options_.dry_run_waits; !lock.try_lock_for(std::min(left, kAskAgain));
       left -= kAskAgain) {
    if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
    if (left <= kAskAgain) return base::fail(base::Code::kUnavailable, "a step is in hand");
  }
  return think_alone(intent, stop);
}

base::Result<Report> Reconciler::think_alone(const plan::Intent& intent,
                                             const std::stop_token& stop) {
  TRY_OK(load());
  Report report{intent, look(intent, stop), {}, std::nullopt, {}, parts_.clock.now()};
  if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
  report.plan = parts_.planner(intent, memory_.loaded->record, report.seen, report.at);
  return report;
}

base::Result<base::Duration> Reconciler::carry_out(Report report, const std::stop_token& stop) {
  const std::lock_guard lock(pass_mutex_);
  const bool acts_first = mutant(base::Mutant::kRecordAfterTheAct);
  if (acts_first) act(report, stop);
  const auto stored = store(report.plan, report.at);
  if (!stored && !mutant(base::Mutant::kStaleWriterGoesOn)) {
    // Nobody may take for remembered what was only planned.
    report.plan.record = memory_.loaded->record;
    // Somebody else has stored another one: everything is read and thought anew.
    if (stored.error().code == base::Code::kAborted) memory_.loaded.reset();
    return give_up(std::move(report), stored.error().in("store the record"));
  }
  // What is kept of a deleted cluster is a person's to remove: what the same name finds when it
  // comes again is read then.
  const bool kept = report.plan.record.formation != plan::Formation::kNone;
  if (report.intent.wish == plan::Wish::kDeleted && report.plan.steps.empty() && kept)
    memory_.loaded.reset();
  memory_.want_hashes = report.plan.want_hashes;
  tell(report);
  keep(report);
  if (!report.plan.steps.empty() && !acts_first) {
    act(report, stop);
    keep(report);
  }
  return look_again(report);
}

base::Result<base::Duration> Reconciler::pass(const plan::Intent& intent,
                                              const std::stop_token& stop) {
  auto thought = think(intent, stop);
  if (thought) return carry_out(std::move(*thought), stop);
  if (stop.stop_requested()) return std::unexpected(thought.error());
  const std::lock_guard lock(pass_mutex_);
  return give_up({intent, {}, {}, std::nullopt, {}, parts_.clock.now()}, thought.error());
}

std::shared_ptr<const Report> Reconciler::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace engine
