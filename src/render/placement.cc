// Where a member's pod may run: apart from the others where that is possible, and as the user says.
#include <utility>

#include "render/kubernetes_parts.h"

namespace render {

using json::Array;
using json::Object;
using json::Value;

namespace {

constexpr std::string_view kHost = "kubernetes.io/hostname";
constexpr std::string_view kZone = "topology.kubernetes.io/zone";

Value selects(const api::Cluster& cluster) {
  return Object{{"matchLabels", cluster_selector(cluster)}};
}

Value apart_by_host(const api::Cluster& cluster, bool required) {
  const Value term = Object{{"topologyKey", kHost}, {"labelSelector", selects(cluster)}};
  if (required) return Object{{"requiredDuringSchedulingIgnoredDuringExecution", Array{term}}};
  return Object{{"preferredDuringSchedulingIgnoredDuringExecution",
                 Array{Object{{"weight", 100}, {"podAffinityTerm", term}}}}};
}

// Adds to every term that the user requires, or makes the first one.
void require_zones(Object& affinity, const std::vector<std::string>& zones) {
  const Value expression = Object{{"key", kZone}, {"operator", "In"}, {"values", zones}};
  auto& terms = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
                        ["nodeSelectorTerms"];
  if (terms.is_null()) {
    terms.push_back(Object{{"matchExpressions", Array{expression}}});
    return;
  }
  for (auto& term : *terms.if_array()) term["matchExpressions"].push_back(expression);
}

Value spread_over(std::string_view topology, const api::Cluster& cluster) {
  return Object{{"maxSkew", 1},
                {"topologyKey", topology},
                // One node or zone can hold the whole cluster where there is no other.
                {"whenUnsatisfiable", "ScheduleAnyway"},
                {"labelSelector", selects(cluster)}};
}

}  // namespace

void place_pod(const api::Cluster& cluster, Object& pod) {
  const auto& spec = cluster.spec;
  Object affinity;
  if (const auto own = pod_field(spec, "affinity"); own && own->is_object())
    affinity = *own->if_object();
  const bool required = spec.pod.raw_json.contains("antiAffinity");
  // The user's rule on other pods stands in place of ours.
  if (required || affinity.find("podAntiAffinity") == nullptr)
    affinity["podAntiAffinity"] = apart_by_host(cluster, required);
  if (!spec.zones.empty()) require_zones(affinity, spec.zones);
  pod["affinity"] = std::move(affinity);
  pod["topologySpreadConstraints"] =
      pod_field(spec, "topologySpreadConstraints")
          .value_or(Array{spread_over(kZone, cluster), spread_over(kHost, cluster)});
  if (!spec.pod.node_selector.empty())
    for (const auto& [key, value] : spec.pod.node_selector) pod["nodeSelector"][key] = value;
  if (auto tolerations = pod_field(spec, "tolerations"))
    pod["tolerations"] = *std::move(tolerations);
}

}  // namespace render
