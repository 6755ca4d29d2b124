#include "drivers/jobs/jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "archive/names.h"
#include "base/text.h"

namespace jobs {
namespace {

constexpr std::chrono::milliseconds kMostLag{60'000};  // a segment is sealed by then
constexpr base::Duration kFresh{10'000};               // it is written each half second
constexpr base::Duration kSpeaks{2'000};  // and late by this much it waits for something

std::string scheme_of(const std::string& kind) {
  if (kind == "gcs") return "gs";
  if (kind == "abs") return "azblob";
  return kind;
}

// What people see of a place, before the name of a backup in it.
std::string root_text(const archive::Common& common) {
  const std::string root = archive::root_of(common.cluster, common.direct);
  return fmt::format("{}/{}", common.store.url, root);
}

plan::JobEnd end_of(archive::RunOutcome outcome) {
  switch (outcome) {
    case archive::RunOutcome::kUploaded:
      return plan::JobEnd::kUploaded;
    case archive::RunOutcome::kUnchanged:
      return plan::JobEnd::kUnchanged;
    case archive::RunOutcome::kNotDue:
      return plan::JobEnd::kNotDue;
    case archive::RunOutcome::kFailed:
      break;
  }
  return plan::JobEnd::kFailed;
}

plan::JobEnd end_of(archive::DrillOutcome outcome) {
  switch (outcome) {
    case archive::DrillOutcome::kProven:
      return plan::JobEnd::kProven;
    case archive::DrillOutcome::kBad:
      return plan::JobEnd::kBad;
    case archive::DrillOutcome::kEmpty:
      return plan::JobEnd::kEmpty;
    case archive::DrillOutcome::kFailed:
      break;
  }
  return plan::JobEnd::kFailed;
}

// The name of this life of the cluster in its store.
std::string incarnation_of(const plan::Record& record) {
  if (archive::Incarnation::parse(record.incarnation)) return record.incarnation;
  return archive::make_incarnation(record.bootstrapped_at,
                                   fmt::format("{:08x}", base::crc32c(record.incarnation)))
      .text;
}

// When the newest life that the record, or the backup that it begins from, tells of began.
base::Instant newest_begin(const plan::Record& record, const plan::Observation& seen) {
  base::Instant newest{};
  const auto take = [&newest](std::string_view life) {
    if (const auto parsed = archive::Incarnation::parse(life))
      newest = std::max(newest, parsed->begin);
  };
  if (!record.incarnation.empty()) take(incarnation_of(record));
  if (record.recovery) take(record.recovery->old_incarnation);
  for (const auto& [name, member] : record.members) take(member.incarnation);
  // "<cluster>-<life>": all that is left of one that was given up.
  for (const std::string_view token : record.old_tokens)
    if (token.size() > record.key.name.size()) take(token.substr(record.key.name.size() + 1));
  const auto take_backup = [&](const std::string& name) {
    take(std::string_view(name).substr(0, name.find('/')));
  };
  take_backup(name_in_store(record.restore.location));
  // One that was fetched a moment ago: the record does not tell of it yet.
  if (seen.fetch_job.known() && seen.fetch_job->report) take_backup(seen.fetch_job->report->name);
  return newest;
}

// Of one that runs, and of which nothing else is known.
plan::Follower silent(std::string why) {
  plan::Follower out;
  out.running = true;
  out.lag = base::Fact<base::Duration>::unknown(std::move(why));
  return out;
}

// `age`: of what it said. It speaks twice a second but while a call to the store hangs, so a change
// that was on its way then is so still, and as much older.
plan::Follower said_by(const archive::FollowStatus& status, base::Duration age) {
  const bool hangs = age > kSpeaks && status.lag_ms > 0 && !status.catching_up;
  if (age > kFresh && !hangs)
    return silent(fmt::format("its words are {} old", base::to_text(age)));
  // Without a watch what happens is not known; what came before is.
  plan::Follower out = silent("it does not see its cluster yet");
  if (status.catching_up)
    out = silent("it reads what happened before it began");
  else if (status.state == archive::FollowState::kFollowing || status.lag_ms > 0)
    out.lag = base::Duration(status.lag_ms) + (hangs ? age : base::Duration(0));
  out.base = status.base;
  out.problem = status.problem;
  if (hangs && out.problem.empty())
    out.problem = fmt::format("it waits for its store, and said nothing for {}",
                              base::to_text(std::chrono::floor<std::chrono::seconds>(age)));
  out.holes = static_cast<int>(std::min<std::uint64_t>(status.holes, 1'000'000));
  out.last_hole = status.last_hole;
  if (status.weak_fence) out.weak_fence = status.weak_why;
  return out;
}

}  // namespace

std::string fresh_incarnation(const plan::Record& record, const plan::Observation& seen,
                              base::Instant now, std::uint64_t chance) {
  const std::string own = base::to_hex(chance & 0xffffffffULL);
  const auto later = archive::make_incarnation(
      std::max(now, newest_begin(record, seen) + std::chrono::seconds(1)), own);
  // None follows one of the last year that has a name.
  if (archive::Incarnation::parse(later.text)) return later.text;
  return archive::make_incarnation(now, own).text;
}

archive::StoreRef store_of(const api::ObjectLocation& at) {
  archive::StoreRef out;
  out.url = at.kind == "local" ? "file://" + at.path
                               : fmt::format("{}://{}", scheme_of(at.kind), at.path);
  out.endpoint = at.endpoint;
  out.region = at.region;
  out.path_style = at.force_path_style;
  out.storage_class = at.object_class;
  out.encryption = at.encryption;
  out.kms_key = at.kms_key;
  return out;
}

archive::RunJob backup_job(const api::Backup& wish, const plan::Record& record, int epoch) {
  archive::RunJob job;
  job.common.deadline = std::chrono::ceil<std::chrono::seconds>(wish.timeout);
  job.incarnation = incarnation_of(record);
  job.epoch = epoch;
  job.max_backups = static_cast<unsigned>(wish.max_backups);
  const auto tier = [](int n) { return static_cast<unsigned>(n); };
  job.retention = {tier(wish.retention.hourly), tier(wish.retention.daily),
                   tier(wish.retention.weekly), tier(wish.retention.monthly)};
  // What the cluster goes back to may be the oldest one.
  if (record.in_place.goes_on()) {
    job.max_backups = 0;
    job.retention = {};
  }
  const plan::BackupRecord& last = record.backup;
  if (last.requested_at)
    job.not_before = *last.requested_at;
  else if (last.name.empty())
    job.not_before = last.started_at - wish.interval;
  else
    job.not_before = last.taken + std::chrono::seconds(1);
  if (!last.name.empty()) job.last_revision = last.revision;
  return job;
}

archive::DrillJob drill_job(const api::Backup& wish, const plan::Record& record) {
  archive::DrillJob job;
  job.common.deadline = kDrillDeadline;
  // A proof that nobody heard of does.
  const auto& last = record.drill;
  job.not_before = last.proven_at
                       ? *last.proven_at + std::chrono::seconds(1)
                       : last.started_at - wish.verify_interval.value_or(std::chrono::hours(24));
  return job;
}

archive::FollowJob follow_job(const api::Backup& wish, const plan::Record& record, int epoch) {
  archive::FollowJob job;
  job.run = backup_job(wish, record, epoch);
  // It takes a backup where it needs one, and changes with nothing that comes and goes.
  job.run.not_before.reset();
  job.run.last_revision.reset();
  add_endpoints(record, job.run);
  job.max_lag = std::min(std::chrono::ceil<std::chrono::milliseconds>(wish.max_lag), kMostLag);
  return job;
}

archive::FetchJob fetch_job(const std::string& name, const api::Restore* wish) {
  archive::FetchJob job;
  job.common.deadline = kFetchDeadline;
  if (wish != nullptr && (wish->to_revision > 0 || wish->to_time)) {
    if (wish->to_revision > 0) job.to_revision = wish->to_revision;
    job.to_time = wish->to_time;
    job.incarnation = name.substr(0, name.find('/'));
    return job;
  }
  job.name = name;
  job.latest = name.empty();
  return job;
}

base::Result<archive::FetchJob> fetch_again_job(const plan::RestoreRecord& found) {
  const auto name = archive::Name::parse(name_in_store(found.location));
  if (!name)
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("the record names no backup: \"{}\"", found.location));
  archive::FetchJob job;
  job.common.deadline = kFetchDeadline;
  if (found.revision != name->revision) {  // of the log behind it, too
    job.to_revision = found.revision;
    job.incarnation = name->incarnation.text;
  } else {
    job.name = name->text();
  }
  return job;
}

void add_endpoints(const plan::Record& record, archive::RunJob& to) {
  for (const auto& [name, member] : record.members)
    if (member.phase == plan::Phase::kVoter)
      to.endpoints.push_back({name, member.addresses.client_url});
}

std::string name_in_store(const std::string& location) {
  const auto file = location.rfind('/');
  if (file == std::string::npos || file == 0) return {};
  const auto life = location.rfind('/', file - 1);
  return location.substr(life == std::string::npos ? 0 : life + 1);
}

std::optional<plan::JobReport> run_report(const std::string& job, const std::string& text) {
  const auto report = archive::parse_run_report(text);
  if (!report) return std::nullopt;
  plan::JobReport out;
  out.end = end_of(report->outcome);
  out.name = report->name;
  out.revision = report->revision;
  out.time = report->time;
  out.error = report->error;
  out.warning = report->warning;
  if (const auto of = archive::parse_run_job(job); of && !out.name.empty())
    out.location = root_text(of->common) + out.name;
  return out;
}

std::optional<plan::JobReport> fetch_report(const std::string& job, const std::string& text) {
  const auto report = archive::parse_fetch_report(text);
  if (!report) return std::nullopt;
  plan::JobReport out;
  out.end = report->outcome == archive::FetchOutcome::kFetched ? plan::JobEnd::kFetched
            : report->outcome == archive::FetchOutcome::kEmpty ? plan::JobEnd::kEmpty
                                                               : plan::JobEnd::kFailed;
  out.name = report->name;
  out.revision = report->revision;
  out.time = report->time;
  out.etcd_version = report->etcd_version;
  out.error = report->error;
  out.warning = report->warning;
  for (const auto& skipped : report->skipped)
    out.warning += fmt::format("{}{} was passed over: {}", out.warning.empty() ? "" : "; ",
                               skipped.name, skipped.why);
  const auto of = archive::parse_fetch_job(job);
  if (of && !out.name.empty()) out.location = root_text(of->common) + out.name;
  // Of a program that does not know of points, for one.
  if (of && of->to_revision && out.end == plan::JobEnd::kFetched &&
      out.revision != *of->to_revision) {
    out.end = plan::JobEnd::kFailed;
    out.error = fmt::format("revision {} was asked for, and {} of revision {} came",
                            *of->to_revision, out.location, out.revision);
  }
  return out;
}

std::optional<plan::JobReport> drill_report(const std::string& job, const std::string& text) {
  const auto report = archive::parse_drill_report(text);
  if (!report) return std::nullopt;
  plan::JobReport out;
  out.end = end_of(report->outcome);
  out.name = report->name;
  out.revision = report->revision;
  out.keys = static_cast<std::int64_t>(report->keys);
  out.time = report->time;
  out.etcd_version = report->etcd_version;
  out.error = report->error;
  out.warning = report->warning;
  if (const auto of = archive::parse_drill_job(job); of && !out.name.empty())
    out.location = root_text(of->common) + out.name;
  return out;
}

plan::Follower running_follower(const std::string& text, base::Instant now) {
  const auto status = archive::parse_follow_status(text);
  if (!status) return silent("it says nothing yet");
  if (status->time > now + kFresh)
    return silent("it last said something at " + base::to_rfc3339(status->time));
  return said_by(*status, std::max(now - status->time, base::Duration(0)));
}

plan::Follower answering_follower(const std::string& page) {
  const auto status = archive::parse_follow_status(page);
  if (!status) return silent("what it says cannot be read: " + status.error().message);
  const base::Duration age(status->age_ms.value_or(0));
  plan::Follower out = !status->age_ms || age < base::Duration(0)
                           ? silent("it does not say how old its words are")
                           : said_by(*status, age);
  out.outdated = status->outdated;
  return out;
}

plan::Follower ended_follower(const std::string& text, const std::string& otherwise) {
  plan::Follower out;
  out.lag = base::Fact<base::Duration>::unknown("it does not run");
  const auto report = archive::parse_follow_report(text);
  if (!report) {
    out.problem = otherwise;
    return out;
  }
  out.problem = report->error_kind.empty() ? "it was ended by somebody" : report->error;
  out.overrun = report->error_kind == "stale";
  return out;
}

}  // namespace jobs
