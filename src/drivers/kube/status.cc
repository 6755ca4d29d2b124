#include "drivers/kube/status.h"

#include <utility>

#include "api/status_json.h"

namespace k8s {

const kube::Resource& resource_of(api::Group group) {
  return group == api::Group::kCoreOs ? kube::kCoreosClusters : kube::kEtcdClusters;
}

json::Value status_json(const api::ClusterStatus& status, const api::Cluster& cluster) {
  return cluster.group == api::Group::kCoreOs ? api::to_coreos_json(status, cluster)
                                              : api::to_json(status);
}

// Whole: a merge would keep what is no longer said.
kube::Request status_request(const kube::Resource& resource, const kube::Name& name,
                             const std::string& uid, json::Value status) {
  json::Object replace{{"op", "add"}, {"path", "/status"}};
  replace["value"] = std::move(status);
  return kube::of_part(kube::json_patch(resource, name, {std::move(replace)}, {.uid = uid}),
                       "status");
}

kube::Request status_request(const api::Cluster& cluster, json::Value status) {
  return status_request(resource_of(cluster.group), {cluster.key.ns, cluster.key.name}, cluster.uid,
                        std::move(status));
}

}  // namespace k8s
