// Everything of a cluster but its members' pods.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/names.h"
#include "api/quantity.h"
#include "json/json.h"
#include "render/kubernetes_parts.h"

namespace render {

using json::Array;
using json::Object;
using json::Value;

namespace {

constexpr std::string_view kManagedBy = "etcd-operator";

Value port(std::string_view name, int number) {
  return Object{{"name", name}, {"port", number}, {"targetPort", name}};
}

std::string domain_of(const api::Cluster& cluster, const KubernetesPlatform& platform) {
  auto domain = pod_text(cluster.spec, "ClusterDomain", platform.cluster_domain);
  if (domain.starts_with('.')) domain.erase(0, 1);
  return domain.empty() ? platform.cluster_domain : domain;
}

Value from_pods(Object labels) {
  return Object{{"podSelector", Object{{"matchLabels", std::move(labels)}}}};
}

Value from_namespace(const std::string& name) {
  return Object{{"namespaceSelector",
                 Object{{"matchLabels", Object{{"kubernetes.io/metadata.name", name}}}}}};
}

Value ports(std::initializer_list<int> numbers) {
  Array out;
  for (const int number : numbers) out.push_back(Object{{"port", number}, {"protocol", "TCP"}});
  return out;
}

}  // namespace

std::string_view name_of(VolumeState state) {
  switch (state) {
    case VolumeState::kForming:
      return "forming";
    case VolumeState::kMember:
      return "member";
    case VolumeState::kRemoved:
      return "removed";
  }
  std::unreachable();
}

std::optional<Value> pod_field(const api::ClusterSpec& spec, std::string_view name) {
  const auto at = spec.pod.raw_json.find(std::string(name));
  if (at == spec.pod.raw_json.end()) return std::nullopt;
  auto value = json::parse(at->second);
  if (!value) return std::nullopt;
  return *std::move(value);
}

std::string pod_text(const api::ClusterSpec& spec, std::string_view name, std::string otherwise) {
  const auto value = pod_field(spec, name);
  const auto* text = value ? value->if_string() : nullptr;
  if (text != nullptr && !text->empty()) return *text;
  return otherwise;
}

Object cluster_selector(const api::Cluster& cluster) {
  return {{std::string(kClusterLabel), cluster.key.name}};
}

Object common_labels(const api::Cluster& cluster) {
  Object out{{"app.kubernetes.io/name", "etcd"},
             {"app.kubernetes.io/instance", cluster.key.name},
             {"app.kubernetes.io/managed-by", kManagedBy}};
  out[kClusterLabel] = cluster.key.name;
  return out;
}

Value object_of(const api::Cluster& cluster, std::string_view api, std::string_view kind,
                const std::string& name, bool owned) {
  Object metadata{
      {"name", name}, {"namespace", cluster.key.ns}, {"labels", common_labels(cluster)}};
  if (owned && !cluster.uid.empty()) {
    const bool coreos = cluster.group == api::Group::kCoreOs;
    metadata["ownerReferences"] = Array{Object{
        {"apiVersion", coreos ? "etcd.database.coreos.com/v1beta2" : "operator.etcd.io/v1alpha1"},
        {"kind", "EtcdCluster"},
        {"name", cluster.key.name},
        {"uid", cluster.uid},
        {"controller", true},
        {"blockOwnerDeletion", true}}};
  }
  return Object{{"apiVersion", api}, {"kind", kind}, {"metadata", std::move(metadata)}};
}

MemberAddresses kubernetes_addresses(const api::Cluster& cluster, const KubernetesMember& member,
                                     const KubernetesPlatform& platform) {
  const auto host = fmt::format("{}.{}.{}.svc.{}", api::pod_of_member(member.name),
                                cluster.key.name, cluster.key.ns, domain_of(cluster, platform));
  const auto client = [&](std::string_view at) {
    const auto https = fmt::format("https://{}:{}", at, kClientPort);
    const auto http = fmt::format("http://{}:{}", at, kClientPort);
    if (member.tls == api::TlsMode::kMigrating) return https + "," + http;
    return member.tls == api::TlsMode::kDisabled ? http : https;
  };
  return {client("0.0.0.0"), client(host), fmt::format("https://0.0.0.0:{}", kPeerPort),
          fmt::format("https://{}:{}", host, kPeerPort),
          fmt::format("http://0.0.0.0:{}", kMetricsPort)};
}

std::vector<std::string> certificate_names(const api::Cluster& cluster,
                                           const KubernetesPlatform& platform) {
  const api::ObjectNames names{cluster.key.name};
  const auto& ns = cluster.key.ns;
  const auto domain = domain_of(cluster, platform);
  std::vector<std::string> out{"localhost"};
  for (const auto& service : {"*." + names.headless_service(), names.client_service()})
    for (const auto& zone : {ns + ".svc", ns + ".svc." + domain})
      out.push_back(service + "." + zone);
  out.push_back(names.client_service());
  out.push_back(names.client_service() + "." + ns);
  out.insert(out.end(), cluster.spec.tls.dns_names.begin(), cluster.spec.tls.dns_names.end());
  return out;
}

std::string pod_selector(const api::Cluster& cluster) {
  return fmt::format("{}={}", kClusterLabel, cluster.key.name);
}

Value headless_service(const api::Cluster& cluster) {
  const api::ObjectNames names{cluster.key.name};
  auto out = object_of(cluster, "v1", "Service", names.headless_service());
  out["spec"] = Object{{"clusterIP", "None"},
                       // Members find each other while none of them is ready.
                       {"publishNotReadyAddresses", true},
                       {"selector", cluster_selector(cluster)},
                       {"ports", Array{port("client", kClientPort), port("peer", kPeerPort),
                                       port("metrics", kMetricsPort)}}};
  return out;
}

Value client_service(const api::Cluster& cluster, const std::string& incarnation) {
  const api::ObjectNames names{cluster.key.name};
  auto out = object_of(cluster, "v1", "Service", names.client_service());
  if (!cluster.spec.service_annotations.empty()) {
    auto& annotations = out["metadata"]["annotations"];
    for (const auto& [key, value] : cluster.spec.service_annotations) annotations[key] = value;
  }
  auto selector = cluster_selector(cluster);
  selector[kServingLabel] = "true";
  selector[kIncarnationLabel] = incarnation;
  out["spec"] = Object{{"type", cluster.spec.service_type},
                       {"selector", std::move(selector)},
                       {"ports", Array{port("client", kClientPort)}}};
  return out;
}

Value service_account(const api::Cluster& cluster) {
  const api::ObjectNames names{cluster.key.name};
  auto out = object_of(cluster, "v1", "ServiceAccount", names.service_account());
  out["automountServiceAccountToken"] = false;
  return out;
}

std::optional<Value> disruption_budget(const api::Cluster& cluster, int live_voters) {
  const int size = std::max(live_voters, cluster.spec.size);
  if (size < 3) return std::nullopt;
  const api::ObjectNames names{cluster.key.name};
  auto out = object_of(cluster, "policy/v1", "PodDisruptionBudget", names.disruption_budget());
  auto voters = cluster_selector(cluster);
  voters[kRoleLabel] = "voter";
  out["spec"] = Object{{"minAvailable", size / 2 + 1},
                       {"selector", Object{{"matchLabels", std::move(voters)}}}};
  return out;
}

std::optional<Value> network_policy(const api::Cluster& cluster,
                                    const KubernetesPlatform& platform) {
  if (!cluster.spec.network_policy) return std::nullopt;
  const api::ObjectNames names{cluster.key.name};
  auto out = object_of(cluster, "networking.k8s.io/v1", "NetworkPolicy", names.network_policy());
  const auto own = cluster_selector(cluster);
  // Clients prove who they are by certificate, whereever they come from; the kubelet's probes come
  // from the node, which no policy holds back.
  out["spec"] = Object{
      {"podSelector", Object{{"matchLabels", own}}},
      {"policyTypes", Array{"Ingress"}},
      {"ingress",
       Array{Object{{"ports", ports({kPeerPort})}, {"from", Array{from_pods(own)}}},
             Object{{"ports", ports({kClientPort, kMetricsPort})},
                    {"from", Array{from_pods(own), from_namespace(platform.operator_namespace)}}},
             Object{{"ports", ports({kClientPort})}}}}};
  return out;
}

bool has_claims(const api::ClusterSpec& spec, const KubernetesPlatform& platform) {
  const auto& storage = spec.storage;
  if (storage.type == api::StorageType::kEmptyDir || storage.claim_name) return false;
  return storage.given || platform.default_class;
}

bool is_ephemeral(const api::ClusterSpec& spec, const KubernetesPlatform& platform) {
  return !has_claims(spec, platform) && !spec.storage.claim_name;
}

Value member_claim(const api::Cluster& cluster, const KubernetesMember& member) {
  const auto& storage = cluster.spec.storage;
  auto out = object_of(cluster, "v1", "PersistentVolumeClaim", api::claim_of_member(member.name),
                       /*owned=*/false);
  auto& labels = out["metadata"]["labels"];
  labels[kMemberLabel] = member.name;
  labels[kIncarnationLabel] = member.incarnation;
  labels[kVolumeStateLabel] = name_of(member.volume_state);
  auto& annotations = out["metadata"]["annotations"];
  annotations[kVolumeAnnotation] = member.volume;
  annotations[kEpochAnnotation] = std::to_string(member.epoch);
  if (member.cluster_id) annotations[kClusterIdAnnotation] = base::to_text(member.cluster_id);
  Object resources{{"requests", Object{{"storage", api::to_size_text(storage.request_bytes.value_or(
                                                       kDefaultVolumeBytes))}}}};
  if (storage.limit_bytes)
    resources["limits"] = Object{{"storage", api::to_size_text(*storage.limit_bytes)}};
  out["spec"] = Object{{"accessModes", Array{Value(storage.access_mode)}},
                       {"resources", std::move(resources)}};
  // Absent means the default class; an empty text means none.
  if (storage.storage_class) out["spec"]["storageClassName"] = *storage.storage_class;
  return out;
}

}  // namespace render
