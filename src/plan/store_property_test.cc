// What the planner may do with stores of backups, on random worlds.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "plan/property.h"

namespace plan {
namespace {

using namespace test;

int known_epoch(const base::Fact<StoreJob>& job) {
  return job.known() ? job->epoch : 0;
}
bool runs(const base::Fact<StoreJob>& job) {
  return job.known() && job->running;
}

RC_GTEST_PROP(Stores, OneBackupAtATimeUnderANewEpochAndOnlyOfAClusterThatServes, ()) {
  const auto [w, p] = draw();
  for (const auto& a : steps_of<StartBackup>(p)) {
    RC_ASSERT(!runs(w.seen.fetch_job));
    RC_ASSERT(p.steps.size() == 1U);
    RC_ASSERT(w.seen.backup_job.known());
    RC_ASSERT(!runs(w.seen.backup_job));
    RC_ASSERT(a.epoch > w.record.backup.epoch);
    RC_ASSERT(a.epoch > known_epoch(w.seen.backup_job));
    RC_ASSERT(p.record.backup.epoch == a.epoch && p.record.backup.running);
    RC_ASSERT(w.seen.membership.known() && w.seen.membership->cluster_id == w.record.cluster_id);
    RC_ASSERT(w.record.formation == Formation::kLatched && w.record.open_to_clients);
    RC_ASSERT(!p.record.recovery && w.intent.wish != Wish::kDeleted);
    RC_ASSERT(w.intent.cluster.spec.backup.has_value());
  }
}

// A backup is what matters: a drill begins only where none runs, and only of one that is there.
RC_GTEST_PROP(Stores, OneDrillAtATimeBesideNoBackupAndNeverWithAStepThatDisrupts, ()) {
  for (int i = 0; i < 5; ++i) {  // few worlds come to a drill
    const auto [w, p] = draw();
    for (const auto& a : steps_of<StartDrill>(p)) {
      RC_ASSERT(p.steps.size() == 1U);
      RC_ASSERT(w.seen.drill_job.known() && !runs(w.seen.drill_job));
      RC_ASSERT(w.seen.backup_job.known() && !runs(w.seen.backup_job));
      RC_ASSERT(!p.record.backup.running && !p.record.backup.name.empty());
      RC_ASSERT(a.epoch > w.record.drill.epoch && a.epoch > known_epoch(w.seen.drill_job));
      RC_ASSERT(p.record.drill.epoch == a.epoch && p.record.drill.running);
      RC_ASSERT(w.record.formation == Formation::kLatched && w.record.open_to_clients);
      RC_ASSERT(!p.record.recovery && w.intent.wish != Wish::kDeleted && !w.seen.no_slot);
    }
  }
}

RC_GTEST_PROP(Stores, AProofIsNeverMadeUpAndDamageIsAlwaysTold, ()) {
  const auto [w, p] = draw();
  const auto &before = w.record.drill, &after = p.record.drill;
  const auto& job = w.seen.drill_job;
  if (after.proven_at && after.proven_at != before.proven_at) {
    RC_ASSERT(job.known() && !job->running && job->report && job->report->end == JobEnd::kProven);
    RC_ASSERT(*after.proven_at <= w.now);
  }
  if (const auto* said = api::find_condition(p.status, api::ConditionType::kBackupProven)) {
    RC_ASSERT(said->status != api::Truth::kTrue || after.failures == 0);
    RC_ASSERT(said->status != api::Truth::kTrue || after.proven_at.has_value());
  }
}

// The same world without them: no step waits for a drill.
RC_GTEST_PROP(Stores, DrillsHoldNothingUp, ()) {
  const auto [w, p] = draw();
  Observation without = w.seen;
  without.drill_job = base::Fact<StoreJob>::absent();
  const Plan other = plan(w.intent, w.record, without, w.now);
  for (const auto& step : other.steps) {
    if (std::holds_alternative<StartBackup>(step.action)) continue;
    RC_ASSERT(std::ranges::any_of(
        p.steps, [&](const Step& s) { return to_text(s.action) == to_text(step.action); }));
  }
}

// Two writers of one log are kept apart by their epochs; each start has a higher one than any
// before.
RC_GTEST_PROP(Stores, AFollowerIsStartedOnlyWhereOneIsWantedAndNoneIsAtWorkAsItShould, ()) {
  for (int i = 0; i < 3; ++i) {
    const auto [w, p] = draw();
    const auto& seen = w.seen.follower;
    for (const auto& a : steps_of<StartFollower>(p)) {
      RC_ASSERT(p.steps.size() == 1U);
      RC_ASSERT(seen.known() && (!seen->running || seen->outdated));
      RC_ASSERT(a.epoch > w.record.follow.epoch && a.epoch > seen->epoch);
      RC_ASSERT(p.record.follow.epoch == a.epoch && p.record.follow.running);
      const auto& backup = w.intent.cluster.spec.backup;
      RC_ASSERT(backup && backup->enabled && backup->continuous);
      RC_ASSERT(w.record.formation == Formation::kLatched && w.record.open_to_clients);
      RC_ASSERT(!p.record.recovery && w.intent.wish != Wish::kDeleted);
      RC_ASSERT(!w.intent.stop && !w.intent.cluster.spec.hibernate);
    }
    for ([[maybe_unused]] const auto& a : steps_of<EndFollower>(p)) {
      RC_ASSERT(p.steps.size() == 1U);
      RC_ASSERT(seen.known() && seen->running);
    }
  }
}

RC_GTEST_PROP(Stores, ALagIsNeverMadeUp, ()) {
  const auto [w, p] = draw();
  const auto* said = api::find_condition(p.status, api::ConditionType::kBackupContinuous);
  if (said == nullptr || said->status != api::Truth::kTrue) return;
  const auto& seen = w.seen.follower;
  RC_ASSERT(seen.known() && seen->running && !seen->base.empty());
  RC_ASSERT(seen->lag.known() && *seen->lag <= w.intent.cluster.spec.backup->max_lag);
}

// The same world without one: every step that disrupts is planned, too, unless the follower ends.
RC_GTEST_PROP(Stores, FollowersHoldNothingUp, ()) {
  const auto [w, p] = draw();
  if (!steps_of<EndFollower>(p).empty()) return;
  Observation without = w.seen;
  without.follower = base::Fact<Follower>::absent();
  const Plan other = plan(w.intent, w.record, without, w.now);
  for (const auto& step : other.steps) {
    if (!is_disruptive(step.action)) continue;
    RC_ASSERT(std::ranges::any_of(
        p.steps, [&](const Step& s) { return to_text(s.action) == to_text(step.action); }));
  }
}

RC_GTEST_PROP(Stores, AFetchIsAloneAndUnderANewEpoch, ()) {
  const auto [w, p] = draw();
  for (const auto& a : steps_of<FetchBackup>(p)) {
    RC_ASSERT(p.steps.size() == 1U);
    RC_ASSERT(w.seen.fetch_job.known() && !runs(w.seen.fetch_job));
    RC_ASSERT(!runs(w.seen.backup_job));
    RC_ASSERT(a.epoch > w.record.restore.epoch);
    RC_ASSERT(a.epoch > known_epoch(w.seen.fetch_job));
    RC_ASSERT(!p.record.restore.operation.empty());
  }
}

// S9: what could not be looked at is never taken for an empty store.
RC_GTEST_PROP(Stores, S9NothingBeginsBeforeItIsKnownWhatTheStoreHolds, ()) {
  const auto [w, p] = draw();
  const bool begins =
      w.record.formation == Formation::kNone && p.record.formation == Formation::kForming;
  if (begins && (w.intent.cluster.spec.restore || w.record.restore.after_loss))
    RC_ASSERT(p.record.restore.found != Found::kNothing ||
              (!p.record.restore.after_loss && !w.intent.cluster.spec.restore));
  // What a look has found is what its own job said.
  const RestoreRecord &before = w.record.restore, &after = p.record.restore;
  if (after.found == Found::kNothing || after.found == before.found) return;
  const auto& job = w.seen.fetch_job;
  RC_ASSERT(job.known() && !job->running && job->report);
  RC_ASSERT(job->epoch == after.epoch);
  RC_ASSERT(job->report->end == (after.found == Found::kEmpty ? JobEnd::kEmpty : JobEnd::kFetched));
}

RC_GTEST_PROP(Stores, ASuccessIsNeverMadeUp, ()) {
  const auto [w, p] = draw();
  const auto &before = w.record.backup, &after = p.record.backup;
  if (!after.last_success || after.last_success == before.last_success) return;
  const auto& job = w.seen.backup_job;
  RC_ASSERT(job.known() && job->report && !job->running);
  RC_ASSERT(job->report->end != JobEnd::kFailed);
  RC_ASSERT(*after.last_success <= w.now);
}

// S4, S5: what serves is put aside only with what takes its place at hand and a safety copy of it.
RC_GTEST_PROP(Stores, NothingIsPutAsideForARestoreBeforeItsSafetyCopy, ()) {
  const auto [w, p] = draw();
  const InPlaceRecord &before = w.record.in_place, &after = p.record.in_place;
  if (after.stage == InPlace::kBegin && before.stage != InPlace::kBegin) {
    RC_ASSERT(before.stage == InPlace::kSave && after.request == before.request);
    RC_ASSERT(!after.safety.empty() && p.steps.empty());
    const auto& taken = p.record.backup.last_success;
    RC_ASSERT(taken && *taken >= before.since && !p.record.backup.running);
    RC_ASSERT(p.record.restore.found == Found::kBackup && p.record.restore.after_loss);
    RC_ASSERT(p.record.recovery && p.record.recovery->approved);
  }
  // Asked for once, it is carried out once; it is not begun for what was asked of an older one.
  if (before.request != after.request && after.goes_on()) {
    RC_ASSERT(w.intent.in_place && after.request == w.intent.in_place->request);
    RC_ASSERT(!before.goes_on() && w.intent.in_place->asked_at >= w.record.bootstrapped_at);
    RC_ASSERT(w.intent.wish == Wish::kPresent);
  }
  if (before.request == after.request && !before.goes_on()) RC_ASSERT(!after.goes_on());
}

}  // namespace
}  // namespace plan
