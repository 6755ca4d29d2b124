#include "archive/job.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "archive/drill_job.h"
#include "archive/fields.h"
#include "archive/job_fields.h"
#include "archive/names.h"
#include "archive/read_fields.h"
#include "base/text.h"
#include "json/json.h"

namespace archive {
namespace {

using base::Code;

constexpr size_t kLongestReport = 2048;
constexpr size_t kLongestName = 160;  // longer than any backup's
constexpr std::array<std::string_view, 4> kRunOutcomes{"uploaded", "unchanged", "not-due",
                                                       "failed"};
constexpr std::array<std::string_view, 3> kFetchOutcomes{"fetched", "empty", "failed"};
constexpr std::array<std::string_view, 4> kDrillOutcomes{"proven", "bad", "failed", "empty"};

template <class E, size_t n>
bool find_name(const std::array<std::string_view, n>& names, std::string_view text, E& out) {
  const auto at = std::ranges::find(names, text);
  if (at == names.end()) return false;
  out = static_cast<E>(at - names.begin());
  return true;
}

}  // namespace

void shorten(std::string& text, size_t size) {
  if (text.size() <= size) return;
  size_t end = 0;
  while (end < size) {
    const size_t next = std::max<size_t>(1, base::utf8_length(std::string_view(text).substr(end)));
    if (end + next > size) break;
    end += next;
  }
  text.resize(end);
  text += "…";
}

std::string_view name_of(RunOutcome outcome) {
  return kRunOutcomes[static_cast<size_t>(outcome)];
}
std::string_view name_of(FetchOutcome outcome) {
  return kFetchOutcomes[static_cast<size_t>(outcome)];
}
bool parse_name(std::string_view text, RunOutcome& outcome) {
  return find_name(kRunOutcomes, text, outcome);
}
bool parse_name(std::string_view text, FetchOutcome& outcome) {
  return find_name(kFetchOutcomes, text, outcome);
}
std::string_view name_of(DrillOutcome outcome) {
  return kDrillOutcomes[static_cast<size_t>(outcome)];
}
bool parse_name(std::string_view text, DrillOutcome& outcome) {
  return find_name(kDrillOutcomes, text, outcome);
}

template <class A, Is<RunReport> X>
void fields(A& a, X& x) {
  a("outcome", x.outcome, Need::kYes);
  a("name", x.name);
  a("revision", x.revision);
  a("time", x.time);
  a("sizeBytes", x.size_bytes);
  a("verified", x.verified, Need::kYes);
  a("hashOfMember", x.hash_of_member);
  a("pruned", x.pruned);
  a("kept", x.kept);
  a("error", x.error);
  a("errorKind", x.error_kind);
  a("warning", x.warning);
}
template <class A, Is<Skipped> X>
void fields(A& a, X& x) {
  a("name", x.name, Need::kYes);
  a("why", x.why, Need::kYes);
}
template <class A, Is<FetchReport> X>
void fields(A& a, X& x) {
  a("outcome", x.outcome, Need::kYes);
  a("name", x.name);
  a("incarnation", x.incarnation);
  a("revision", x.revision);
  a("startsAt", x.starts_at);
  a("time", x.time);
  a("logRecords", x.log_records);
  a("hash", x.hash);
  a("hashCompactRevision", x.hash_compact_revision);
  a("keys", x.keys);
  a("etcdVersion", x.etcd_version);
  a("skipped", x.skipped);
  a("error", x.error);
  a("errorKind", x.error_kind);
  a("warning", x.warning);
}

template <class A, Is<EtcdPrograms> X>
void fields(A& a, X& x) {
  a("version", x.version, Need::kYes);
  a("etcd", x.etcd, Need::kYes);
  a("tool", x.tool, Need::kYes);
}
template <class A, Is<DrillJob> X>
void fields(A& a, X& x) {
  fields(a, x.common);
  a("name", x.name);
  a("programs", x.programs, Need::kYes);
  a("notBefore", x.not_before);
}
template <class A, Is<DrillReport> X>
void fields(A& a, X& x) {
  a("outcome", x.outcome, Need::kYes);
  a("name", x.name);
  a("revision", x.revision);
  a("keys", x.keys);
  a("time", x.time);
  a("taken", x.taken);
  a("seconds", x.seconds);
  a("etcdVersion", x.etcd_version);
  a("error", x.error);
  a("errorKind", x.error_kind);
  a("warning", x.warning);
}

namespace {

template <class T>
base::Result<T> parse(std::string_view text) {
  TRY(const auto value, json::parse(text));
  return read_fields<T>(value, /*strict=*/true);
}

base::Status check(const Common& common) {
  for (const auto* part : {&common.cluster.ns, &common.cluster.name})
    if (part->empty() || part->find('/') != std::string::npos || part->front() == '.')
      return base::fail(Code::kInvalidArgument, fmt::format("cluster: \"{}\" is no name", *part));
  return {};
}

// Empty: any.
base::Status check_backup(const std::string& name) {
  if (name.empty() || Name::parse(name)) return {};
  return base::fail(Code::kInvalidArgument,
                    fmt::format("name: \"{}\" is no backup's; `archive list` shows them", name));
}

}  // namespace

base::Status check(const RunJob& job) {
  TRY_OK(check(job.common));
  if (!Incarnation::parse(job.incarnation))
    return base::fail(Code::kInvalidArgument,
                      fmt::format("incarnation: \"{}\" is not of the form YYYYMMDDTHHMMSSZ-xxxx",
                                  job.incarnation));
  if (job.endpoints.empty())
    return base::fail(Code::kInvalidArgument, "endpoints: at least one is needed");
  return {};
}

base::Result<RunJob> parse_run_job(std::string_view json) {
  TRY(auto job, parse<RunJob>(json));
  TRY_OK(check(job));
  return job;
}

base::Result<FetchJob> parse_fetch_job(std::string_view json) {
  TRY(auto job, parse<FetchJob>(json));
  TRY_OK(check(job.common));
  TRY_OK(check_backup(job.name));
  if (!job.name.empty() + job.to_revision.has_value() + job.to_time.has_value() + job.latest > 1)
    return base::fail(Code::kInvalidArgument,
                      "name, revision, time and latest: only one of them can be asked for");
  if (job.to_revision && *job.to_revision < 1)
    return base::fail(Code::kInvalidArgument,
                      fmt::format("revision: {}; revisions begin at 1", *job.to_revision));
  if (!job.incarnation.empty() && !Incarnation::parse(job.incarnation))
    return base::fail(Code::kInvalidArgument,
                      fmt::format("incarnation: \"{}\" is not of the form YYYYMMDDTHHMMSSZ-xxxx",
                                  job.incarnation));
  return job;
}

base::Result<DrillJob> parse_drill_job(std::string_view json) {
  TRY(auto job, parse<DrillJob>(json));
  TRY_OK(check(job.common));
  TRY_OK(check_backup(job.name));
  for (const auto* program : {&job.programs.etcd, &job.programs.tool})
    if (!program->starts_with('/'))
      return base::fail(Code::kInvalidArgument,
                        fmt::format("programs: \"{}\" is no absolute path", *program));
  return job;
}

base::Result<RunReport> parse_run_report(std::string_view json) {
  return parse<RunReport>(json);
}
base::Result<FetchReport> parse_fetch_report(std::string_view json) {
  return parse<FetchReport>(json);
}
base::Result<DrillReport> parse_drill_report(std::string_view json) {
  return parse<DrillReport>(json);
}

std::string to_json(const RunJob& job) {
  return json::print(write_fields(job));
}
std::string to_json(const FetchJob& job) {
  return json::print(write_fields(job));
}
std::string to_json(const DrillJob& job) {
  return json::print(write_fields(job));
}

namespace {

template <class Report>
std::string shortened(Report fits, const std::vector<std::string Report::*>& names) {
  shorten(fits.name, kLongestName);
  for (size_t size = 800;; size /= 2) {
    for (auto* text : {&fits.error, &fits.warning}) shorten(*text, size);
    for (const auto name : names) shorten(fits.*name, 2 * size);
    auto text = json::print(write_fields(fits));
    if (text.size() <= kLongestReport || size == 0) return text;
  }
}

}  // namespace

std::string to_json(const RunReport& report) {
  using R = RunReport;
  return shortened(report, {&R::hash_of_member, &R::error_kind});
}

std::string to_json(const DrillReport& report) {
  using R = DrillReport;
  return shortened(report, {&R::etcd_version, &R::error_kind});
}

std::string to_json(const FetchReport& report) {
  FetchReport fits = report;
  // Whoever restores must be able to say of what: names are whole.
  for (auto* text : {&fits.name, &fits.incarnation}) shorten(*text, kLongestName);
  for (size_t size = 600;; size /= 2) {
    for (auto* text : {&fits.error, &fits.warning}) shorten(*text, size);
    for (auto* text : {&fits.etcd_version, &fits.error_kind}) shorten(*text, 2 * size);
    for (auto& skipped : fits.skipped) shorten(skipped.why, std::max<size_t>(size, 60));
    auto text = json::print(write_fields(fits));
    if (text.size() <= kLongestReport || size == 0) return text;
    // The newest say what matters; how many there were is told.
    const size_t most = size > 300 ? 8 : size > 150 ? 5 : size > 40 ? 3 : 0;
    if (fits.skipped.size() <= most) continue;
    fits.skipped.resize(most);
    fits.warning = fmt::format("{} backups did not verify{}{}", report.skipped.size(),
                               report.warning.empty() ? "" : "; ", report.warning);
  }
}

}  // namespace archive
