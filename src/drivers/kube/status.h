// The status of a cluster's object, and of others that are declared.
#pragma once

#include <string>

#include "api/cluster.h"
#include "api/status.h"
#include "json/value.h"
#include "kube/request.h"
#include "kube/resource.h"

namespace k8s {

const kube::Resource& resource_of(api::Group group);
// In the shape of the object's group.
json::Value status_json(const api::ClusterStatus& status, const api::Cluster& cluster);
// Puts it in the place of the whole status.
kube::Request status_request(const api::Cluster& cluster, json::Value status);
kube::Request status_request(const kube::Resource& resource, const kube::Name& name,
                             const std::string& uid, json::Value status);

}  // namespace k8s
