#include "engine/reconciler.h"

#include <algorithm>
#include <utility>

#include "engine/record_codec.h"

namespace engine {
namespace {

constexpr base::Duration kSoonest{20}, kLatest{60'000}, kRepeatLimit{5'000};

std::string without_marks(plan::Record record) {
  record.last_quorum_read = {};
  for (auto& [name, member] : record.members) {
    member.audited_term = member.audited_index = 0;
    member.seen_term = member.seen_index = 0;
  }
  return encode_record(record);
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

}  // namespace

void keep_transitions(const api::ClusterStatus& before, api::ClusterStatus& status) {
  for (auto& condition : status.conditions) {
    const auto* old = api::find_condition(before, condition.type);
    if (old != nullptr && old->status == condition.status && old->last_transition)
      condition.last_transition = old->last_transition;
  }
}

Reconciler::Reconciler(Parts parts, const ReconcilerOptions& options)
    : parts_(std::move(parts)), options_(options) {}

base::Status Reconciler::load() {
  if (loaded_) return {};
  const FaultScope scope(parts_.faults, "load_record");
  TRY_IN("read the record of " + parts_.key.text(), Loaded loaded, parts_.driver.load_record());
  if (loaded.state != plan::RecordState::kOk) loaded.record = {};
  loaded.record.key = parts_.key;
  if (loaded.state == plan::RecordState::kOk) {
    stored_ = encode_record(loaded.record);
    stored_without_marks_ = without_marks(loaded.record);
  }
  loaded_ = std::move(loaded);
  return {};
}

plan::Observation Reconciler::look(const plan::Intent& intent, const std::stop_token& stop) {
  const FaultScope scope(parts_.faults, "observe");
  const Job job{intent, loaded_->record, options_.observe_deadline};
  auto seen = parts_.driver.observe(job, want_hashes_, stop);
  seen.record_state = loaded_->state;
  seen.record_problem = loaded_->problem;
  seen.last = last_act_;
  return seen;
}

plan::Plan Reconciler::think(const plan::Intent& intent, const plan::Observation& seen,
                             base::Instant now) {
  return parts_.planner(intent, loaded_->record, seen, now);
}

base::Status Reconciler::store(const plan::Plan& plan, base::Instant now) {
  // A torn record is evidence: only a person or a rebuild by the driver replaces it.
  if (loaded_->state == plan::RecordState::kTorn) {
    if (plan.steps.empty()) return {};
    return base::fail(base::Code::kFailedPrecondition, "the record is torn: " + loaded_->problem);
  }
  const std::string text = encode_record(plan.record);
  if (text != stored_) {
    const std::string core = without_marks(plan.record);
    const bool due = core != stored_without_marks_ || !plan.steps.empty() ||
                     now - stored_at_ >= options_.store_marks_every || now < stored_at_;
    if (due) {
      const FaultScope scope(parts_.faults, "save_record");
      TRY_OK(parts_.driver.save_record(plan.record));
      stored_ = text;
      stored_without_marks_ = core;
      stored_at_ = now;
      loaded_->state = plan::RecordState::kOk;
      loaded_->problem.clear();
    }
  }
  loaded_->record = plan.record;
  return {};
}

void Reconciler::remember(const plan::Step& step, const ApplyResult& result) {
  const std::string name(plan::name_of(step.action));
  unsigned failures = 0;
  if (result.outcome != plan::Outcome::kDone)
    failures = last_act_ && last_act_->action == name ? last_act_->failures + 1 : 1;
  last_act_ = plan::LastAct{name, result.outcome, result.text, parts_.clock.now(), failures};
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
    report.act = last_act_;
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
    if (!done) return;
  }
}

base::Duration Reconciler::look_again(const Report& report) {
  if (report.plan.steps.empty()) {
    last_steps_.clear();
    return std::clamp(report.plan.requeue_after, kSoonest, kLatest);
  }
  if (last_act_ && last_act_->failures > 0)
    return options_.backoff.wait(last_act_->failures, parts_.random.next());
  // A done step is looked at once more at once; one that is planned again and again slows down.
  const std::string steps = text_of(report.plan.steps);
  repeats_ = steps == last_steps_ ? repeats_ + 1 : 0;
  last_steps_ = steps;
  const base::Backoff slow{kSoonest, kRepeatLimit};
  return std::max(kSoonest, slow.wait(repeats_, parts_.random.next()));
}

void Reconciler::tell(Report& report) {
  auto& status = report.plan.status;
  if (published_) keep_transitions(*published_, status);
  auto quiet = status;  // without what changes in every pass
  quiet.observed_at.reset();
  std::string events = text_of(report.plan.events);
  const bool new_events = !events.empty() && events != last_events_;
  last_events_ = std::move(events);
  if (published_ && *published_ == quiet && !new_events) return;
  const FaultScope scope(parts_.faults, "publish");
  const std::span<const plan::Event> none;
  const auto told = parts_.driver.publish(status, new_events ? report.plan.events : none);
  if (told)
    published_ = std::move(quiet);
  else
    parts_.log.warning("publish_failed",
                       {{"cluster", parts_.key.text()}, {"error", told.error().text()}});
}

void Reconciler::keep(const Report& report) {
  auto shared = std::make_shared<const Report>(report);
  const std::lock_guard lock(mutex_);
  last_ = std::move(shared);
}

base::Result<base::Duration> Reconciler::pass(const plan::Intent& intent,
                                              const std::stop_token& stop) {
  const std::lock_guard lock(pass_mutex_);
  Report report{intent, {}, {}, std::nullopt, {}, parts_.clock.now()};
  base::Status ready = load();
  if (ready) {
    report.seen = look(intent, stop);
    if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "asked to stop");
    report.at = parts_.clock.now();
    report.plan = think(intent, report.seen, report.at);
    ready = store(report.plan, report.at);
    if (!ready) ready = std::unexpected(ready.error().in("store the record"));
  }
  if (!ready) {
    report.problem = ready.error().text();
    report.plan.steps.clear();
    report.plan.events.clear();
    report.plan.status = hindered(report.plan.status, report.problem, report.at);
  } else {
    want_hashes_ = report.plan.want_hashes;
  }
  tell(report);
  keep(report);
  if (!ready) return std::unexpected(ready.error());
  if (!report.plan.steps.empty()) {
    act(report, stop);
    keep(report);
  }
  return look_again(report);
}

base::Result<Report> Reconciler::dry_run(const plan::Intent& intent, const std::stop_token& stop) {
  const std::lock_guard lock(pass_mutex_);
  TRY_OK(load());
  Report report{intent, look(intent, stop), {}, std::nullopt, {}, parts_.clock.now()};
  report.plan = think(intent, report.seen, report.at);
  return report;
}

std::shared_ptr<const Report> Reconciler::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

}  // namespace engine
