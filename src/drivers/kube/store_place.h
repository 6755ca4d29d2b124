// Where a store of backups is for a pod of ours, and what the pod has to see of it. Pure.
#pragma once

#include <optional>
#include <string>

#include "api/cluster.h"
#include "archive/job.h"
#include "base/result.h"
#include "render/store_access.h"

namespace k8s {

struct StorePlace {
  archive::Common common = {};
  render::StoreAccess access = {};
  const api::ObjectLocation* wish = nullptr;  // what makes its volume; null: nothing says more
  std::string name = {};  // a certain backup in it, "<incarnation>/full-…"; empty: the best
};

// `of`: whose backups; where they lie in a volume of its own. `at`: null is that volume, else it
// must outlive the answer. FailedPrecondition: no pod gets at it.
base::Result<StorePlace> place_of(const api::ObjectLocation* at, const base::ClusterKey& of);
// As above, to read from: the volume of that cluster's own backups may be named as any other claim.
base::Result<StorePlace> place_to_read(const api::ObjectLocation* at, const base::ClusterKey& of);
// A place may be one backup, by the name that a status gives it:
// "bucket/shop/c/20261122T031500Z-8f3a9c02/full-…". Then `name` is "<incarnation>/full-…" and `at`
// the root of the cluster that it is of, whatever that is called.
struct NamedBackup {
  api::ObjectLocation at = {};
  std::string name = {};
};
std::optional<NamedBackup> named_backup(const api::ObjectLocation& at);
// If the cluster's backups are encrypted.
void add_encryption_key(const api::ClusterSpec& spec, StorePlace& place);
// Where the pod of a job finds all this, and where it works; the deadline stays as it is.
void place_files(const StorePlace& place, archive::Common& to);

}  // namespace k8s
