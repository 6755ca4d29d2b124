// S9: what could not be looked at is never taken for an empty store, and once a formation is
// latched no store is looked into again.
#include "plan/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/version.h"
#include "base/mutants.h"
#include "plan/backup.h"
#include "plan/members.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kLookLeast = 200ms, kLookMost = 2s;
constexpr base::Duration kRetryFirst = 1s, kRetryLongest = 30s;
constexpr base::Duration kEmptyAgain = 30s;  // a store that must hold a backup and does not yet
constexpr std::string_view kBeginEmpty = "begin-empty";

base::Duration retry_after(int failures) {
  return std::min(kRetryFirst * (1 << std::clamp(failures - 1, 0, 8)), kRetryLongest);
}

// A certain revision or time is wanted: that a backup is there says nothing yet.
bool asks_for_point(const Context& c) {
  const auto* by = begins_by(c.record, c.intent.cluster.spec);
  return by != nullptr && (by->to_revision > 0 || by->to_time);
}

void fail(Context& c, const std::string& error) {
  RestoreRecord& r = c.record.restore;
  if (r.error != error)
    warn(c, Reason::kRestoreLookupFailed,
         fmt::format("{} could not be {}: {}", r.source,
                     asks_for_point(c) ? "brought back" : "looked into", error));
  r.failures = std::min(r.failures + 1, 1'000'000);
  r.failed_at = c.now;
  r.error = error;
}

// The data of a newer etcd is not for an older one.
std::string too_new(const Context& c, const JobReport& report) {
  const auto written = api::parse_version(report.etcd_version);
  const api::Version& wanted = c.intent.cluster.spec.version;
  if (!written || written->minor <= wanted.minor) return {};
  return fmt::format("{} was written by etcd {}, and etcd {} cannot read it: set spec.version",
                     report.location, report.etcd_version, wanted.text());
}

void fetched(Context& c, const JobReport& report) {
  RestoreRecord& r = c.record.restore;
  if (const std::string why = too_new(c, report); !why.empty()) return fail(c, why);
  r.found = Found::kBackup;
  r.location = report.location.empty() ? report.name : report.location;
  r.revision = report.revision;
  r.error.clear();
  if (!report.warning.empty()) warn(c, Reason::kRestoreLookup, report.warning);
  tell(c, Reason::kRestoreLookup,
       fmt::format("the backup of revision {} was fetched: {}", r.revision, r.location));
}

void settle(Context& c, const StoreJob& job) {
  RestoreRecord& r = c.record.restore;
  r.running = false;
  if (job.epoch != r.epoch || !job.report) {
    fail(c, failures_of(c.seen, "FetchBackup") > 0 ? c.seen.last->text
                                                   : "its job ended without a word");
    return;
  }
  switch (job.report->end) {
    case JobEnd::kFetched:
      return fetched(c, *job.report);
    case JobEnd::kEmpty:
      r.found = Found::kEmpty;
      r.failed_at = c.now;
      r.error.clear();
      return;
    case JobEnd::kFailed:
      if (mutant(base::Mutant::kUnreadableIsEmpty)) r.found = Found::kEmpty;
      break;
    case JobEnd::kUploaded:
    case JobEnd::kUnchanged:
    case JobEnd::kNotDue:
    case JobEnd::kProven:
    case JobEnd::kBad:
      break;
  }
  fail(c, job.report->error.empty() ? "the job gave no cause" : job.report->error);
}

Answer empty_store(const Context& c, std::string_view what, std::string_view way_out) {
  return Answer::wait(Reason::kNoBackupFound,
                      fmt::format("{} holds no backup of this cluster, and {}. {}",
                                  c.record.restore.source, what, way_out),
                      kLookMost);
}

// In the words of who asked for a backup.
Answer empty_but_required(const Context& c, const api::Restore& restore) {
  if (restore.asked_by.empty())
    return empty_store(c, "restorePolicy.required is set", "It is looked into again");
  return empty_store(c, restore.asked_by + " asks for one",
                     "It is looked into again. To begin as the EtcdCluster itself says, delete "
                     "that object");
}

}  // namespace

std::string restore_source(const api::ClusterSpec& spec) {
  return spec.restore ? source_of(*spec.restore) : std::string();
}

std::string source_of(const api::Restore& restore) {
  if (!restore.refused.empty()) return restore.asked_by + " (refused)";
  std::string out = fmt::format(
      "{}{}{}", restore.source ? place_of(*restore.source) : "the default store",
      restore.backup_cluster_name.empty() ? "" : " of cluster ", restore.backup_cluster_name);
  if (!restore.backup.empty()) out += ", " + restore.backup;
  if (restore.to_revision > 0) out += fmt::format(" at revision {}", restore.to_revision);
  if (restore.to_time) out += " at " + base::to_rfc3339(*restore.to_time);
  return out;
}

const api::Restore* begins_by(const Record& record, const api::ClusterSpec& spec) {
  // A loss meanwhile is made good by what is newest.
  const InPlaceRecord& p = record.in_place;
  if (p.stage == InPlace::kBegin ||
      (p.goes_on() && record.formation == Formation::kLatched && !record.restore.after_loss))
    return &p.from;
  if (!spec.restore || (record.restore.after_loss && spec.backup)) return nullptr;
  return &*spec.restore;
}

std::string brought_back(const Context& c) {
  const RestoreRecord& r = c.record.restore;
  std::string out = fmt::format("{} of revision {}", r.location, r.revision);
  if (!c.seen.fetch_job.known() || c.seen.fetch_job->epoch != r.epoch) return out;
  const auto& report = c.seen.fetch_job->report;
  if (report && report->location == r.location && report->revision == r.revision && report->time)
    out += ", as of " + base::to_rfc3339(*report->time);
  return out;
}

std::string after_loss_source(const Record& record, const api::ClusterSpec& spec) {
  if (record.in_place.stage == InPlace::kBegin) return source_of(record.in_place.from);
  if (!spec.backup) return restore_source(spec);
  return spec.backup->destination ? place_of(*spec.backup->destination) : "the default store";
}

bool is_declared_again(const Context& c) {
  const auto& restore = c.intent.cluster.spec.restore;
  return c.record.restore.again && restore && restore->asked_by.empty();
}

void forget_lookup(Record& record) {
  RestoreRecord fresh;
  fresh.epoch = record.restore.epoch;
  fresh.running = record.restore.running;
  fresh.started_at = record.restore.started_at;
  fresh.after_loss = record.restore.after_loss;
  fresh.again = record.restore.again;
  record.restore = std::move(fresh);
}

void forget_loss(Record& record) {
  if (!record.restore.after_loss) return;
  forget_lookup(record);
  record.restore.after_loss = false;
  record.restore.running = false;  // what it brings was looked up before
}

std::optional<Answer> look_for_backup(Context& c, const std::string& source) {
  RestoreRecord& r = c.record.restore;
  if (!c.seen.fetch_job.known())
    return Answer::wait(Reason::kRestoreLookup,
                        fmt::format("it cannot be seen whether a job looks into {} ({})", source,
                                    c.seen.fetch_job.why()),
                        kLookMost);
  const StoreJob& job = *c.seen.fetch_job;
  const bool runs = job.running || (r.running && job.epoch > r.epoch);
  r.epoch = std::max(r.epoch, job.epoch);
  if (r.source != source) {
    forget_lookup(c.record);
    r.source = source;
    r.running = false;  // whatever it brings is of another place
  }
  if (runs)
    return Answer::wait(
        Reason::kRestoreLookup, fmt::format("{} is looked into", source),
        std::clamp(base::Duration(c.now - r.started_at) / 4, kLookLeast, kLookMost));
  if (r.running) settle(c, job);
  if (r.found != Found::kNothing) return std::nullopt;
  if (r.failures > 0 && c.now < r.failed_at + retry_after(r.failures))
    return Answer::wait(
        Reason::kRestoreLookupFailed,
        asks_for_point(c)
            ? fmt::format("{} could not be brought back: {}. Nothing else is begun in its place; "
                          "it is tried again",
                          source, r.error)
            : fmt::format("{} could not be looked into, and whether it holds a backup is not "
                          "known: {}. Nothing is begun before; it is tried again",
                          source, r.error),
        std::clamp(base::Duration(r.failed_at + retry_after(r.failures) - c.now), kLookLeast,
                   kLookMost));
  // What is being written may be the newest; its job has a deadline of its own.
  if (c.seen.backup_job.known() && c.seen.backup_job->running)
    return Answer::wait(
        Reason::kRestoreLookup,
        fmt::format("a backup is still being written: {} is looked into when its job ends", source),
        std::clamp(base::Duration(c.now - c.record.backup.started_at) / 4, kLookLeast, kLookMost));
  r.epoch += 1;
  r.running = true;
  r.started_at = c.now;
  // Kept over tries: no member has begun with it yet.
  if (r.operation.empty()) r.operation = "fetch-" + c.seen.fresh_operation;
  Answer answer = Answer::act(Reason::kRestoreLookup, FetchBackup{r.epoch},
                              fmt::format("a backup is looked for in {}", source));
  answer.look_again = kLookLeast;
  return answer;
}

std::optional<Answer> look_after_loss(Context& c, const std::string& source) {
  RestoreRecord& r = c.record.restore;
  // What was found before the cluster first formed is old.
  if (!r.after_loss) {
    forget_lookup(c.record);
    r.after_loss = true;
  }
  if (r.found == Found::kEmpty && c.now >= r.failed_at + kEmptyAgain) r.found = Found::kNothing;
  return look_for_backup(c, source);
}

std::optional<Answer> restore_first(Context& c) {
  const api::ClusterSpec& spec = c.intent.cluster.spec;
  RestoreRecord& r = c.record.restore;
  if (!spec.restore && !r.after_loss) {
    if (!r.source.empty()) forget_lookup(c.record);
    return std::nullopt;
  }
  if (spec.restore && !spec.restore->refused.empty())
    return Answer::wait(Reason::kRestoreNotPossible, spec.restore->refused, kLookMost);
  if (c.seen.fetch_job.is_absent())
    return Answer::wait(
        Reason::kRestoreNotPossible,
        "spec.restore asks for a backup, and backup stores cannot be looked into on this platform; "
        "an empty cluster is not begun in its place: remove spec.restore to begin one",
        5s);
  const bool waits = r.after_loss || spec.restore->required;
  if (waits && r.found == Found::kEmpty && c.now >= r.failed_at + kEmptyAgain)
    r.found = Found::kNothing;
  if (auto answer = look_for_backup(
          c, r.after_loss ? after_loss_source(c.record, spec) : restore_source(spec)))
    return answer;
  if (r.found == Found::kBackup) return std::nullopt;
  if (r.after_loss && !is_approved(c.intent, std::string(kBeginEmpty), c.now))
    return empty_store(c,
                       c.record.in_place.stage == InPlace::kBegin
                           ? "what the cluster held was put aside for one"
                           : "what the cluster held is lost",
                       fmt::format("It is looked into again. Begin an empty cluster by {}",
                                   approve_command(c, std::string(kBeginEmpty))));
  if (!r.after_loss && waits) return empty_but_required(c, *spec.restore);
  warn(c, Reason::kNoBackupFound,
       fmt::format("{} was listed whole and holds no backup of this cluster: an empty one begins",
                   r.source));
  r.after_loss = false;
  return std::nullopt;
}

}  // namespace plan
