// One job at a time and cluster, each with an epoch of its own: stored before it is started, seen
// to end, and run again where nothing is known of its end. What is due is counted from the last
// success; a failure is tried again soon, and holds up nothing else.
#include "plan/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/annotations.h"
#include "base/mutants.h"
#include "base/text.h"
#include "plan/drill.h"
#include "plan/members.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kSpread = 30s;  // at most, of first backups across a fleet
constexpr base::Duration kRetryFirst = 2s, kRetryLongest = 10min;
constexpr base::Duration kRequestLives = 1h;
constexpr base::Duration kUpgradeWaits = 15min;
constexpr base::Duration kSkew = 1min;  // between the clocks of two machines
constexpr base::Duration kLookLeast = 200ms, kLookMost = 2s;

// Clusters that are made together do not all begin at once, and each always at its own time.
base::Duration jitter(const base::ClusterKey& key, base::Duration interval) {
  const auto part = std::min(kSpread, interval / 10).count();
  return base::Duration(part <= 0 ? 0 : base::crc32c(key.text()) % static_cast<unsigned>(part));
}

base::Duration retry_after(const BackupRecord& b, base::Duration interval) {
  const auto shift = std::clamp(b.failures - 1, 0, 12);
  return std::min({kRetryFirst * (1 << shift), kRetryLongest, std::max(interval, kRetryFirst)});
}

base::Instant first_wanted(const Record& record, base::Instant now) {
  const base::Instant since = record.backup.since;
  // By a clock that was ahead: the cluster was there when it was wanted.
  return record.bootstrapped_at > now ? since : std::max(since, record.bootstrapped_at);
}

base::Instant due_at(const Context& c, const api::Backup& wish) {
  const BackupRecord& b = c.record.backup;
  if (b.failures > 0) return b.failed_at + retry_after(b, wish.interval);
  if (b.requested_at) return *b.requested_at;
  if (b.last_success) return *b.last_success + wish.interval;
  return first_wanted(c.record, c.now) + jitter(c.record.key, wish.interval);
}

// How long a backup that is due waits for the end of a drill.
base::Duration drill_may_take(const api::Backup& wish) {
  return std::max<base::Duration>(wish.interval / 4, 10s);
}

Answer later(base::Duration look_again) {
  Answer answer = Answer::noted();
  answer.look_again = std::max(look_again, kLookLeast);
  answer.sooner = true;
  return answer;
}

void fail(Context& c, const std::string& error) {
  BackupRecord& b = c.record.backup;
  if (b.failures == 0 || b.error != error)
    warn(c, Reason::kBackupFailed, fmt::format("no backup was taken: {}", error));
  b.failures = std::min(b.failures + 1, 1'000'000);
  b.failed_at = c.now;
  b.error = error;
  if (!b.requested_at || c.now - *b.requested_at < kRequestLives || !b.upgrade.empty() ||
      b.replaces)
    return;
  b.requested_at.reset();
  warn(c, Reason::kBackupFailed,
       "the backup that a person asked for an hour ago was not taken; ask again");
}

void succeed(Context& c, const JobReport& report) {
  BackupRecord& b = c.record.backup;
  // A job that found another's result tells when that was taken.
  const bool found = report.end == JobEnd::kNotDue && report.time;
  if (found && *report.time > c.now + kSkew)
    return fail(c, fmt::format("{} is of {}, which is still to come: the clock was wrong, then or "
                               "now",
                               report.location, base::to_rfc3339(*report.time)));
  b.last_success = found ? std::min(*report.time, c.now) : b.started_at;
  b.failures = 0;
  b.error.clear();
  if (!report.name.empty()) {
    b.name = report.name;
    b.location = report.location;
    b.revision = report.revision;
    b.taken = std::max(b.taken, report.time.value_or(b.started_at));
  }
  if (report.end == JobEnd::kUploaded)
    tell(c, Reason::kBackupTaken,
         fmt::format("a backup of revision {} was taken: {}", report.revision, report.location));
  if (!report.warning.empty()) warn(c, Reason::kBackupTaken, report.warning);
  if (!b.requested_at || *b.last_success < *b.requested_at) return;
  b.replaces = false;
  if (report.end != JobEnd::kUploaded)
    tell(c, Reason::kBackupTaken,
         fmt::format("the backup of revision {} is still all there is to back up: {}", b.revision,
                     b.location));
  b.requested_at.reset();
}

// What is known of the past is of another store or incarnation.
void begin_anew(Context& c, std::string of) {
  BackupRecord fresh;
  BackupRecord& b = c.record.backup;
  fresh.epoch = b.epoch;
  fresh.running = b.running;
  fresh.started_at = b.started_at;
  fresh.job_of = b.job_of;
  fresh.request = b.request;
  if (!b.replaces) fresh.requested_at = b.requested_at;
  fresh.upgrade = b.upgrade;
  fresh.upgrade_since = b.upgrade_since;
  fresh.of = std::move(of);
  fresh.since = c.now;
  b = std::move(fresh);
}

std::string of(const Record& record, const api::Backup& wish) {
  return fmt::format("{} {}", wish.destination ? place_of(*wish.destination) : "default",
                     record.incarnation);
}

void take_up_request(Context& c) {
  BackupRecord& b = c.record.backup;
  if (c.intent.backup_now.empty() || c.intent.backup_now == b.request) return;
  b.request = c.intent.backup_now;
  b.requested_at = c.now;
  b.replaces = false;
  b.failures = 0;
  tell(c, Reason::kBackupRequested, "a person asks for a backup");
}

std::string why_not_now(const Context& c) {
  if (c.record.recovery) return "the cluster is being recovered";
  if (!c.record.open_to_clients) return "the cluster is not open to clients yet";
  return c.view.quorum ? "" : "no quorum serves";
}

api::Condition healthy(api::Truth truth, std::string_view reason, std::string message) {
  return {api::ConditionType::kBackupHealthy, truth, std::string(reason), std::move(message), {}};
}

api::Condition healthy(api::Truth truth, Reason reason, std::string message) {
  return healthy(truth, name_of(reason), std::move(message));
}

std::string where_it_lies(api::Platform platform) {
  return fmt::format(
      "; it lies {} of its cluster and is lost with it: set "
      "spec.backup.storageSource",
      platform == api::Platform::kKubernetes ? "on a volume in the namespace" : "on the machine");
}

}  // namespace

std::string place_of(const api::ObjectLocation& at) {
  return fmt::format("{}:{}{}{}", at.kind, at.path, at.endpoint.empty() ? "" : " at ", at.endpoint);
}

bool takes_backups(const Intent& intent, const Observation& seen) {
  return intent.cluster.spec.backup && !seen.backup_job.is_absent();
}

Answer settle_backup(Context& c) {
  BackupRecord& b = c.record.backup;
  if (!c.seen.backup_job.known()) return Answer::nothing();
  const StoreJob& job = *c.seen.backup_job;
  // Of a record that was lost or put back: the platform knows a later one.
  const bool later = job.epoch > b.epoch;
  if (later) {
    b.epoch = job.epoch;
    b.running = true;
    b.started_at = c.now;
    b.job_of = b.of;
  }
  if (!b.running) return Answer::nothing();
  if (job.running) return later ? Answer::noted() : Answer::nothing();
  b.running = false;
  // Its end says nothing of the store, or of the incarnation, that counts now.
  if (b.job_of != b.of) return Answer::noted();
  const bool ours = job.epoch == b.epoch && job.report;
  if (ours && (job.report->end != JobEnd::kFailed || mutant(base::Mutant::kFailedIsDone))) {
    succeed(c, *job.report);
  } else if (ours) {
    fail(c, job.report->error.empty() ? "the job gave no cause" : job.report->error);
  } else if (failures_of(c.seen, "StartBackup") > 0) {
    if (c.seen.last->text != kNoSlot) fail(c, c.seen.last->text);
  } else {
    fail(c, "its job ended without a word; whether it was done is not known");
  }
  return Answer::noted();
}

Answer back_up(Context& c) {
  if (!takes_backups(c.intent, c.seen) || c.record.formation != Formation::kLatched ||
      (c.intent.wish == Wish::kDeleted && !api::is_protected(c.intent.cluster)))
    return Answer::nothing();
  const api::Backup& wish = *c.intent.cluster.spec.backup;
  BackupRecord& b = c.record.backup;
  if (std::string now = of(c.record, wish); b.of != now) begin_anew(c, std::move(now));
  take_up_request(c);
  if (b.running || (c.seen.backup_job.known() && c.seen.backup_job->running))
    return later(std::clamp(base::Duration(c.now - b.started_at) / 4, kLookLeast, kLookMost));
  if (!c.seen.backup_job.known() || !why_not_now(c).empty()) return Answer::noted();
  if (!wish.enabled && !b.requested_at) return Answer::noted();
  const base::Instant due = due_at(c, wish);
  if (c.now < due) return later(due - c.now);
  const bool waited_for = b.requested_at && !b.replaces;  // a person, or an upgrade
  if (c.seen.no_slot && !waited_for) return later(kLookMost);
  // Of a loss that was none: what it brings does not count, and it has a deadline of its own.
  if (c.seen.fetch_job.known() && c.seen.fetch_job->running) return later(kLookMost);
  if (c.seen.drill_job.known() && c.seen.drill_job->running) {
    if (!waited_for && waits_for_drill(c, due + drill_may_take(wish))) return later(kLookMost);
    end_drill(c, /*by_schedule=*/!waited_for);
  }
  b.epoch += 1;
  b.running = true;
  b.started_at = c.now;
  b.job_of = b.of;
  Answer answer = Answer::act(waited_for ? Reason::kBackupRequested : Reason::kBackupDue,
                              StartBackup{b.epoch}, fmt::format("backup {} is taken", b.epoch));
  answer.look_again = kLookLeast;
  return answer;
}

std::optional<Answer> backup_before(Context& c, const api::Version& to) {
  if (!takes_backups(c.intent, c.seen) || !c.intent.cluster.spec.backup->enabled)
    return std::nullopt;
  BackupRecord& b = c.record.backup;
  const std::string version = to.text();
  if (b.upgrade != version) {
    b.upgrade = version;
    b.upgrade_since = c.now;
    b.requested_at = c.now;
    b.replaces = false;
    b.failures = 0;
  }
  const bool done = b.last_success && *b.last_success >= b.upgrade_since;
  const std::string id = "without-backup-" + version;
  if (done || is_approved(c.intent, id, c.now)) {
    if (!done)
      warn(c, Reason::kNoBackupBeforeUpgrade, "the upgrade goes on without a backup, as approved");
    b.upgrade.clear();
    if (!done) b.requested_at.reset();
    return std::nullopt;
  }
  const std::string why = b.error.empty() ? "" : ": " + b.error;
  if (c.now - b.upgrade_since < kUpgradeWaits)
    return Answer::note(Reason::kBackupBeforeUpgrade,
                        fmt::format("the step to etcd {} waits for a backup{}", version, why));
  return Answer::note(
      Reason::kBackupFailed,
      fmt::format("the step to etcd {} waits for a backup, and there is none since {}{}. Mend the "
                  "store, or go on without one by {}",
                  version, base::to_rfc3339(b.upgrade_since), why, approve_command(c, id)));
}

std::optional<api::Condition> judge_backups(const BackupWords& of) {
  using enum api::Truth;
  if (!takes_backups(of.intent, of.seen) || of.record.formation != Formation::kLatched)
    return std::nullopt;
  const api::Backup& wish = *of.intent.cluster.spec.backup;
  const BackupRecord& b = of.record.backup;
  const std::string last = b.last_success
                               ? fmt::format("the last backup is of {}, revision {}",
                                             base::to_rfc3339(*b.last_success), b.revision)
                               : std::string("there is none yet");
  if (!wish.enabled)
    return healthy(kUnknown, Reason::kBackupSuspended,
                   "no backups are taken, as spec.backup.enabled says; " + last);
  if (of.rests)
    return healthy(kUnknown, Reason::kBackupSuspended, "every member is stopped; " + last);
  const std::string error = b.failures > 0 ? "; the last try failed: " + b.error : "";
  if (of.now - b.last_success.value_or(first_wanted(of.record, of.now)) > 2 * wish.interval)
    return healthy(kFalse, Reason::kBackupOverdue,
                   fmt::format("no backup for two intervals of {}: {}{}",
                               base::to_text(wish.interval), last, error));
  if (!b.last_success && b.failures > 0) return healthy(kFalse, Reason::kBackupFailed, b.error);
  if (!b.last_success) return healthy(kUnknown, Reason::kBackupDue, "the first backup is due soon");
  const bool here = !wish.destination || wish.destination->kind == "pvc";
  return healthy(kTrue, here ? name_of(Reason::kSameFailureDomain) : "AsWanted",
                 last + error + (here ? where_it_lies(of.intent.platform) : ""));
}

std::optional<api::LastBackup> last_backup(const Record& record) {
  const BackupRecord& b = record.backup;
  if (!b.last_success) return std::nullopt;
  const bool proven = !b.name.empty() && record.drill.of == b.of && record.drill.name == b.name;
  return api::LastBackup{b.last_success, b.revision, b.location, proven};
}

}  // namespace plan
