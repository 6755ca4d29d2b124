// archive run|fetch: what the operator starts for one backup, and to bring one back.
#include <string>
#include <utility>

#include "archive/fetch.h"
#include "archive/run.h"
#include "bin/archive_place.h"
#include "bin/commands.h"
#include "posix/files.h"

namespace bin {
namespace {

constexpr size_t kLargestJob = size_t{1} << 20;

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

// A report that says "failed" is an answer, too: the exit code is about the report alone.
template <class Job>
int run_job(const base::Result<Job>& job, const ArchiveFlags& flags) {
  if (!job) return report(job.error().in(flags.job));
  auto place = ArchivePlace::make(flags.fault_points);
  if (!place) return report(place.error());
  const auto text = archive::to_json(work(*job, **place));
  if (job->common.report.empty()) {
    print_text(text + "\n");
    return kDone;
  }
  if (const auto written = posix::write_atomic(job->common.report, text); !written) {
    report(written.error());
    return kFailed;
  }
  return kDone;
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
