// A member's StatefulSet and its pod.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/names.h"
#include "render/kubernetes_parts.h"
#include "render/probes.h"

namespace render {

using json::Array;
using json::Object;
using json::Value;

namespace {

constexpr std::string_view kGuardDir = "/opt/etcd-operator";
constexpr std::string_view kGuard = "/opt/etcd-operator/etcd-guard";
constexpr std::string_view kEtcd = "/opt/etcd-operator/etcd";
constexpr std::string_view kSurvivorDir = "/var/lib/etcd-survivor";
constexpr std::string_view kTicketDir = "/etc/etcd-operator";
constexpr std::string_view kServerDir = "/etc/etcd/server";
constexpr std::string_view kPeerDir = "/etc/etcd/peer";
constexpr std::string_view kFetchDir = "/etc/etcd-operator-fetch";
constexpr std::string_view kFetchedDir = "/var/lib/etcd-restore";
constexpr std::int64_t kStopSeconds = 60;  // etcd hands its leadership over within a few

class Pod {
 public:
  Pod(const api::Cluster& cluster, const KubernetesMember& member,
      const KubernetesPlatform& platform)
      : cluster_(cluster), spec_(cluster.spec), member_(member), platform_(platform) {}

  [[nodiscard]] Object labels() const {
    Object out;
    for (const auto& [key, value] : spec_.pod.labels) out[key] = value;
    for (const auto& [key, value] : common_labels(cluster_)) out[key] = value;
    out[kMemberLabel] = member_.name;
    out[kIncarnationLabel] = member_.incarnation;
    out[kRoleLabel] = member_.voter ? "voter" : "learner";
    out[kServingLabel] = member_.serving ? "true" : "false";
    if (member_.fetch && !member_.fetch->store.claim.empty() && !member_.fetch->store.shared)
      out[kHasBackupsLabel] = member_.fetch->store.claim;
    // What selectors of users of the former operators look for.
    if (cluster_.group == api::Group::kCoreOs) {
      out["app"] = "etcd";
      out["etcd_cluster"] = cluster_.key.name;
      out["etcd_node"] = member_.name;
    } else {
      out["app"] = cluster_.key.name;
      out["controller"] = cluster_.key.name;
    }
    return out;
  }

  [[nodiscard]] Object annotations() const {
    Object out;
    for (const auto& [key, value] : spec_.pod.annotations) out[key] = value;
    if (cluster_.group == api::Group::kCoreOs) out["etcd.version"] = member_.version.text();
    out[kTemplateAnnotation] = member_.template_hash;
    out[kTicketAnnotation] = member_.ticket;
    if (member_.fetch) out[kFetchAnnotation] = member_.fetch->file;
    return out;
  }

  [[nodiscard]] Value spec() const {
    const api::ObjectNames names{cluster_.key.name};
    Object out{
        {"serviceAccountName", pod_text(spec_, "serviceAccountName", names.service_account())},
        {"automountServiceAccountToken", false},
        // A Service named etcd would set variables that etcd takes for its flags.
        {"enableServiceLinks", false},
        {"securityContext", pod_security(spec_)},
        {"terminationGracePeriodSeconds", stop_seconds()},
        {"initContainers", init_containers()},
        {"containers", Array{container()}},
        {"volumes", volumes()}};
    place_pod(cluster_, out);
    for (const auto* name : {"priorityClassName", "schedulerName", "imagePullSecrets"})
      if (auto value = pod_field(spec_, name)) out[name] = *std::move(value);
    return out;
  }

 private:
  [[nodiscard]] bool plain() const { return member_.tls == api::TlsMode::kDisabled; }

  [[nodiscard]] std::int64_t stop_seconds() const {
    const auto given = pod_field(spec_, "terminationGracePeriodSeconds");
    return given ? given->as_int().value_or(kStopSeconds) : kStopSeconds;
  }

  void add_resources(Object& container) const {
    if (auto resources = pod_field(spec_, "resources")) container["resources"] = *resources;
  }

  // Copies the guard into the pod, because the image of etcd has no shell to do it with.
  [[nodiscard]] Value init_container() const {
    Object out{{"name", "guard"},
               {"image", platform_.operator_image},
               {"imagePullPolicy", "IfNotPresent"},
               {"command", Array{"/usr/bin/etcd-guard", "install", "--to", kGuard, "--member-dir",
                                 kMemberDir, "--ticket", fmt::format("{}/ticket", kTicketDir)}},
               {"securityContext", confined()},
               {"volumeMounts",
                Array{mount("guard", kGuardDir, false), mount("member", kMemberDir, false)}}};
    add_resources(out);  // the same again costs nothing: the two never run at once
    return out;
  }

  [[nodiscard]] std::string image() const {
    return fmt::format(
        "{}:v{}",
        spec_.image_repository.empty() ? platform_.default_repository : spec_.image_repository,
        member_.version.text());
  }

  // The program comes out of etcd's image, where nothing of ours runs but the guard; then ours
  // makes a snapshot of the survivor's data, from which the guard builds the member.
  [[nodiscard]] Array init_containers() const {
    Array out{init_container()};
    if (member_.fetch) out.push_back(fetch_container());
    if (member_.survivor.empty()) return out;
    Object program{{"name", "etcd-program"},
                   {"image", image()},
                   {"imagePullPolicy", "IfNotPresent"},
                   {"command", Array{kGuard, "copy", "--from", kEtcdPath, "--to", kEtcd}},
                   {"securityContext", confined()},
                   {"volumeMounts", Array{mount("guard", kGuardDir, false)}}};
    const auto work = kSurvivorSnapshot.substr(0, kSurvivorSnapshot.rfind('/'));
    Object data{{"name", "survivor"},
                {"image", platform_.operator_image},
                {"imagePullPolicy", "IfNotPresent"},
                {"command", Array{"/usr/bin/etcd-operator", "export-survivor", "--data",
                                  fmt::format("{}/data", kSurvivorDir), "--work", work, "--etcd",
                                  kEtcd, "--member", member_.survivor}},
                {"securityContext", confined()},
                {"terminationMessagePolicy", "FallbackToLogsOnError"},
                {"volumeMounts", Array{mount("guard", kGuardDir, true),
                                       mount("survivor", kSurvivorDir, true), data_mount()}}};
    add_resources(program);
    add_resources(data);
    out.emplace_back(std::move(program));
    out.emplace_back(std::move(data));
    return out;
  }

  // The backup that was found, into the pod's own scratch: the guard builds the member of it.
  [[nodiscard]] Value fetch_container() const {
    Array mounts = store_mounts(member_.fetch->store);
    mounts.push_back(mount("fetch", kFetchDir, true));
    mounts.push_back(mount("fetched", kFetchedDir, false));
    Object out{{"name", "fetch"},
               {"image", platform_.operator_image},
               {"imagePullPolicy", "IfNotPresent"},
               {"command", Array{"/usr/bin/etcd-operator", "archive", "fetch", "--required",
                                 "--job", fmt::format("{}/job.json", kFetchDir)}},
               {"securityContext", confined()},
               {"terminationMessagePolicy", "FallbackToLogsOnError"},
               {"volumeMounts", std::move(mounts)}};
    add_resources(out);
    return out;
  }

  [[nodiscard]] Value container() const {
    const auto grace = std::max<std::int64_t>(stop_seconds() - 5, 1);
    Array mounts{mount("guard", kGuardDir, true), mount("member", kMemberDir, false), data_mount(),
                 mount("ticket", kTicketDir, true)};
    mounts.push_back(mount("peer-tls", kPeerDir, true));
    if (!plain()) mounts.push_back(mount("server-tls", kServerDir, true));
    if (member_.fetch) mounts.push_back(mount("fetched", kFetchedDir, true));
    Object out{{"name", "etcd"},
               {"image", image()},
               {"imagePullPolicy", "IfNotPresent"},
               {"command", Array{kGuard, "run", "--member-dir", kMemberDir, "--stop-grace",
                                 std::to_string(grace), "--termination-message",
                                 "/dev/termination-log", "--echo", "yes"}},
               {"env", environment()},
               {"ports", Array{port("client", kClientPort), port("peer", kPeerPort),
                               port("metrics", kMetricsPort)}},
               {"startupProbe", startup_probe()},
               {"livenessProbe", liveness_probe()},
               {"readinessProbe", readiness_probe()},
               {"securityContext", confined()},
               {"volumeMounts", std::move(mounts)}};
    add_resources(out);
    return out;
  }

  [[nodiscard]] static Value port(std::string_view name, int number) {
    return Object{{"name", name}, {"containerPort", number}};
  }

  // For people: `kubectl exec POD -- etcdctl endpoint status`.
  [[nodiscard]] Value environment() const {
    std::vector<std::pair<std::string, std::string>> all{
        {"ETCDCTL_ENDPOINTS",
         fmt::format("{}://localhost:{}", plain() ? "http" : "https", kClientPort)}};
    if (!plain()) {
      const auto tls = kubernetes_tls_paths(member_.tls).server;
      all.insert(
          all.end(),
          {{"ETCDCTL_CACERT", tls.ca}, {"ETCDCTL_CERT", tls.cert}, {"ETCDCTL_KEY", tls.key}});
    }
    for (const auto& [name, value] : spec_.pod.env) {
      std::erase_if(all, [&](const auto& ours) { return ours.first == name; });
      all.emplace_back(name, value);
    }
    Array out;
    for (const auto& [name, value] : all) out.push_back(Object{{"name", name}, {"value", value}});
    return out;
  }

  struct Pace {
    int period = 0, timeout = 0;
    std::int64_t failures = 0;
  };
  [[nodiscard]] static Value probe(std::string_view how, Object what, Pace pace) {
    Object out;
    out[how] = std::move(what);
    out["periodSeconds"] = pace.period;
    out["timeoutSeconds"] = pace.timeout;
    out["failureThreshold"] = pace.failures;
    return out;
  }
  [[nodiscard]] static Value http(std::string_view path, Pace pace) {
    return probe("httpGet", {{"path", path}, {"port", "metrics"}}, pace);
  }
  [[nodiscard]] static Value tcp(Pace pace) {
    return probe("tcpSocket", {{"port", "metrics"}}, pace);
  }

  // Opening a large database takes its time: 30 s for each GiB of the volume.
  [[nodiscard]] Value startup_probe() const {
    const auto bytes = spec_.storage.request_bytes.value_or(kDefaultVolumeBytes);
    const Pace pace{1, 3, std::max<std::int64_t>(300, 30 * (bytes >> 30))};
    return has_livez(member_.version) ? http("/livez", pace) : tcp(pace);
  }
  // Fails only for a process that hangs: not for one that is slow, full or without a leader. Nor
  // for one that defragments: until it is done nothing can be read from its database, however long
  // that takes, and killed in the midst it would begin again.
  [[nodiscard]] Value liveness_probe() const {
    const Pace pace{10, 10, 6};
    return has_livez(member_.version) ? http("/livez?exclude=serializable_read", pace) : tcp(pace);
  }
  [[nodiscard]] Value readiness_probe() const {
    return http(has_livez(member_.version) ? "/readyz" : "/health?exclude=NOSPACE", {5, 5, 2});
  }

  [[nodiscard]] Value data_mount() const {
    auto out = mount("data", fmt::format("{}/volume", kMemberDir), false);
    if (spec_.storage.claim_name) out["subPath"] = member_.name;
    return out;
  }

  [[nodiscard]] Value data_volume() const {
    if (is_ephemeral(spec_, platform_)) {
      Object empty;
      if (spec_.storage.request_bytes) empty["sizeLimit"] = *spec_.storage.request_bytes;
      return Object{{"name", "data"}, {"emptyDir", std::move(empty)}};
    }
    const auto claim = spec_.storage.claim_name.value_or(api::claim_of_member(member_.name));
    return Object{{"name", "data"}, {"persistentVolumeClaim", Object{{"claimName", claim}}}};
  }

  [[nodiscard]] Value volumes() const {
    const api::ObjectNames names{cluster_.key.name};
    Array out{data_volume(), Object{{"name", "guard"}, {"emptyDir", Object{}}},
              Object{{"name", "member"}, {"emptyDir", Object{}}},
              annotation_volume("ticket", kTicketAnnotation, "ticket")};
    if (member_.fetch) {
      for (auto& volume : store_volumes(member_.fetch->store)) out.push_back(std::move(volume));
      out.push_back(annotation_volume("fetch", kFetchAnnotation, "job.json"));
      out.push_back(scratch_volume("fetched", spec_));
    }
    if (!member_.survivor.empty())
      out.push_back(Object{
          {"name", "survivor"},
          {"persistentVolumeClaim",
           Object{{"claimName", api::claim_of_member(member_.survivor)}, {"readOnly", true}}}});
    const auto& tls = spec_.tls;
    out.push_back(tls_volume("peer-tls", names.peer_tls(), tls.peer_secret, "peer"));
    if (!plain())
      out.push_back(tls_volume("server-tls", names.server_tls(), tls.server_secret, "server"));
    return out;
  }

  const api::Cluster& cluster_;
  const api::ClusterSpec& spec_;
  const KubernetesMember& member_;
  const KubernetesPlatform& platform_;
};

}  // namespace

bool has_livez(const api::Version& version) {
  return version >= api::Version{3, 5, 12, {}};
}

TlsPaths kubernetes_tls_paths(api::TlsMode mode) {
  const auto in = [](std::string_view folder) {
    return TlsFiles{fmt::format("{}/tls.crt", folder), fmt::format("{}/tls.key", folder),
                    fmt::format("{}/ca.crt", folder)};
  };
  TlsPaths out;
  out.peer = in(kPeerDir);
  if (mode != api::TlsMode::kDisabled) out.server = in(kServerDir);
  return out;
}

Value member_workload(const api::Cluster& cluster, const KubernetesMember& member,
                      const KubernetesPlatform& platform) {
  const Pod pod(cluster, member, platform);
  auto out = object_of(cluster, "apps/v1", "StatefulSet", member.name);
  auto& metadata = out["metadata"];
  metadata["labels"][kMemberLabel] = member.name;
  metadata["labels"][kIncarnationLabel] = member.incarnation;
  metadata["annotations"][kTemplateAnnotation] = member.template_hash;
  metadata["annotations"][kVolumeAnnotation] = member.volume;
  metadata["annotations"][kEpochAnnotation] = std::to_string(member.epoch);
  if (member.cluster_id)
    metadata["annotations"][kClusterIdAnnotation] = base::to_text(member.cluster_id);
  auto selector = cluster_selector(cluster);
  selector[kMemberLabel] = member.name;
  out["spec"] = Object{
      {"replicas", member.running ? 1 : 0},
      {"serviceName", api::ObjectNames{cluster.key.name}.headless_service()},
      // The operator alone decides when a member is restarted.
      {"updateStrategy", Object{{"type", "OnDelete"}}},
      {"podManagementPolicy", "Parallel"},
      {"revisionHistoryLimit", 1},
      {"selector", Object{{"matchLabels", std::move(selector)}}},
      {"template",
       Object{{"metadata", Object{{"labels", pod.labels()}, {"annotations", pod.annotations()}}},
              {"spec", pod.spec()}}}};
  return out;
}

}  // namespace render
