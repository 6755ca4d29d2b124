#include "drivers/kube/store_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "drivers/jobs/jobs.h"
#include "drivers/kube/job_sight.h"
#include "drivers/kube/sight.h"
#include "plan/restore.h"

namespace k8s {
namespace {

const std::string kBackup = "backup", kFetch = "fetch", kDrill = "drill";
constexpr size_t kKept = 2;  // jobs of a kind: the last and the one before
constexpr size_t kRemembered = 8;

plan::JobReport failure(std::string why) {
  plan::JobReport out;
  out.error = std::move(why);
  return out;
}

base::Error refusal(std::string why) {
  return {base::Code::kFailedPrecondition, std::move(why)};
}

}  // namespace

int StoreJobs::epoch_of(const json::Value& job) {
  return static_cast<int>(std::min<std::int64_t>(
      base::parse_int(label(job, render::kJobEpochLabel)).value_or(0), 1'000'000'000));
}

bool StoreJobs::is_of(const json::Value& job, const std::string& kind, const std::string& owner) {
  return label(job, render::kJobKindLabel) == kind && owner_uid(job) == owner && epoch_of(job) > 0;
}

// Of the newest first.
std::vector<kube::Object> StoreJobs::all(const std::string& kind,
                                         const api::Cluster& cluster) const {
  std::vector<kube::Object> out;
  for (auto& job : shared_.stores.jobs.group(objects_.key().ns, objects_.key().name))
    if (is_of(*job, kind, cluster.uid)) out.push_back(std::move(job));
  std::ranges::sort(out, [](const auto& a, const auto& b) { return epoch_of(*a) > epoch_of(*b); });
  return out;
}

// Null: there is none. What is watched may not show yet what was started a moment ago.
base::Result<kube::Object> StoreJobs::newest(const std::string& kind, int started,
                                             const Scope& scope) {
  const auto watched = all(kind, scope.cluster());
  if (!watched.empty() && epoch_of(*watched.front()) >= started) return watched.front();
  if (started > 0) {
    const auto name = render::job_name(objects_.key().name, kind, started);
    TRY(const auto job, objects_.read(kube::kJobs, name, scope.stop));
    if (job && is_of(*job, kind, scope.cluster().uid))
      return std::make_shared<const json::Value>(*job);
  }
  return watched.empty() ? nullptr : watched.front();
}

base::Fact<plan::StoreJob> StoreJobs::look_at(const Kind& of, const Scope& scope) {
  using Seen = base::Fact<plan::StoreJob>;
  if (!shared_.stores.jobs.complete() || !shared_.stores.job_pods.complete())
    return Seen::unknown("jobs were not listed yet");
  const auto found = newest(of.name, of.started, scope);
  if (!found) return Seen::unknown(found.error().message);
  if (*found == nullptr) return plan::StoreJob{};
  const auto& job = **found;
  const auto uid = text_at(job, "metadata.uid");
  if (const auto known = decided_.find(uid); known != decided_.end()) return known->second;
  const auto sight = looks_.look_at(job, scope.stop);
  if (!sight.known()) return Seen::unknown(sight.why());
  plan::StoreJob out{epoch_of(job), sight->running, {}};
  if (!sight->running) {
    out.report = of.read(sight->file, sight->report);
    if (!out.report) out.report = failure(sight->ended);
    if (decided_.size() > kRemembered) decided_.clear();
    decided_.emplace(uid, out);
  }
  return out;
}

void StoreJobs::see(const Scope& scope, plan::Observation& seen) {
  const auto& backup = scope.job.record.backup;
  const auto& restore = scope.job.record.restore;
  seen.backup_job = look_at({kBackup, jobs::run_report, backup.running ? backup.epoch : 0}, scope);
  seen.fetch_job =
      look_at({kFetch, jobs::fetch_report, restore.running ? restore.epoch : 0}, scope);
  const auto& drill = scope.job.record.drill;
  seen.drill_job = look_at({kDrill, jobs::drill_report, drill.running ? drill.epoch : 0}, scope);
  seen.follower = look_at_follower(scope);
}

// From which place, and of which cluster, a formation begins.
base::Result<StorePlace> StoreJobs::source_of(const engine::Job& job) const {
  const auto& spec = job.intent.cluster.spec;
  const auto pointer = [](const auto& place) { return place ? &*place : nullptr; };
  const auto* by = plan::begins_by(job.record, spec);
  const bool by_backup = by == nullptr;
  if (by_backup && !spec.backup) return std::unexpected(refusal("nothing says where backups are"));
  const bool another = !by_backup && !by->backup_cluster_name.empty();
  const auto* at = pointer(by_backup ? spec.backup->destination : by->source);
  const auto certain = at == nullptr || by_backup ? std::nullopt : named_backup(*at);
  const base::ClusterKey of{objects_.key().ns,
                            another ? by->backup_cluster_name : objects_.key().name};
  // Where backups were sent to a claim by its name they lie in it as in any claim.
  const bool sent = at != nullptr && spec.backup && spec.backup->destination &&
                    spec.backup->destination->kind == at->kind &&
                    spec.backup->destination->path == at->path;
  const auto* place = certain ? &certain->at : at;
  TRY(auto out, by_backup || sent ? place_of(place, of) : place_to_read(place, of));
  out.wish = at;
  if (certain) {
    out.common.direct = true;
    out.name = certain->name;
  } else if (!by_backup) {
    out.name = by->backup;
  }
  add_encryption_key(spec, out);
  return out;
}

base::Status StoreJobs::start(const render::StoreJob& job, const StorePlace& place,
                              const Scope& scope) {
  const auto& cluster = scope.cluster();
  TRY_OK(objects_.ensure(kube::kServiceAccounts, render::service_account(cluster), scope.stop));
  if (job.store.claim == names_.backups()) {
    TRY(const auto there, objects_.read_ours(kube::kClaims, names_.backups(), "", scope.stop));
    if (!there)
      TRY_OK(
          objects_.ensure(kube::kClaims, render::backups_claim(cluster, place.wish), scope.stop));
  }
  const auto object = render::store_job(cluster, job, shared_.options.objects);
  const auto made = objects_.send(kube::create(kube::kJobs, objects_.key().ns, object), scope.stop);
  if (!made && made.error().code != base::Code::kAlreadyExists)
    return std::unexpected(made.error());
  // One that is ours is this one: no two have one number.
  if (!made)
    TRY_OK(
        objects_.read_ours(kube::kJobs, text_at(object, "metadata.name"), cluster.uid, scope.stop));
  return drop(job.kind, kKept - 1, job.epoch, scope);
}

// All but the newest before `before`.
base::Status StoreJobs::drop(const std::string& kind, size_t keep, int before, const Scope& scope) {
  const auto& cluster = scope.cluster();
  for (const auto& job : all(kind, cluster)) {
    if (epoch_of(*job) >= before) continue;
    if (keep > 0) {
      --keep;
      continue;
    }
    TRY_OK(objects_.remove(kube::kJobs, text_at(*job, "metadata.name"), cluster.uid, scope.stop));
  }
  return {};
}

void StoreJobs::reach_members(const Scope& scope, archive::RunJob& to, render::StoreJob& pod) {
  pod.client = scope.cluster().spec.tls.mode != api::TlsMode::kDisabled;
  if (!pod.client) return;
  const auto files = render::job_tls_files();
  to.tls = archive::TlsFiles{files.ca, files.cert, files.key};
}

base::Status StoreJobs::act(const plan::StartBackup& a, const Scope& scope) {
  const auto& spec = scope.cluster().spec;
  if (!spec.backup) return std::unexpected(refusal("no backup block"));
  const auto* at = spec.backup->destination ? &*spec.backup->destination : nullptr;
  TRY(auto place, place_of(at, objects_.key()));
  TRY_OK(end_drill(scope));
  add_encryption_key(spec, place);
  auto job = jobs::backup_job(*spec.backup, scope.job.record, a.epoch);
  place_files(place, job.common);
  jobs::add_endpoints(scope.job.record, job);
  render::StoreJob pod{.kind = kBackup,
                       .epoch = a.epoch,
                       .words = {"archive", "run"},
                       .store = place.access,
                       .deadline = job.common.deadline};
  reach_members(scope, job, pod);
  pod.file = archive::to_json(job);
  return start(pod, place, scope);
}

// A backup does not wait for it. One that has ended stays to be looked at.
base::Status StoreJobs::end_drill(const Scope& scope) {
  for (const auto& job : all(kDrill, scope.cluster())) {
    TRY(const auto pod, looks_.pod_of(*job, /*ask=*/false, scope.stop));
    if (!judge_job(*job, pod.get()).running) continue;
    TRY_OK(objects_.remove(kube::kJobs, text_at(*job, "metadata.name"), scope.cluster().uid,
                           scope.stop));
  }
  return {};
}

base::Status StoreJobs::act(const plan::StartDrill& a, const Scope& scope) {
  const auto& spec = scope.cluster().spec;
  if (!spec.backup) return std::unexpected(refusal("no backup block"));
  const auto* at = spec.backup->destination ? &*spec.backup->destination : nullptr;
  TRY(auto place, place_of(at, objects_.key()));
  add_encryption_key(spec, place);
  auto job = jobs::drill_job(*spec.backup, scope.job.record);
  place_files(place, job.common);
  const bool has_etcdutl = spec.version.minor >= 5;
  job.programs = {spec.version.text(), fmt::format("{}/etcd", render::kJobEtcdDir),
                  fmt::format("{}/{}", render::kJobEtcdDir, has_etcdutl ? "etcdutl" : "etcdctl")};
  return start({.kind = kDrill,
                .epoch = a.epoch,
                .words = {"archive", "drill"},
                .file = archive::to_json(job),
                .store = place.access,
                .etcd = spec.version,
                .deadline = job.common.deadline},
               place, scope);
}

base::Status StoreJobs::act(const plan::FetchBackup& a, const Scope& scope) {
  TRY(const auto place, source_of(scope.job));
  archive::FetchJob job =
      jobs::fetch_job(place.name, plan::begins_by(scope.job.record, scope.cluster().spec));
  place_files(place, job.common);
  // Only what it is, and that it is good, is learnt: the member that begins with it gets its own.
  job.to = fmt::format("{}/snapshot.db", render::kJobScratch);
  return start({.kind = kFetch,
                .epoch = a.epoch,
                .words = {"archive", "fetch"},
                .file = archive::to_json(job),
                .store = place.access,
                .deadline = job.common.deadline},
               place, scope);
}

// What the first member's pod does before its guard begins.
base::Result<render::FetchedBackup> StoreJobs::fetched_backup(const engine::Job& of) const {
  TRY(const auto place, source_of(of));
  TRY(auto job, jobs::fetch_again_job(of.record.restore));
  const std::string folder(render::kFetchedSnapshot.substr(0, render::kFetchedSnapshot.rfind('/')));
  place_files(place, job.common);
  job.common.scratch = folder + "/scratch";
  job.to = render::kFetchedSnapshot;
  return render::FetchedBackup{place.access, archive::to_json(job)};
}

// The look into a store is over when the cluster serves.
base::Status StoreJobs::tidy(const Scope& scope) {
  TRY_OK(tidy_followers(scope));
  const auto& record = scope.job.record;
  if (!record.open_to_clients || record.restore.after_loss || record.restore.running ||
      record.in_place.goes_on())
    return {};
  return drop(kFetch, 0, record.restore.epoch + 1, scope);
}

}  // namespace k8s
