// A status in the shape of operator.etcd.io/v1alpha1: what `status -o json`, status.json and the
// status subresource hold.
#pragma once

#include "api/cluster.h"
#include "api/status.h"
#include "json/value.h"

namespace api {

// What was not observed is left out, never guessed. Sizes are rounded to two digits, so that the
// status of a quiet cluster stays as it is.
json::Value to_json(const ClusterStatus& status);
// In the shape of etcd.database.coreos.com/v1beta2, with ours beside it where the names do not meet
// (`memberStatus` is the other's `members`).
json::Value to_coreos_json(const ClusterStatus& status, const Cluster& cluster);

}  // namespace api
