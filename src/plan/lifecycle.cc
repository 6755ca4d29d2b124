// The ends and rests of a cluster: deletion, pause, stop, hibernation and waking.
//
// Operation steps: kDelete "stop members", "put away"; kHibernate "stop members"; kWake "start
// members".
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/annotations.h"
#include "base/mutants.h"
#include "plan/concern.h"
#include "plan/members.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kStopDeadline = 5min;
constexpr base::Duration kWakeDeadline = 10min;
constexpr base::Duration kGateLook = 10s;

// What rests on purpose is neither lost nor late.
void forget_outage(Record& record) {
  record.quorum_lost_since.reset();
  for (auto& [name, member] : record.members) member.unreachable_since.reset();
}

void forbid_starts(Record& record) {
  for (auto& [name, member] : record.members) member.may_start = false;
}

// The members whose start had been allowed before everything was stopped. One that was never
// started may not even be prepared: it is allowed by the concern that forms or adds it.
void allow_starts(Record& record) {
  for (auto& [name, member] : record.members) {
    const bool joins = member.phase == Phase::kForming || member.phase == Phase::kLearner;
    const bool began = member.started_at != base::Instant{};
    if (member.phase == Phase::kVoter || (joins && began)) member.may_start = true;
  }
}

void halt_if_late(Context& c) {
  Operation& op = *c.record.operation;
  if (op.halted || c.now < op.deadline) return;
  op.halted = true;
  warn(c, Reason::kOperationTimedOut,
       fmt::format("'{}' is not done by its deadline; it is still tried", op.step));
}

std::string names_of(const std::vector<Step>& steps) {
  std::string out;
  for (const Step& step : steps) {
    if (!out.empty()) out += ", ";
    out += std::get<StopMember>(step.action).member;
  }
  return out;
}

// Stops what runs; no value: every member is proven stopped.
std::optional<Answer> stop_everything(Context& c, Reason why, std::string_view what) {
  forbid_starts(c.record);
  forget_outage(c.record);
  std::vector<Step> steps = stop_all(c.view, why);
  if (steps.empty()) return std::nullopt;
  halt_if_late(c);
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = why;
  answer.message =
      fmt::format("{}: stopping {}{}", what, names_of(steps), why_not_done(c.seen, "StopMember"));
  answer.steps = std::move(steps);
  // A stop that fails again and again is not repeated at once.
  answer.look_again = failures_of(c.seen, "StopMember") > 0 ? base::Duration(5s) : 500ms;
  return answer;
}

// A record that was lost with its file leaves members that run, and the wish is to have none.
std::optional<Answer> stop_strays(Context& c) {
  if (!c.seen.stray_processes.known() || c.seen.stray_processes->empty()) return std::nullopt;
  halt_if_late(c);
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kDeleteStop;
  for (const std::string& name : *c.seen.stray_processes)
    answer.steps.push_back({StopMember{name}, Reason::kDeleteStop});
  answer.message = fmt::format("deletion: stopping {}, which no record explains{}",
                               names_of(answer.steps), why_not_done(c.seen, "StopMember"));
  answer.look_again = failures_of(c.seen, "StopMember") > 0 ? base::Duration(5s) : 500ms;
  return answer;
}

Answer rest(Context& c, Reason why, std::string_view what) {
  const bool was = c.record.hibernated;
  begin(c, OperationKind::kHibernate, why, "", kStopDeadline).step = "stop members";
  c.record.hibernated = true;
  if (!was) tell(c, why, fmt::format("{}: every member stops; the data is kept", what));
  if (auto answer = stop_everything(c, why, what)) return *std::move(answer);
  c.record.operation.reset();
  return Answer::stop(why, fmt::format("{}: no member runs; the data is kept", what), kGateLook);
}

// To stop a member whose claim is being deleted is to lose its data.
std::optional<Answer> save_volumes(const Context& c) {
  if (c.record.hibernated) return std::nullopt;
  const Seat* ending = find_volume_end(c.view);
  if (ending == nullptr) return std::nullopt;
  return Answer::note(Reason::kMemberVolumeGoing,
                      fmt::format("hibernation waits until another member has taken the place of "
                                  "{}: {}",
                                  ending->name(), meaning_of(Reason::kMemberVolumeGoing)));
}

Answer wake(Context& c) {
  if (running(c.record, OperationKind::kDelete))
    c.record.restore.again = c.intent.cluster.spec.restore.has_value();
  c.record.hibernated = false;
  forget_outage(c.record);
  if (!c.record.recovery) allow_starts(c.record);
  c.record.operation.reset();
  begin(c, OperationKind::kWake, Reason::kHibernateWake, "", kWakeDeadline).step = "start members";
  tell(c, Reason::kHibernateWake, "the members start again with their data");
  return Answer::note(Reason::kHibernateWake, "the members start again with their data");
}

Answer waking(Context& c) {
  const bool whole = c.view.quorum && c.view.healthy_voters == c.view.voters;
  if (whole || c.record.members.empty()) {
    c.record.operation.reset();
    return Answer::note(Reason::kHibernateWake, "awake");
  }
  halt_if_late(c);
  return Answer::note(Reason::kHibernateWake, "members are starting");
}

}  // namespace

Answer delete_cluster(Context& c) {
  const bool gone = c.intent.wish == Wish::kStale && mutant(base::Mutant::kUnreadableMeansDeleted);
  if (c.intent.wish != Wish::kDeleted && !gone) return Answer::nothing();
  if (api::is_protected(c.intent.cluster)) {
    return Answer::note(Reason::kDeletionProtected,
                        fmt::format("the cluster was deleted but is protected: it goes on; remove "
                                    "the annotation {} to let it go",
                                    api::kProtectAnnotation));
  }
  const bool keep = c.intent.cluster.spec.when_deleted == api::ClaimPolicy::kRetain &&
                    !mutant(base::Mutant::kRetainMeansDelete);
  if (!running(c.record, OperationKind::kDelete)) {
    c.record.operation.reset();
    tell(c, Reason::kDeleteStop,
         fmt::format("the cluster is deleted: its members stop and its data is {}",
                     keep ? "kept" : "removed"));
    begin(c, OperationKind::kDelete, Reason::kDeleteStop, "", kStopDeadline).step = "stop members";
  }
  if (auto answer = stop_everything(c, Reason::kDeleteStop, "deletion")) return *std::move(answer);
  if (auto answer = stop_strays(c)) return *std::move(answer);
  if (c.record.operation->step == "put away" && just_done(c, "DeleteCluster") && !keep) {
    // The same name begins anew: only what must never be used again is remembered.
    Record fresh;
    fresh.key = c.record.key;
    give_up_token(c.record);
    fresh.old_tokens = c.record.old_tokens;
    fresh.next_ordinal = c.record.next_ordinal;
    fresh.operation = c.record.operation;
    c.record = fresh;
  }
  if (c.record.operation->step == "put away" && just_done(c, "DeleteCluster"))
    return Answer::stop(Reason::kDeleteDone, "the cluster is deleted", kGateLook);
  if (c.record.operation->step != "put away") {
    c.record.operation->step = "put away";
    tell(c, Reason::kDeleteDone,
         keep ? "no member runs; the data is kept" : "no member runs; the data is removed");
  }
  return Answer::act(Reason::kDeleteDone, DeleteCluster{!keep},
                     (keep ? "deleted; the data is kept" : "deleted with its data") +
                         why_not_done(c.seen, "DeleteCluster"));
}

Answer stop_or_pause(Context& c) {
  const api::ClusterSpec& spec = c.intent.cluster.spec;
  if (spec.paused || c.intent.paused) {
    forget_outage(c.record);
    return Answer::stop(Reason::kPaused,
                        fmt::format("paused by {}: nothing is changed and nothing is repaired",
                                    spec.paused ? "spec.paused" : "command"),
                        kGateLook);
  }
  if (c.intent.stop) return rest(c, Reason::kStoppedByUser, "stopped by command");
  if (spec.hibernate)
    if (auto waits = save_volumes(c)) return *std::move(waits);
  if (spec.hibernate) return rest(c, Reason::kHibernateStop, "hibernation");
  // A deletion that was taken back leaves its members stopped, as hibernation does.
  if (c.record.hibernated || running(c.record, OperationKind::kDelete)) return wake(c);
  if (running(c.record, OperationKind::kWake)) return waking(c);
  return Answer::nothing();
}

}  // namespace plan
