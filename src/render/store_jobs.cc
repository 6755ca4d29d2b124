#include "render/store_jobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/names.h"
#include "api/quantity.h"
#include "base/text.h"
#include "render/kubernetes_parts.h"

namespace render {

using json::Array;
using json::Object;
using json::Value;

namespace {

constexpr std::string_view kClientDir = "/etc/etcd-operator/client";
constexpr std::string_view kGuard = "/opt/etcd-operator/etcd-guard";
// From its creation: its pod has to find a node, its image and its volumes first.
constexpr std::chrono::seconds kStartsWithin{300};
// A node that is away: how long one without an end stays bound to it. Another one takes its place;
// of two at work the older one is fenced by its epoch.
constexpr int kAwayWithin = 30;
// What a new member's log takes, however small its database is.
constexpr std::int64_t kLogBytes = std::int64_t{256} << 20;

class JobPod {
 public:
  JobPod(const api::Cluster& cluster, const StoreJob& job, const KubernetesPlatform& platform)
      : cluster_(cluster), job_(job), platform_(platform) {}

  [[nodiscard]] Object labels() const {
    Object out{{"app.kubernetes.io/name", "etcd-backup"},
               {"app.kubernetes.io/instance", cluster_.key.name},
               {"app.kubernetes.io/managed-by", "etcd-operator"}};
    out[kJobOfLabel] = job_.owner ? job_.owner->uid : cluster_.key.name;
    out[kJobKindLabel] = job_.kind;
    out[kJobEpochLabel] = std::to_string(job_.epoch);
    return out;
  }

  // Others that need its volume go to its node.
  [[nodiscard]] Object pod_labels() const {
    Object out = labels();
    if (!job_.deadline && has_volume()) out[kHasBackupsLabel] = job_.store.claim;
    return out;
  }

  [[nodiscard]] Object annotations() const {
    Object out;
    out[kJobFileAnnotation] = job_.file;
    return out;
  }

  [[nodiscard]] Value spec() const {
    const api::ObjectNames names{cluster_.key.name};
    const auto& user = cluster_.spec;
    Object out{
        {"restartPolicy", "Never"},
        {"serviceAccountName", pod_text(user, "serviceAccountName", names.service_account())},
        {"automountServiceAccountToken", false},
        {"enableServiceLinks", false},
        {"securityContext", pod_security(user)},
        {"containers", Array{container()}},
        {"volumes", volumes()}};
    if (job_.etcd) out["initContainers"] = programs();
    if (has_volume()) out["affinity"] = beside_its_volume();
    for (const auto& [key, value] : user.pod.node_selector) out["nodeSelector"][key] = value;
    for (const auto* name :
         {"tolerations", "priorityClassName", "schedulerName", "imagePullSecrets"})
      if (auto value = pod_field(user, name)) out[name] = *std::move(value);
    if (!job_.deadline) add_tolerations(out);
    return out;
  }

 private:
  // The store is a volume that one node at a time may have.
  [[nodiscard]] bool has_volume() const { return !job_.store.claim.empty() && !job_.store.shared; }

  static void add_tolerations(Object& pod) {
    Array all;
    if (const auto* users = pod.find("tolerations"); users != nullptr && users->is_array())
      all = *users->if_array();
    for (const auto* taint : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"})
      all.push_back(Object{{"key", taint},
                           {"operator", "Exists"},
                           {"effect", "NoExecute"},
                           {"tolerationSeconds", kAwayWithin}});
    pod["tolerations"] = std::move(all);
  }

  [[nodiscard]] Value container() const {
    Array command{"/usr/bin/etcd-operator"};
    for (const auto& word : job_.words) command.emplace_back(word);
    command.emplace_back("--job");
    command.emplace_back(kJobFile);
    Array mounts = store_mounts(job_.store);
    mounts.push_back(mount("job", kJobFile.substr(0, kJobFile.rfind('/')), true));
    mounts.push_back(mount("scratch", kJobScratch, false));
    if (job_.client) mounts.push_back(mount("client", kClientDir, true));
    if (job_.etcd) mounts.push_back(mount("programs", kJobEtcdDir, true));
    Object out{{"name", kJobContainer},
               {"image", platform_.operator_image},
               {"imagePullPolicy", "IfNotPresent"},
               {"command", std::move(command)},
               {"terminationMessagePath", kReportFile},
               {"terminationMessagePolicy", "FallbackToLogsOnError"},
               {"resources", resources()},
               {"securityContext", confined()},
               {"volumeMounts", std::move(mounts)}};
    if (!job_.deadline)
      out["ports"] = Array{Object{{"name", "status"}, {"containerPort", kStatusPort}}};
    return out;
  }

  // A volume that is in use on a node may not be had on another one.
  [[nodiscard]] Value beside_its_volume() const {
    Object labels;
    labels[kHasBackupsLabel] = job_.store.claim;
    const Value term = Object{{"topologyKey", "kubernetes.io/hostname"},
                              {"labelSelector", Object{{"matchLabels", std::move(labels)}}}};
    return Object{
        {"podAffinity", Object{{"preferredDuringSchedulingIgnoredDuringExecution",
                                Array{Object{{"weight", 100}, {"podAffinityTerm", term}}}}}}};
  }

  [[nodiscard]] static Value resources() {
    return Object{{"requests", Object{{"cpu", "50m"}, {"memory", "128Mi"}}}};
  }

  // etcd's programs come out of its own image, which has no shell to copy them with.
  [[nodiscard]] Array programs() const {
    const auto repository = cluster_.spec.image_repository.empty() ? platform_.default_repository
                                                                   : cluster_.spec.image_repository;
    const auto image = fmt::format("{}:v{}", repository, job_.etcd->text());
    Array out;
    const auto add = [&](std::string_view name, const std::string& from, Array command) {
      out.push_back(Object{{"name", name},
                           {"image", from},
                           {"imagePullPolicy", "IfNotPresent"},
                           {"command", std::move(command)},
                           {"resources", resources()},
                           {"securityContext", confined()},
                           {"volumeMounts", Array{mount("programs", kJobEtcdDir, false)}}});
    };
    const auto copy = [&](std::string_view with, std::string_view from) {
      return Array{with,     "copy",
                   "--from", from,
                   "--to",   fmt::format("{}/{}", kJobEtcdDir, from.substr(from.rfind('/') + 1))};
    };
    add("guard", platform_.operator_image, copy("/usr/bin/etcd-guard", "/usr/bin/etcd-guard"));
    add("etcd-program", image, copy(kGuard, kEtcdPath));
    if (job_.etcd->minor >= 5)
      add("etcdutl-program", image, copy(kGuard, kEtcdutlPath));
    else
      add("etcdctl-program", image, copy(kGuard, kEtcdctlPath));
    return out;
  }

  [[nodiscard]] Array volumes() const {
    Array out = store_volumes(job_.store);
    out.push_back(annotation_volume("job", kJobFileAnnotation, "job.json"));
    out.push_back(scratch_volume("scratch", cluster_.spec, job_.etcd ? kLogBytes : 0));
    if (job_.client) out.push_back(client_volume());
    if (job_.etcd) out.push_back(Object{{"name", "programs"}, {"emptyDir", Object{}}});
    return out;
  }

  [[nodiscard]] Value client_volume() const {
    const auto& tls = cluster_.spec.tls;
    const bool users =
        tls.provider == api::TlsProvider::kUserSecrets && !tls.operator_secret.empty();
    const api::ObjectNames names{cluster_.key.name};
    return tls_volume("client", names.operator_tls(), users ? tls.operator_secret : "",
                      "etcd-client");
  }

  const api::Cluster& cluster_;
  const StoreJob& job_;
  const KubernetesPlatform& platform_;
};

Array owner_of(const JobOwner& owner) {
  return Array{Object{{"apiVersion", owner.api_version},
                      {"kind", owner.kind},
                      {"name", owner.name},
                      {"uid", owner.uid},
                      {"controller", true},
                      {"blockOwnerDeletion", true}}};
}

}  // namespace

TlsFiles job_tls_files() {
  return {fmt::format("{}/tls.crt", kClientDir), fmt::format("{}/tls.key", kClientDir),
          fmt::format("{}/ca.crt", kClientDir)};
}

std::string job_name(const std::string& cluster, const std::string& kind, int epoch) {
  return fmt::format("{}-{}-{}", cluster, kind, epoch);
}

std::string job_name(const JobOwner& owner, int epoch) {
  constexpr size_t kMost = 40;
  auto name = owner.name.substr(0, kMost);
  while (name.ends_with('-') || name.ends_with('.')) name.pop_back();
  return fmt::format("{}-{:08x}-{}", name, base::crc32c(owner.uid), epoch);
}

std::int64_t scratch_bytes(const api::ClusterSpec& spec) {
  const auto volume = spec.storage.request_bytes.value_or(kDefaultVolumeBytes);
  return 2 * volume;
}

Value store_job(const api::Cluster& cluster, const StoreJob& job,
                const KubernetesPlatform& platform) {
  const JobPod pod(cluster, job, platform);
  const auto name =
      job.owner ? job_name(*job.owner, job.epoch) : job_name(cluster.key.name, job.kind, job.epoch);
  auto out = object_of(cluster, "batch/v1", "Job", name);
  if (job.owner) out["metadata"]["ownerReferences"] = owner_of(*job.owner);
  for (const auto& [key, value] : job.notes) out["metadata"]["annotations"][key] = value;
  for (const auto& [key, value] : pod.labels()) out["metadata"]["labels"][key] = value;
  // A second try is another job, which looks first for what this one has done.
  Object spec{{"backoffLimit", 0}, {"completions", 1}, {"parallelism", 1}};
  if (job.deadline) spec["activeDeadlineSeconds"] = (*job.deadline + kStartsWithin).count();
  spec["template"] =
      Object{{"metadata", Object{{"labels", pod.pod_labels()}, {"annotations", pod.annotations()}}},
             {"spec", pod.spec()}};
  out["spec"] = std::move(spec);
  return out;
}

Value backups_claim(const api::Cluster& cluster, const api::ObjectLocation* wish) {
  const api::ObjectNames names{cluster.key.name};
  const auto& storage = cluster.spec.storage;
  auto out = object_of(cluster, "v1", "PersistentVolumeClaim", names.backups(), /*owned=*/false);
  const auto bytes = wish != nullptr && wish->volume_bytes > 0
                         ? wish->volume_bytes
                         : storage.request_bytes.value_or(kDefaultVolumeBytes);
  out["spec"] =
      Object{{"accessModes", Array{"ReadWriteOnce"}},
             {"resources", Object{{"requests", Object{{"storage", api::to_size_text(bytes)}}}}}};
  if (wish != nullptr && !wish->storage_class.empty())
    out["spec"]["storageClassName"] = wish->storage_class;
  else if (storage.storage_class)
    out["spec"]["storageClassName"] = *storage.storage_class;
  return out;
}

}  // namespace render
