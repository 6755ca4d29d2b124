// What an EtcdRestore means for the cluster that it names, and what came of it. Pure.
//
// It says from what a cluster begins. On one that has begun it acts only where it says so itself
// (spec.restoreInPlace). Once it was carried out it is over, so that a forgotten one does not
// decide about a cluster of later. While one that is refused is there, its cluster begins nothing:
// who asked for a backup would be given an empty cluster in its place.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/objects.h"
#include "api/request_status.h"
#include "drivers/kube/requests.h"
#include "engine/reconciler.h"
#include "manager/request_text.h"

namespace manager {

// The oldest one that can be carried out decides; without one, the newest that is refused, with
// `refused` set, unless one of later was carried out. No value: the cluster's own block counts.
std::optional<api::Restore> restore_for(const base::ClusterKey& cluster,
                                        const std::vector<k8s::DeclaredRequest>& declared);

// The oldest one that is not over and says that it counts for a cluster that has begun, too.
std::optional<api::Restore> in_place_for(const base::ClusterKey& cluster,
                                         const std::vector<k8s::DeclaredRequest>& declared);

// Whether it counts for a cluster with this record. One that is refused holds up no cluster that
// lost its data: what was lost comes back by rules of its own.
bool decides(const api::Restore& restore, const plan::Record& record);

// Of a text that is not valid.
api::RestoreRequestStatus judge_invalid(const RequestText& text);

// The cluster that it names.
struct RestoredCluster {
  bool declared = false;
  std::string problem;                     // why it is not looked after; empty: it is
  const engine::Report* report = nullptr;  // null: it was not looked at yet
};
api::RestoreRequestStatus judge_restore(const k8s::RequestId& of, const api::RestoreRequest& wish,
                                        base::Instant created, const RestoredCluster& cluster);

}  // namespace manager
