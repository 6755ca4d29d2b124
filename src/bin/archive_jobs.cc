// archive run|fetch|drill|follow: what the operator starts for one backup, to bring one back, to
// see that it can be, and to keep all that happens.
#include <string>
#include <string_view>
#include <utility>

#include "archive/drill.h"
#include "archive/fetch.h"
#include "archive/follow.h"
#include "archive/run.h"
#include "bin/archive_place.h"
#include "bin/commands.h"
#include "bin/follow_page.h"
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
bool is_done(const archive::FollowReport& report) {
  return report.error_kind.empty();
}

archive::FollowReport work(const archive::FollowJob& job, ArchivePlace& place) {
  const auto& common = job.run.common;
  FollowPage page(job, *place.world().clock);
  auto ready = place.open(common.store, /*may_make=*/true);
  if (ready) ready = place.read_key(common.encryption_key);
  if (ready) ready = place.use_tls(job.run.tls);
  if (!ready) return failed<archive::FollowReport>(ready.error());
  if (job.status_port != 0)
    if (const auto served = page.serve(job.status_port); !served) report(served.error());
  return archive::follow(job, place.world(), [&](const archive::FollowStatus& status) {
    page.tell(status);
    if (job.status.empty() && job.status_port != 0) return;
    if (job.status.empty()) {
      print_text(archive::to_json(status));
    } else if (const auto written = posix::write_atomic(job.status, to_json(status)); !written) {
      report(written.error());  // the log is more than its status
    }
  });
}

const archive::Common& common_of(const archive::FollowJob& job) {
  return job.run.common;
}
template <class Job>
const archive::Common& common_of(const Job& job) {
  return job.common;
}

bool is_done(const archive::DrillReport& report) {
  return report.outcome == archive::DrillOutcome::kProven;
}

archive::DrillReport work(const archive::DrillJob& job, ArchivePlace& place) {
  auto ready = place.open(job.common.store, /*may_make=*/false);
  if (ready) ready = place.read_key(job.common.encryption_key);
  if (!ready) return failed<archive::DrillReport>(ready.error());
  // No cluster ever had it, so no member of one takes this etcd for its peer.
  const auto etcd = archive::make_offline_etcd(job.programs, "drill-" + place.world().nonce());
  return archive::drill(job, place.world(), *etcd);
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
  const auto& file = common_of(*job).report;
  if (file.empty()) {
    print_text(text + "\n");
    return code;
  }
  if (const auto written = write_report(file, text); !written) {
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
  if (flags.verb == "follow") return run_job(archive::parse_follow_job(*text), flags);
  if (flags.verb == "run") return run_job(archive::parse_run_job(*text), flags);
  if (flags.verb == "drill") return run_job(archive::parse_drill_job(*text), flags);
  return run_job(archive::parse_fetch_job(*text), flags);
}

}  // namespace bin
