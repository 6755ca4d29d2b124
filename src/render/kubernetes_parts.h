// Shared by the builders of Kubernetes objects only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "render/kubernetes.h"

namespace render {

// What the user's pod template has of this name, kept as its JSON text; no value: nothing.
std::optional<json::Value> pod_field(const api::ClusterSpec& spec, std::string_view name);
std::string pod_text(const api::ClusterSpec& spec, std::string_view name, std::string otherwise);

// On every object of a cluster.
json::Object common_labels(const api::Cluster& cluster);
// What finds the cluster's pods.
json::Object cluster_selector(const api::Cluster& cluster);
// Metadata with labels and, if the API server gave the cluster an id, its owner.
json::Value object_of(const api::Cluster& cluster, std::string_view api, std::string_view kind,
                      const std::string& name, bool owned = true);

// affinity, topologySpreadConstraints, tolerations, nodeSelector of a pod.
void place_pod(const api::Cluster& cluster, json::Object& pod);

// The claim's size where none is given: etcd's largest sensible database with its log.
inline constexpr std::int64_t kDefaultVolumeBytes = std::int64_t{10} << 30;

}  // namespace render
