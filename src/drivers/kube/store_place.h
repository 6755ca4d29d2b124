// Where a store of backups is for a pod of ours, and what the pod has to see of it. Pure.
#pragma once

#include "api/cluster.h"
#include "archive/job.h"
#include "base/result.h"
#include "render/store_access.h"

namespace k8s {

struct StorePlace {
  archive::Common common = {};
  render::StoreAccess access = {};
  const api::ObjectLocation* wish = nullptr;  // what makes its volume; null: nothing says more
};

// `of`: whose backups; where they lie in a volume of its own. `at`: null is that volume, else it
// must outlive the answer. FailedPrecondition: no pod gets at it.
base::Result<StorePlace> place_of(const api::ObjectLocation* at, const base::ClusterKey& of);
// If the cluster's backups are encrypted.
void add_encryption_key(const api::ClusterSpec& spec, StorePlace& place);

}  // namespace k8s
