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

// Parts of pods that pass the restricted security standard.
json::Value pod_security(const api::ClusterSpec& spec);  // the user's laid over ours
json::Value confined();                                  // of each container
json::Value mount(std::string_view name, std::string_view path, bool read_only);
// A user's Secret has the names of the CoreOS operator's for its keys.
json::Value tls_volume(std::string_view name, const std::string& own, const std::string& users,
                       std::string_view prefix);
// An annotation of the pod itself, as a file.
json::Value annotation_volume(std::string_view name, std::string_view annotation,
                              std::string_view file);
// Room for a whole snapshot.
json::Value scratch_volume(std::string_view name, const api::ClusterSpec& spec,
                           std::int64_t more = 0);
// A pod that has the cluster's volume of backups; others that need it go to the same node.
inline constexpr std::string_view kHasBackupsLabel = "operator.etcd.io/has-backups";
json::Array store_volumes(const StoreAccess& store);
json::Array store_mounts(const StoreAccess& store);

// The claim's size where none is given: etcd's largest sensible database with its log.
inline constexpr std::int64_t kDefaultVolumeBytes = std::int64_t{10} << 30;

}  // namespace render
