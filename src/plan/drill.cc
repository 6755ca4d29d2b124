// The newest backup is made a cluster of, apart from the living one, so that it is known that it
// can be. A drill gives way to backups, is never in the way of a step that disrupts, and what it
// finds damaged is replaced by a new backup at once.
#include "plan/drill.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/mutants.h"
#include "base/text.h"
#include "plan/concern.h"
#include "plan/members.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kDaily = 24h;
constexpr base::Duration kRetryFirst = 10s, kRetryLongest = 1h;
constexpr int kEndedMost = 2;               // for backups, in a row
constexpr base::Duration kLongest = 45min;  // its own deadline is half an hour
constexpr base::Duration kLookLeast = 200ms, kLookMost = 2s;

base::Duration interval_of(const api::Backup& wish) {
  return wish.verify_interval.value_or(kDaily);
}

base::Duration retry_after(const DrillRecord& d, const api::Backup& wish) {
  const auto shift = std::clamp(d.failures - 1, 0, 12);
  return std::min({kRetryFirst * (1 << shift), kRetryLongest, interval_of(wish)});
}

bool drills(const Intent& intent, const Observation& seen) {
  return takes_backups(intent, seen) && !seen.drill_job.is_absent();
}

base::Instant due_at(const Context& c, const api::Backup& wish) {
  const DrillRecord& d = c.record.drill;
  const BackupRecord& b = c.record.backup;
  if (d.failures == 0) return d.proven_at ? *d.proven_at + interval_of(wish) : c.now;
  if (!d.bad) return d.failed_at + retry_after(d, wish);
  // What takes its place is proven soon; without it there is nothing new to be found out.
  if (b.last_success && *b.last_success >= d.failed_at)
    return d.failures == 1 ? c.now : d.failed_at + retry_after(d, wish);
  return d.failed_at + interval_of(wish);
}

Answer later(base::Duration look_again) {
  Answer answer = Answer::noted();
  answer.look_again = std::max(look_again, kLookLeast);
  answer.sooner = true;
  return answer;
}

void fail(Context& c, const std::string& error, bool bad) {
  DrillRecord& d = c.record.drill;
  if (d.failures == 0 || d.error != error || d.bad != bad)
    warn(c, bad ? Reason::kBackupDamaged : Reason::kDrillFailed,
         bad ? fmt::format("a backup is damaged: {}. A new one is taken", error)
             : fmt::format("no backup could be proven: {}", error));
  d.failures = std::min(d.failures + 1, 1'000'000);
  d.failed_at = c.now;
  d.bad = bad;
  d.error = error;
}

void ask_for_another(Context& c) {
  BackupRecord& b = c.record.backup;
  const auto& wish = c.intent.cluster.spec.backup;
  if (!wish || !wish->enabled || b.requested_at) return;
  b.requested_at = c.now;
  b.replaces = true;
  b.failures = 0;
}

void proven(Context& c, const JobReport& report) {
  DrillRecord& d = c.record.drill;
  d.proven_at = std::min(report.time.value_or(c.now), c.now);
  d.failures = 0;
  d.bad = false;
  d.error.clear();
  d.name = report.name;
  d.location = report.location;
  d.revision = report.revision;
  d.keys = report.keys;
  tell(c, Reason::kBackupProven,
       fmt::format("a cluster was made of the backup of revision {}, and its {} keys are what they "
                   "should be: {}",
                   d.revision, d.keys, d.location));
  if (!report.warning.empty()) warn(c, Reason::kBackupProven, report.warning);
}

void take_in(Context& c, const JobReport& report) {
  c.record.drill.ended = 0;
  switch (report.end) {
    case JobEnd::kProven:
      return proven(c, report);
    case JobEnd::kBad:
      fail(c,
           fmt::format("{}: {}", report.location.empty() ? report.name : report.location,
                       report.error),
           /*bad=*/true);
      return ask_for_another(c);
    case JobEnd::kEmpty:
      fail(c, "its store holds none", /*bad=*/true);
      return ask_for_another(c);
    case JobEnd::kUploaded:
    case JobEnd::kUnchanged:
    case JobEnd::kNotDue:
    case JobEnd::kFetched:
    case JobEnd::kFailed:
      break;
  }
  fail(c, report.error.empty() ? "the job gave no cause" : report.error, /*bad=*/false);
}

api::Condition proof(api::Truth truth, std::string_view reason, std::string message) {
  return {api::ConditionType::kBackupProven, truth, std::string(reason), std::move(message), {}};
}

}  // namespace

bool waits_for_drill(const Context& c, base::Instant limit) {
  const DrillRecord& d = c.record.drill;
  return c.now < limit || (d.running && d.ended >= kEndedMost && c.now < d.started_at + kLongest);
}

void end_drill(Context& c, bool by_schedule) {
  DrillRecord& d = c.record.drill;
  if (d.running && by_schedule) {
    if (d.ended < kEndedMost) {
      ++d.ended;
      tell(c, Reason::kDrillDue,
           fmt::format("drill {} is ended for a backup that is due; another follows", d.epoch));
    } else {
      fail(c, fmt::format("it did not end in {}", base::to_text(kLongest)), /*bad=*/false);
    }
  }
  d.running = false;
}

Answer settle_drill(Context& c) {
  DrillRecord& d = c.record.drill;
  if (!c.seen.drill_job.known()) return Answer::nothing();
  const StoreJob& job = *c.seen.drill_job;
  const bool later = job.epoch > d.epoch;  // as of backups
  if (later) {
    d.epoch = job.epoch;
    d.running = true;
    d.started_at = c.now;
    d.job_of = c.record.backup.of;
  }
  if (!d.running) return Answer::nothing();
  if (job.running) return later ? Answer::noted() : Answer::nothing();
  d.running = false;
  if (d.job_of != c.record.backup.of || d.of != d.job_of) return Answer::noted();
  if (job.epoch == d.epoch && job.report) {
    take_in(c, *job.report);
  } else if (failures_of(c.seen, "StartDrill") > 0) {
    if (c.seen.last->text != kNoSlot) fail(c, c.seen.last->text, /*bad=*/false);
  } else {
    fail(c, "its job ended without a word", /*bad=*/false);
  }
  return Answer::noted();
}

Answer prove_backup(Context& c) {
  const BackupRecord& b = c.record.backup;
  if (!drills(c.intent, c.seen) || c.record.formation != Formation::kLatched ||
      c.intent.wish == Wish::kDeleted)
    return Answer::nothing();
  const api::Backup& wish = *c.intent.cluster.spec.backup;
  DrillRecord& d = c.record.drill;
  if (d.of != b.of) {
    DrillRecord fresh;
    fresh.epoch = d.epoch;
    fresh.running = d.running;
    fresh.started_at = d.started_at;
    fresh.job_of = d.job_of;
    fresh.of = b.of;
    d = std::move(fresh);
  }
  if (d.since == base::Instant{} && !b.name.empty()) d.since = c.now;
  if (d.running || (c.seen.drill_job.known() && c.seen.drill_job->running))
    return later(std::clamp(base::Duration(c.now - d.started_at) / 4, kLookLeast, kLookMost));
  // There must be one, and no other job of this cluster.
  const bool alone = mutant(base::Mutant::kTwoJobsAtOnce) ||
                     (!b.running && c.seen.backup_job.known() && !c.seen.backup_job->running);
  const bool looks = c.seen.fetch_job.known() && c.seen.fetch_job->running;
  if (!wish.enabled || b.name.empty() || !alone || looks || !c.seen.drill_job.known())
    return Answer::noted();
  if (c.record.recovery || !c.record.open_to_clients) return Answer::noted();
  const base::Instant due = due_at(c, wish);
  if (c.now < due) return later(due - c.now);
  // What is under way has the machine for itself, for an interval.
  if (c.record.operation && c.now < due + interval_of(wish)) return later(kLookMost);
  if (c.seen.no_slot) return later(kLookMost);
  d.epoch += 1;
  d.running = true;
  d.started_at = c.now;
  d.job_of = b.of;
  Answer answer =
      Answer::act(Reason::kDrillDue, StartDrill{d.epoch},
                  fmt::format("the newest backup is restored for proof (drill {})", d.epoch));
  answer.look_again = kLookLeast;
  return answer;
}

std::optional<api::Condition> judge_proof(const BackupWords& of) {
  using enum api::Truth;
  if (!drills(of.intent, of.seen) || of.record.formation != Formation::kLatched)
    return std::nullopt;
  const api::Backup& wish = *of.intent.cluster.spec.backup;
  const DrillRecord& d = of.record.drill;
  std::string last = d.proven_at
                         ? fmt::format("{} was proven at {}: {} keys at revision {}", d.location,
                                       base::to_rfc3339(*d.proven_at), d.keys, d.revision)
                         : std::string("none was proven yet");
  if (d.ended > 0)
    last += d.ended == 1 ? "; a drill was ended for a backup that was due"
                         : fmt::format("; {} drills were ended for backups that were due", d.ended);
  if (!wish.enabled || of.rests)
    return proof(kUnknown, name_of(Reason::kBackupSuspended), "nothing is proven now; " + last);
  if (d.failures > 0 && d.bad)
    return proof(kFalse, name_of(Reason::kBackupDamaged),
                 fmt::format("{}. A new backup is taken and proven; {}", d.error, last));
  if (d.failures > 0)
    return proof(kFalse, name_of(Reason::kDrillFailed),
                 fmt::format("the last drill failed: {}. It is tried again; {}", d.error, last));
  const bool waited = d.proven_at || d.since != base::Instant{};
  if (waited && of.now - d.proven_at.value_or(d.since) > 2 * interval_of(wish))
    return proof(kFalse, name_of(Reason::kDrillOverdue),
                 fmt::format("no backup was proven for two intervals of {}: {}",
                             base::to_text(interval_of(wish)), last));
  if (!d.proven_at)
    return proof(kUnknown, name_of(Reason::kDrillDue),
                 "the first drill follows the first backup" + (d.ended > 0 ? ": " + last : ""));
  return proof(kTrue, "AsWanted", last);
}

}  // namespace plan
