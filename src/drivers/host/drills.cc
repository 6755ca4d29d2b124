// Drills as children of ours, beside the backups.
#include <fmt/format.h>

#include "archive/drill_job.h"
#include "drivers/host/driver.h"
#include "drivers/host/store_jobs.h"
#include "drivers/jobs/jobs.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr base::Duration kEnd{8'000};
const std::string kDrill = "drill";

}  // namespace

void HostDriver::see_drill(plan::Observation& seen) {
  const JobFiles files = job_files(files_, kDrill);
  const auto state = look_at_job(files);
  if (!state.known()) {
    seen.drill_job = base::Fact<plan::StoreJob>::unknown(state.why());
    return;
  }
  seen.drill_job =
      plan::StoreJob{state->epoch, state->running,
                     state->running ? std::nullopt : jobs::drill_report(state->job, state->report)};
  shared_.job_slots.see(files.dir, state->running);
  if (!state->running && posix::exists(files.secret) != base::Fact<bool>(false))
    if (const auto cleared = clear_job(files); !cleared) not_cleared(cleared.error());
}

// A backup does not wait for it.
base::Status HostDriver::end_drill(const std::stop_token& stop) {
  const JobFiles files = job_files(files_, kDrill);
  TRY_OK(end_job(files, kEnd, stop));
  shared_.job_slots.see(files.dir, false);
  return clear_job(files);
}

base::Status HostDriver::start_drill(int epoch, const Call& call) {
  const auto& spec = call.job.intent.cluster.spec;
  if (!spec.backup) return base::fail(base::Code::kFailedPrecondition, "no backup block");
  const JobFiles files = job_files(files_, kDrill);
  TRY_OK(clear_job(files));
  TRY_OK(posix::make_dirs(files.secret));
  archive::DrillJob job = jobs::drill_job(*spec.backup, call.job.record);
  const auto deadline = job.common.deadline;
  const auto& place = spec.backup->destination;
  PrivateFiles secrets;
  TRY(job.common, store_of(place ? &*place : nullptr, files, secrets));
  job.common.deadline = deadline;
  TRY_OK(add_encryption_key(*spec.backup, files, job.common, secrets));
  TRY_OK(write_private(secrets));
  TRY(const EtcdPrograms programs, shared_.binaries.find(spec.version, call.stop));
  job.programs = {spec.version.text(), programs.etcd,
                  programs.etcdutl.empty() ? programs.etcdctl : programs.etcdutl};
  return start_job({shared_.options.program, "drill", epoch, archive::to_json(job)}, files);
}

HostDriver::Done HostDriver::act(const plan::StartDrill& a, const Call& call) {
  const std::string slot = job_files(files_, kDrill).dir;
  if (!shared_.job_slots.take(slot)) return {plan::Outcome::kRefused, std::string(plan::kNoSlot)};
  const auto started = start_drill(a.epoch, call);
  if (started) return {};
  shared_.job_slots.see(slot, false);
  return {plan::Outcome::kRefused, started.error().message};
}

}  // namespace host
