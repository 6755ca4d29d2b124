// Backups as children of ours: what each is told, and what is seen of it.
#include <fmt/format.h>

#include "drivers/host/driver.h"
#include "drivers/host/store_jobs.h"
#include "drivers/jobs/jobs.h"
#include "plan/restore.h"
#include "posix/files.h"
#include "posix/lock.h"

namespace host {
namespace {

constexpr base::Duration kEnd{8'000};
const std::string kBackup = "backup", kFetch = "fetch";

}  // namespace

void HostDriver::see_backup(plan::Observation& seen) {
  const JobFiles files = job_files(files_, kBackup);
  const auto state = look_at_job(files);
  if (!state.known()) {
    seen.backup_job = base::Fact<plan::StoreJob>::unknown(state.why());
    return;
  }
  seen.backup_job =
      plan::StoreJob{state->epoch, state->running,
                     state->running ? std::nullopt : jobs::run_report(state->job, state->report)};
  shared_.job_slots.see(files.dir, state->running);
  // Secrets stay no longer than the child for which they were written.
  if (!state->running && posix::exists(files.secret) != base::Fact<bool>(false))
    if (const auto cleared = clear_job(files); !cleared) not_cleared(cleared.error());
}

void HostDriver::not_cleared(const base::Error& why) {
  shared_.log.warning("store_job_not_cleared", {{"cluster", key_.text()}, {"why", why.message}});
}

base::Result<api::Secret> HostDriver::secret_of(const std::string& name) const {
  const base::ClusterKey key{key_.ns, name};
  const auto secret =
      shared_.secrets ? shared_.secrets(key) : base::Fact<api::Secret>::unknown("not read yet");
  if (secret.known()) return *secret;
  return base::fail(base::Code::kFailedPrecondition,
                    secret.is_absent()
                        ? fmt::format("there is no Secret {} beside the manifest", key.text())
                        : fmt::format("Secret {} cannot be read: {}", key.text(), secret.why()));
}

// Where backups are, for a child with these files; what it alone may read is added to `secrets`.
base::Result<archive::Common> HostDriver::store_of(const api::ObjectLocation* at,
                                                   const JobFiles& files,
                                                   PrivateFiles& secrets) const {
  archive::Common out;
  out.cluster = key_;
  out.scratch = files.scratch;
  out.report = files.report;
  // A volume of a pod has no meaning here: the folder takes its place.
  if (at == nullptr || at->kind == "pvc") {
    out.direct = true;
    out.store.url = "file://" + shared_.layout.backups(key_);
    return out;
  }
  out.store = jobs::store_of(*at);
  if (at->secret.empty()) return out;
  TRY(const api::Secret secret, secret_of(at->secret));
  out.store.secret = files.secret + "/store";
  TRY(auto values, secret_files(secret, out.store.secret));
  secrets.merge(values);
  return out;
}

base::Status HostDriver::add_encryption_key(const api::Backup& wish, const JobFiles& files,
                                            archive::Common& to, PrivateFiles& secrets) const {
  if (wish.encryption_secret.empty()) return {};
  TRY(const api::Secret secret, secret_of(wish.encryption_secret));
  const auto key = secret.data.find(wish.encryption_key);
  if (key == secret.data.end())
    return base::fail(
        base::Code::kFailedPrecondition,
        fmt::format("Secret {} has no key {}", secret.key.text(), wish.encryption_key));
  to.encryption_key = files.secret + "/encryption-key";
  secrets[to.encryption_key] = key->second;
  return {};
}

base::Status HostDriver::add_tls(const api::Tls& wish, const JobFiles& files, archive::RunJob& to,
                                 PrivateFiles& secrets) {
  TRY(const etcd::Tls tls, certificates_.operator_tls(wish));
  if (tls.ca.empty()) return {};
  to.tls = archive::TlsFiles{files.secret + "/ca.crt", files.secret + "/client.crt",
                             files.secret + "/client.key"};
  secrets[to.tls->ca] = tls.ca;
  secrets[to.tls->cert] = tls.cert;
  secrets[to.tls->key] = tls.key;
  return {};
}

base::Status HostDriver::start_backup(int epoch, const Call& call) {
  const auto& spec = call.job.intent.cluster.spec;
  const plan::Record& record = call.job.record;
  if (!spec.backup) return base::fail(base::Code::kFailedPrecondition, "no backup block");
  const api::Backup& wish = *spec.backup;
  const JobFiles files = job_files(files_, kBackup);
  if (posix::is_locked(files.lock) == base::Fact<bool>(true))
    return base::fail(base::Code::kFailedPrecondition, "a backup of this cluster runs already");
  TRY_OK(clear_job(files));
  TRY_OK(posix::make_dirs(files.secret));
  archive::RunJob job = jobs::backup_job(wish, record, epoch);
  const auto deadline = job.common.deadline;
  PrivateFiles secrets;
  TRY(job.common, store_of(wish.destination ? &*wish.destination : nullptr, files, secrets));
  job.common.deadline = deadline;
  if (job.common.direct) TRY_OK(make_backups_folder(shared_.layout, key_));
  TRY_OK(add_encryption_key(wish, files, job.common, secrets));
  jobs::add_endpoints(record, job);
  TRY_OK(add_tls(spec.tls, files, job, secrets));
  TRY_OK(write_private(secrets));
  return start_job({shared_.options.program, "run", epoch, archive::to_json(job)}, files);
}

// From which place, and of which cluster, a formation begins.
base::Result<archive::Common> HostDriver::source_of(const engine::Job& job,
                                                    const JobFiles& files) const {
  const auto& spec = job.intent.cluster.spec;
  const auto pointer = [](const auto& place) { return place ? &*place : nullptr; };
  const auto* by = plan::begins_by(job.record, spec);
  const bool by_backup = by == nullptr;
  if (by_backup && !spec.backup)
    return base::fail(base::Code::kFailedPrecondition, "nothing says where backups are");
  PrivateFiles secrets;
  TRY(archive::Common out,
      store_of(pointer(by_backup ? spec.backup->destination : by->source), files, secrets));
  if (!by_backup && !by->backup_cluster_name.empty()) {
    out.cluster.name = by->backup_cluster_name;
    if (out.direct) out.store.url = "file://" + shared_.layout.backups(out.cluster);
  } else if (out.direct && !by_backup) {
    TRY_OK(make_first_backups_folder(shared_.layout, key_));
  }
  if (spec.backup) TRY_OK(add_encryption_key(*spec.backup, files, out, secrets));
  TRY_OK(write_private(secrets));
  return out;
}

base::Status HostDriver::start_fetch(int epoch, const Call& call) {
  const JobFiles files = job_files(files_, kFetch);
  if (posix::is_locked(files.lock) == base::Fact<bool>(true))
    return base::fail(base::Code::kFailedPrecondition, "a job looks into the store already");
  TRY_OK(clear_job(files));
  TRY_OK(posix::make_dirs(files.secret));
  TRY_OK(drop_fetched());
  const RecoveryFiles to = recovery_files(files_, call.job.record.restore.operation);
  TRY_OK(posix::make_dirs(to.dir));
  const auto* by = plan::begins_by(call.job.record, call.job.intent.cluster.spec);
  archive::FetchJob job = jobs::fetch_job(by == nullptr ? "" : by->backup, by);
  const auto deadline = job.common.deadline;
  TRY(job.common, source_of(call.job, files));
  job.common.deadline = deadline;
  job.to = to.snapshot;
  return start_job({shared_.options.program, "fetch", epoch, archive::to_json(job)}, files);
}

// What was fetched before; it is in its store.
base::Status HostDriver::drop_fetched() {
  const auto names = posix::list_dir(files_.recovery);
  if (!names && names.error().code != base::Code::kNotFound) return std::unexpected(names.error());
  for (size_t i = 0; names && i < names->size(); ++i)
    if ((*names)[i].starts_with("fetch-"))
      TRY_OK(posix::remove_tree(recovery_files(files_, (*names)[i]).dir));
  return {};
}

void HostDriver::see_fetch(const engine::Job& job, plan::Observation& seen) {
  const JobFiles files = job_files(files_, kFetch);
  const auto state = look_at_job(files);
  if (!state.known()) {
    seen.fetch_job = base::Fact<plan::StoreJob>::unknown(state.why());
    return;
  }
  seen.fetch_job =
      plan::StoreJob{state->epoch, state->running,
                     state->running ? std::nullopt : jobs::fetch_report(state->job, state->report)};
  if (state->running) return;
  const auto& record = job.record;
  base::Status cleared;
  if (posix::exists(files.secret) != base::Fact<bool>(false)) cleared = clear_job(files);
  // Its data is in the member; no guard asks for it again.
  const bool done = record.open_to_clients && !record.restore.after_loss && !record.recovery &&
                    !record.in_place.goes_on();
  if (cleared && done) cleared = drop_fetched();
  if (!cleared) not_cleared(cleared.error());
}

HostDriver::Done HostDriver::act(const plan::FetchBackup& a, const Call& call) {
  const auto started = start_fetch(a.epoch, call);
  if (started) return {};
  return {plan::Outcome::kRefused, started.error().message};
}

HostDriver::Done HostDriver::act(const plan::StartBackup& a, const Call& call) {
  const std::string slot = job_files(files_, kBackup).dir;
  const plan::BackupRecord& record = call.job.record.backup;
  if (!shared_.job_slots.take(slot, record.requested_at && !record.replaces))
    return {plan::Outcome::kRefused, std::string(plan::kNoSlot)};
  auto started = end_drill(call.stop);
  if (started) started = start_backup(a.epoch, call);
  if (started) return {};
  shared_.job_slots.see(slot, false);
  return {plan::Outcome::kRefused, started.error().message};
}

base::Status HostDriver::end_jobs(const std::stop_token& stop) {
  TRY_OK(end_follower(stop));
  TRY_OK(end_drill(stop));
  for (const auto& kind : {kBackup, kFetch}) {
    const JobFiles files = job_files(files_, kind);
    TRY_OK(end_job(files, kEnd, stop));
    shared_.job_slots.see(files.dir, false);
    TRY_OK(clear_job(files));
  }
  return {};
}

}  // namespace host
