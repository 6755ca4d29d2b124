#include "drivers/kube/store_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "drivers/jobs/jobs.h"
#include "drivers/kube/job_sight.h"
#include "drivers/kube/sight.h"

namespace k8s {
namespace {

const std::string kBackup = "backup", kFetch = "fetch", kDrill = "drill";
// Told to be in the way: a Secret may come a moment after its cluster, a volume takes its time.
constexpr base::Duration kPatience{15'000};
constexpr size_t kKept = 2;  // jobs of a kind: the last and the one before
constexpr size_t kRemembered = 8;
constexpr size_t kLongestWords = 1'000;

int epoch_of(const json::Value& job) {
  return static_cast<int>(std::min<std::int64_t>(
      base::parse_int(label(job, render::kJobEpochLabel)).value_or(0), 1'000'000'000));
}

bool is_of(const json::Value& job, const std::string& kind, const std::string& owner) {
  return label(job, render::kJobKindLabel) == kind && owner_uid(job) == owner && epoch_of(job) > 0;
}

plan::JobReport failure(std::string why) {
  plan::JobReport out;
  out.error = std::move(why);
  return out;
}

void add_encryption_key(const api::ClusterSpec& spec, render::StoreAccess& access,
                        archive::Common& common) {
  if (!spec.backup || spec.backup->encryption_secret.empty()) return;
  access.encryption_secret = spec.backup->encryption_secret;
  access.encryption_key = spec.backup->encryption_key;
  common.encryption_key = render::kStoreKeyFile;
}

base::Error refusal(std::string why) {
  return {base::Code::kFailedPrecondition, std::move(why)};
}

}  // namespace

// Of the newest first.
std::vector<kube::Object> StoreJobs::all(const std::string& kind,
                                         const api::Cluster& cluster) const {
  std::vector<kube::Object> out;
  for (auto& job : shared_.stores.jobs.group(objects_.key().ns, objects_.key().name))
    if (is_of(*job, kind, cluster.uid)) out.push_back(std::move(job));
  std::ranges::sort(out, [](const auto& a, const auto& b) { return epoch_of(*a) > epoch_of(*b); });
  return out;
}

// Its newest pod; null: it has none. `ask`: the server itself, as what is watched may be behind.
base::Result<kube::Object> StoreJobs::pod_of(const json::Value& job, bool ask, const Scope& scope) {
  const auto uid = text_at(job, "metadata.uid");
  kube::Object newest;
  const auto take = [&](kube::Object pod) {
    if (owner_uid(*pod) != uid) return;
    if (newest == nullptr || text_at(*newest, "metadata.creationTimestamp") <=
                                 text_at(*pod, "metadata.creationTimestamp"))
      newest = std::move(pod);
  };
  const auto& [ns, cluster] = objects_.key();
  if (!ask) {
    for (auto& pod : shared_.stores.job_pods.group(ns, cluster)) take(std::move(pod));
    return newest;
  }
  TRY(const auto found,
      objects_.list(kube::kPods, fmt::format("{}={}", render::kJobOfLabel, cluster), scope.stop));
  const auto* items = found.find("items");
  if (items != nullptr && items->is_array())
    for (const auto& pod : *items->if_array()) take(std::make_shared<const json::Value>(pod));
  return newest;
}

// The newest warning about an object; empty: there is none.
std::string StoreJobs::warning_about(std::string_view kind, const std::string& object,
                                     const Scope& scope) {
  const auto fields = fmt::format("regarding.kind={},regarding.name={}", kind, object);
  const auto events = objects_.send(
      kube::list(kube::kEvents, objects_.key().ns, {.selection = {.fields = fields}, .limit = 50}),
      scope.stop);
  const auto* items = events && events->find("items") ? events->find("items")->if_array() : nullptr;
  std::string newest, words;
  if (items != nullptr)
    for (const auto& event : *items) {
      if (text_at(event, "type") != "Warning") continue;
      auto at = text_at(event, "series.lastObservedTime");
      if (at.empty()) at = text_at(event, "deprecatedLastTimestamp");
      if (at.empty()) at = text_at(event, "eventTime");
      if (at < newest) continue;
      newest = std::move(at);
      words = fmt::format("{}: {}", text_at(event, "reason"), text_at(event, "note"));
    }
  return words;
}

// Why a job that has not begun shall not begin any more; empty: it is waited for.
std::string StoreJobs::why_give_up(const json::Value& job, const json::Value* pod,
                                   const std::string& held_up, const Scope& scope) {
  const auto job_name = text_at(job, "metadata.name");
  const auto now = shared_.parts.clock.tick();
  const auto since = waits_.emplace(job_name, now).first->second;
  if (now - since < kPatience) return {};
  auto words = held_up;
  if (words.empty())
    words = pod == nullptr ? warning_about("Job", job_name, scope)
                           : warning_about("Pod", text_at(*pod, "metadata.name"), scope);
  return words;
}

// It never begins after this, so that another can be tried.
base::Status StoreJobs::give_up(const json::Value& job, const std::string& why,
                                const Scope& scope) {
  json::Object annotations;
  annotations[render::kGivenUpAnnotation] = why.substr(0, kLongestWords);
  const json::Value patch =
      json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}},
                   {"spec", json::Object{{"suspend", true}}}};
  TRY_OK(objects_.send(kube::merge_patch(kube::kJobs, name(text_at(job, "metadata.name")), patch,
                                         {.uid = text_at(job, "metadata.uid")}),
                       scope.stop));
  return {};
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
  auto pod = pod_of(job, /*ask=*/false, scope);
  if (!pod) return Seen::unknown(pod.error().message);
  auto sight = judge_job(job, pod->get());
  if (!sight.running && sight.report.empty()) {
    pod = pod_of(job, /*ask=*/true, scope);
    if (!pod) return Seen::unknown(pod.error().message);
    sight = judge_job(job, pod->get());
  }
  plan::StoreJob out{epoch_of(job), sight.running, {}};
  if (sight.started || !sight.running) waits_.erase(text_at(job, "metadata.name"));
  if (!sight.running) {
    out.report = of.read(sight.file, sight.report);
    if (!out.report) out.report = failure(sight.ended);
    if (decided_.size() > kRemembered) decided_.clear();
    decided_.emplace(uid, out);
  } else if (!sight.started) {
    if (const auto why = why_give_up(job, pod->get(), sight.held_up, scope); !why.empty())
      if (const auto given = give_up(job, why, scope); !given)
        return Seen::unknown(given.error().message);
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
}

// Where a store is for a pod of ours. `cluster`: whose backups, where they lie in a volume of its
// own.
base::Result<StoreJobs::Place> StoreJobs::place_of(const api::ObjectLocation* at,
                                                   const std::string& cluster) const {
  Place out;
  out.wish = at;
  out.common.cluster = {objects_.key().ns, cluster};
  const bool own_volume = at == nullptr || (at->kind == "pvc" && at->path.empty());
  if (own_volume || at->kind == "pvc") {
    out.access.claim = own_volume ? api::ObjectNames{cluster}.backups() : at->path;
    out.access.shared = !own_volume;
    out.common.direct = own_volume;
    out.common.store.url = fmt::format("file://{}", render::kBackupsDir);
    return out;
  }
  if (at->kind == "local")
    return std::unexpected(refusal(
        "a directory of a node is no place for backups on Kubernetes: use pvc, or a bucket"));
  out.common.store = jobs::store_of(*at);
  out.access.secret = at->secret;
  if (!at->secret.empty()) out.common.store.secret = render::kStoreSecretDir;
  return out;
}

// From which place, and of which cluster, a formation begins.
base::Result<StoreJobs::Place> StoreJobs::source_of(const engine::Job& job) const {
  const auto& spec = job.intent.cluster.spec;
  const auto pointer = [](const auto& place) { return place ? &*place : nullptr; };
  const bool by_backup = job.record.restore.after_loss && spec.backup;
  if (!by_backup && !spec.restore)
    return std::unexpected(refusal("nothing says where backups are"));
  const bool another = !by_backup && !spec.restore->backup_cluster_name.empty();
  TRY(auto out, place_of(pointer(by_backup ? spec.backup->destination : spec.restore->source),
                         another ? spec.restore->backup_cluster_name : objects_.key().name));
  add_encryption_key(spec, out.access, out.common);
  return out;
}

base::Status StoreJobs::start(const render::StoreJob& job, const Place& place, const Scope& scope) {
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

base::Status StoreJobs::start_backup(int epoch, const Scope& scope) {
  const auto& spec = scope.cluster().spec;
  if (!spec.backup) return std::unexpected(refusal("no backup block"));
  const auto* at = spec.backup->destination ? &*spec.backup->destination : nullptr;
  TRY(auto place, place_of(at, objects_.key().name));
  TRY_OK(end_drill(scope));
  add_encryption_key(spec, place.access, place.common);
  auto job = jobs::backup_job(*spec.backup, scope.job.record, epoch);
  place.common.deadline = job.common.deadline;
  job.common = place.common;
  job.common.scratch = render::kJobScratch;
  job.common.report = render::kReportFile;
  jobs::add_endpoints(scope.job.record, job);
  const bool tls = spec.tls.mode != api::TlsMode::kDisabled;
  if (tls) {
    const auto files = render::job_tls_files();
    job.tls = archive::TlsFiles{files.ca, files.cert, files.key};
  }
  return start({.kind = kBackup,
                .epoch = epoch,
                .words = {"archive", "run"},
                .file = archive::to_json(job),
                .store = place.access,
                .client = tls,
                .deadline = job.common.deadline},
               place, scope);
}

// A backup does not wait for it. One that has ended stays to be looked at.
base::Status StoreJobs::end_drill(const Scope& scope) {
  for (const auto& job : all(kDrill, scope.cluster())) {
    TRY(const auto pod, pod_of(*job, /*ask=*/false, scope));
    if (!judge_job(*job, pod.get()).running) continue;
    TRY_OK(objects_.remove(kube::kJobs, text_at(*job, "metadata.name"), scope.cluster().uid,
                           scope.stop));
  }
  return {};
}

base::Status StoreJobs::start_drill(int epoch, const Scope& scope) {
  const auto& spec = scope.cluster().spec;
  if (!spec.backup) return std::unexpected(refusal("no backup block"));
  const auto* at = spec.backup->destination ? &*spec.backup->destination : nullptr;
  TRY(auto place, place_of(at, objects_.key().name));
  add_encryption_key(spec, place.access, place.common);
  auto job = jobs::drill_job(*spec.backup, scope.job.record);
  place.common.deadline = job.common.deadline;
  job.common = place.common;
  job.common.scratch = render::kJobScratch;
  job.common.report = render::kReportFile;
  const bool has_etcdutl = spec.version.minor >= 5;
  job.programs = {spec.version.text(), fmt::format("{}/etcd", render::kJobEtcdDir),
                  fmt::format("{}/{}", render::kJobEtcdDir, has_etcdutl ? "etcdutl" : "etcdctl")};
  return start({.kind = kDrill,
                .epoch = epoch,
                .words = {"archive", "drill"},
                .file = archive::to_json(job),
                .store = place.access,
                .etcd = spec.version,
                .deadline = job.common.deadline},
               place, scope);
}

base::Status StoreJobs::start_fetch(int epoch, const Scope& scope) {
  TRY(const auto place, source_of(scope.job));
  archive::FetchJob job;
  job.common = place.common;
  job.common.deadline = jobs::kFetchDeadline;
  job.common.scratch = render::kJobScratch;
  job.common.report = render::kReportFile;
  // Only what it is, and that it is good, is learnt: the member that begins with it gets its own.
  job.to = fmt::format("{}/snapshot.db", render::kJobScratch);
  return start({.kind = kFetch,
                .epoch = epoch,
                .words = {"archive", "fetch"},
                .file = archive::to_json(job),
                .store = place.access,
                .deadline = job.common.deadline},
               place, scope);
}

// What the first member's pod does before its guard begins.
base::Result<render::FetchedBackup> StoreJobs::fetched_backup(const engine::Job& of) const {
  TRY(const auto place, source_of(of));
  const auto name = jobs::name_in_store(of.record.restore.location);
  if (name.empty()) return std::unexpected(refusal("the record names no backup"));
  const std::string folder(render::kFetchedSnapshot.substr(0, render::kFetchedSnapshot.rfind('/')));
  archive::FetchJob job;
  job.common = place.common;
  job.common.deadline = jobs::kFetchDeadline;
  job.common.scratch = folder + "/scratch";
  job.common.report = render::kReportFile;
  job.name = name;
  job.to = render::kFetchedSnapshot;
  return render::FetchedBackup{place.access, archive::to_json(job)};
}

// The look into a store is over when the cluster serves.
base::Status StoreJobs::tidy(const Scope& scope) {
  const auto& record = scope.job.record;
  if (!record.open_to_clients || record.restore.after_loss || record.restore.running) return {};
  return drop(kFetch, 0, record.restore.epoch + 1, scope);
}

}  // namespace k8s
