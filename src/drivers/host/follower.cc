// What writes the continuous log: a child as the jobs are, but without an end of its own. It is
// told anew, by a new one in its place, when what it works with has changed.
#include <fmt/format.h>

#include "archive/follow_job.h"
#include "drivers/host/driver.h"
#include "drivers/host/store_jobs.h"
#include "drivers/jobs/jobs.h"
#include "pki/digest.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr base::Duration kEnd{12'000};  // what came is written first
constexpr size_t kLimit = size_t{64} << 10;
const std::string kFollow = "follow";

std::string status_file(const JobFiles& files) {
  return files.dir + "/status.json";
}
// What the one that runs was told, as a digest: what it alone may read is in it.
std::string told_file(const JobFiles& files) {
  return files.dir + "/told";
}

}  // namespace

struct HostDriver::FollowInputs {
  archive::FollowJob job;
  PrivateFiles secrets;
  std::string digest;
};

base::Result<HostDriver::FollowInputs> HostDriver::follow_inputs(int epoch, const engine::Job& of) {
  const auto& spec = of.intent.cluster.spec;
  if (!spec.backup) return base::fail(base::Code::kFailedPrecondition, "no backup block");
  const api::Backup& wish = *spec.backup;
  const JobFiles files = job_files(files_, kFollow);
  FollowInputs out;
  out.job = jobs::follow_job(wish, of.record, epoch);
  const auto deadline = out.job.run.common.deadline;
  TRY(out.job.run.common,
      store_of(wish.destination ? &*wish.destination : nullptr, files, out.secrets));
  out.job.run.common.deadline = deadline;
  out.job.status = status_file(files);
  TRY_OK(add_encryption_key(wish, files, out.job.run.common, out.secrets));
  TRY_OK(add_tls(spec.tls, files, out.job.run, out.secrets));
  // A newer program takes the place of an older one's child.
  TRY(const auto program, posix::file_info(shared_.options.program));
  std::string all = fmt::format("{}\n{} {}\n", archive::to_json(out.job), program.inode,
                                program.modified.time_since_epoch().count());
  for (const auto& [path, text] : out.secrets)
    all += fmt::format("{} {}\n{}\n", path, text.size(), text);
  out.digest = pki::to_hex(pki::sha256(all));
  return out;
}

void HostDriver::see_follower(const engine::Job& job, plan::Observation& seen) {
  const JobFiles files = job_files(files_, kFollow);
  const auto state = look_at_job(files);
  if (!state.known()) {
    seen.follower = base::Fact<plan::Follower>::unknown(state.why());
    return;
  }
  plan::Follower out;
  if (state->running) {
    const auto status = posix::read_file(status_file(files), kLimit);
    out = jobs::running_follower(status.value_or(""), shared_.clock.now());
    // What cannot be read now is no reason to end what goes on without it.
    const auto wanted = follow_inputs(state->epoch, job);
    const auto told = posix::read_file(told_file(files), kLimit);
    out.outdated = wanted && told && wanted->digest != *told;
  } else {
    out = jobs::ended_follower(state->report);
    if (posix::exists(files.secret) != base::Fact<bool>(false))
      if (const auto cleared = clear_job(files); !cleared) not_cleared(cleared.error());
  }
  out.epoch = state->epoch;
  seen.follower = out;
}

base::Status HostDriver::end_follower(const std::stop_token& stop) {
  const JobFiles files = job_files(files_, kFollow);
  TRY_OK(end_job(files, kEnd, stop));
  return clear_job(files);
}

base::Status HostDriver::start_follower(int epoch, const Call& call) {
  const JobFiles files = job_files(files_, kFollow);
  // First all that can fail: the one that runs is better than none.
  TRY(const FollowInputs inputs, follow_inputs(epoch, call.job));
  TRY_OK(end_follower(call.stop));
  if (inputs.job.run.common.direct) TRY_OK(make_backups_folder(shared_.layout, key_));
  TRY_OK(write_private(inputs.secrets));
  TRY_OK(posix::remove_file(status_file(files)));
  TRY_OK(posix::write_atomic(told_file(files), inputs.digest));
  return start_job({shared_.options.program, "follow", epoch, archive::to_json(inputs.job)}, files);
}

HostDriver::Done HostDriver::act(const plan::StartFollower& a, const Call& call) {
  const auto started = start_follower(a.epoch, call);
  if (started) return {};
  return {plan::Outcome::kRefused, started.error().message};
}

HostDriver::Done HostDriver::act(const plan::EndFollower& /*a*/, const Call& call) {
  const auto ended = end_follower(call.stop);
  if (ended) return {};
  return {plan::Outcome::kRefused, ended.error().message};
}

}  // namespace host
