// Backups as children of ours: what each is told, and what is seen of it.
#include <fmt/format.h>

#include "archive/job.h"
#include "archive/names.h"
#include "base/text.h"
#include "drivers/host/driver.h"
#include "drivers/host/store_jobs.h"
#include "posix/files.h"
#include "posix/lock.h"

namespace host {
namespace {

constexpr base::Duration kEnd{8'000};
constexpr std::chrono::seconds kFetchDeadline{1'800};
const std::string kBackup = "backup", kFetch = "fetch";

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

// No value: it left none that can be read.
std::optional<plan::JobReport> report_of(const JobState& state) {
  const auto report = archive::parse_run_report(state.report);
  if (!report) return std::nullopt;
  plan::JobReport out;
  out.end = end_of(report->outcome);
  out.name = report->name;
  out.revision = report->revision;
  out.time = report->time;
  out.error = report->error;
  out.warning = report->warning;
  if (const auto job = archive::parse_run_job(state.job); job && !out.name.empty())
    out.location = root_text(job->common) + out.name;
  return out;
}

std::optional<plan::JobReport> fetch_report_of(const JobState& state) {
  const auto report = archive::parse_fetch_report(state.report);
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
  if (const auto job = archive::parse_fetch_job(state.job); job && !out.name.empty())
    out.location = root_text(job->common) + out.name;
  return out;
}

// The name of this life of the cluster in its store.
std::string incarnation_of(const plan::Record& record) {
  if (archive::Incarnation::parse(record.incarnation)) return record.incarnation;
  return archive::make_incarnation(record.bootstrapped_at,
                                   fmt::format("{:08x}", base::crc32c(record.incarnation)))
      .text;
}

}  // namespace

void HostDriver::see_backup(plan::Observation& seen) {
  const JobFiles files = job_files(files_, kBackup);
  const auto state = look_at_job(files);
  if (!state.known()) {
    seen.backup_job = base::Fact<plan::StoreJob>::unknown(state.why());
    return;
  }
  seen.backup_job = plan::StoreJob{state->epoch, state->running,
                                   state->running ? std::nullopt : report_of(*state)};
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

// Where backups are, for a child whose private files are `files`.
base::Result<archive::Common> HostDriver::store_of(const api::ObjectLocation* at,
                                                   const JobFiles& files) const {
  archive::Common out;
  out.cluster = key_;
  out.scratch = files.scratch;
  out.report = files.report;
  // A volume of a pod has no meaning here: the folder takes its place.
  if (at == nullptr || at->kind == "pvc") {
    out.direct = true;
    out.store.url = "file://" + shared_.layout.backups(key_);
    TRY_OK(posix::make_dirs(shared_.layout.backups(key_)));
    return out;
  }
  out.store.url = at->kind == "local" ? "file://" + at->path
                                      : fmt::format("{}://{}", scheme_of(at->kind), at->path);
  out.store.endpoint = at->endpoint;
  out.store.region = at->region;
  out.store.path_style = at->force_path_style;
  if (at->secret.empty()) return out;
  TRY(const api::Secret secret, secret_of(at->secret));
  out.store.secret = files.secret + "/store";
  TRY_OK(write_secret(secret, out.store.secret));
  return out;
}

base::Status HostDriver::add_encryption_key(const api::Backup& wish, const JobFiles& files,
                                            archive::Common& to) const {
  if (wish.encryption_secret.empty()) return {};
  TRY(const api::Secret secret, secret_of(wish.encryption_secret));
  const auto key = secret.data.find(wish.encryption_key);
  if (key == secret.data.end())
    return base::fail(
        base::Code::kFailedPrecondition,
        fmt::format("Secret {} has no key {}", secret.key.text(), wish.encryption_key));
  to.encryption_key = files.secret + "/encryption-key";
  return posix::write_atomic(to.encryption_key, key->second, 0600);
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
  archive::RunJob job;
  TRY(job.common, store_of(wish.destination ? &*wish.destination : nullptr, files));
  TRY_OK(add_encryption_key(wish, files, job.common));
  job.common.deadline = std::chrono::ceil<std::chrono::seconds>(wish.timeout);
  job.incarnation = incarnation_of(record);
  job.epoch = epoch;
  for (const auto& [name, member] : record.members)
    if (member.phase == plan::Phase::kVoter)
      job.endpoints.push_back({name, member.addresses.client_url});
  TRY(const etcd::Tls tls, certificates_.operator_tls(spec.tls));
  if (!tls.ca.empty()) {
    job.tls = archive::TlsFiles{files.secret + "/ca.crt", files.secret + "/client.crt",
                                files.secret + "/client.key"};
    TRY_OK(posix::write_atomic(job.tls->ca, tls.ca));
    TRY_OK(posix::write_atomic(job.tls->cert, tls.cert));
    TRY_OK(posix::write_atomic(job.tls->key, tls.key));
  }
  job.max_backups = static_cast<unsigned>(wish.max_backups);
  const auto tier = [](int n) { return static_cast<unsigned>(n); };
  job.retention = {tier(wish.retention.hourly), tier(wish.retention.daily),
                   tier(wish.retention.weekly), tier(wish.retention.monthly)};
  const plan::BackupRecord& last = record.backup;
  if (last.requested_at)
    job.not_before = *last.requested_at;
  else if (last.name.empty())
    job.not_before = last.started_at - wish.interval;
  else
    job.not_before = last.taken + std::chrono::seconds(1);
  if (!last.name.empty()) job.last_revision = last.revision;
  return start_job({shared_.options.program, "run", epoch, archive::to_json(job)}, files);
}

// From which place, and of which cluster, a formation begins.
base::Result<archive::Common> HostDriver::source_of(const engine::Job& job,
                                                    const JobFiles& files) const {
  const auto& spec = job.intent.cluster.spec;
  const auto pointer = [](const auto& place) { return place ? &*place : nullptr; };
  const bool by_backup = job.record.restore.after_loss && spec.backup;
  if (!by_backup && !spec.restore)
    return base::fail(base::Code::kFailedPrecondition, "nothing says where backups are");
  TRY(archive::Common out,
      store_of(pointer(by_backup ? spec.backup->destination : spec.restore->source), files));
  if (!by_backup && !spec.restore->backup_cluster_name.empty()) {
    out.cluster.name = spec.restore->backup_cluster_name;
    if (out.direct) out.store.url = "file://" + shared_.layout.backups(out.cluster);
  }
  if (spec.backup) TRY_OK(add_encryption_key(*spec.backup, files, out));
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
  archive::FetchJob job;
  TRY(job.common, source_of(call.job, files));
  job.common.deadline = kFetchDeadline;
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
  seen.fetch_job = plan::StoreJob{state->epoch, state->running,
                                  state->running ? std::nullopt : fetch_report_of(*state)};
  if (state->running) return;
  const auto& record = job.record;
  const std::string& operation = record.restore.operation;
  base::Status cleared;
  if (posix::exists(files.secret) != base::Fact<bool>(false)) cleared = clear_job(files);
  // Its data is in the member; no guard asks for it again.
  const bool done = record.open_to_clients && !record.restore.after_loss && !record.recovery;
  if (cleared && done && !operation.empty() &&
      posix::exists(recovery_files(files_, operation).dir) != base::Fact<bool>(false))
    cleared = drop_fetched();
  if (!cleared) not_cleared(cleared.error());
}

HostDriver::Done HostDriver::act(const plan::FetchBackup& a, const Call& call) {
  const auto started = start_fetch(a.epoch, call);
  if (started) return {};
  return {plan::Outcome::kRefused, started.error().message};
}

HostDriver::Done HostDriver::act(const plan::StartBackup& a, const Call& call) {
  const auto started = start_backup(a.epoch, call);
  if (started) return {};
  return {plan::Outcome::kRefused, started.error().message};
}

base::Status HostDriver::end_jobs(const std::stop_token& stop) {
  for (const auto& kind : {kBackup, kFetch}) {
    const JobFiles files = job_files(files_, kind);
    TRY_OK(end_job(files, kEnd, stop));
    TRY_OK(clear_job(files));
  }
  return {};
}

}  // namespace host
