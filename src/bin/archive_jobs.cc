// archive run|fetch: what the operator starts for one backup, and to bring one back.
#include <string>
#include <string_view>
#include <utility>

#include "archive/fetch.h"
#include "archive/run.h"
#include "bin/archive_place.h"
#include "bin/commands.h"
#include "posix/files.h"

namespace bin {
namespace {

constexpr size_t kLargestJob = size_t{1} << 20;
// A container's termination message is one: it is there already, and nothing can take its place.
constexpr std::string_view kDevices = "/dev/";

template <class Report>
Report failed(const archive::Trouble& why) {
  Report report;
  report.error = why.error.message;
  report.error_kind = why.kind;
  return report;
}

archive::RunReport work(const archive::RunJob& job, ArchivePlace& place) {
  auto ready = place.open(job.common.store, /*may_make=*/true);
  if (ready) ready = place.read_key(job.common.encryption_key);
  if (ready) ready = place.use_tls(job.tls);
  if (!ready) return failed<archive::RunReport>(ready.error());
  return archive::run(job, place.world());
}

archive::FetchReport work(const archive::FetchJob& job, ArchivePlace& place) {
  auto ready = place.open(job.common.store, /*may_make=*/false);
  if (ready) ready = place.read_key(job.common.encryption_key);
  if (!ready) return failed<archive::FetchReport>(ready.error());
  return archive::fetch(job, place.world());
}

base::Status write_report(const std::string& file, const std::string& text) {
  if (!file.starts_with(kDevices)) return posix::write_atomic(file, text);
  return posix::write_in_place(file, text);
}

bool is_done(const archive::RunReport& report) {
  return report.outcome != archive::RunOutcome::kFailed;
}

bool is_done(const archive::FetchReport& report) {
  return report.outcome == archive::FetchOutcome::kFetched;
}

// A report that says "failed" is an answer, too: the exit code is about the report alone.
template <class Job>
int run_job(const base::Result<Job>& job, const ArchiveFlags& flags) {
  if (!job) return report(job.error().in(flags.job));
  auto place = ArchivePlace::make(flags.fault_points);
  if (!place) return report(place.error());
  const auto outcome = work(*job, **place);
  const auto text = archive::to_json(outcome);
  const int code = flags.required && !is_done(outcome) ? kFailed : kDone;
  if (job->common.report.empty()) {
    print_text(text + "\n");
    return code;
  }
  if (const auto written = write_report(job->common.report, text); !written) {
    report(written.error());
    return kFailed;
  }
  return code;
}

}  // namespace

int archive_job(const ArchiveFlags& flags) {
  const auto text = posix::read_file(flags.job, kLargestJob);
  if (!text) {
    report(text.error());
    return kBadInput;
  }
  return flags.verb == "run" ? run_job(archive::parse_run_job(*text), flags)
                             : run_job(archive::parse_fetch_job(*text), flags);
}

}  // namespace bin
