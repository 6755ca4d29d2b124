// What an EtcdRestore means for the cluster that it names, and what came of it. Pure.
//
// It says from what a cluster begins, and acts on nothing that has begun: a cluster with data is
// never put aside for it. Once it was carried out or refused it is over, so that a forgotten one
// does not decide about a cluster of later.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/objects.h"
#include "api/request_status.h"
#include "drivers/kube/requests.h"
#include "engine/reconciler.h"

namespace manager {

// The oldest one that is not over decides. No value: none does.
std::optional<api::Restore> restore_for(const base::ClusterKey& cluster,
                                        const std::vector<k8s::DeclaredRequest>& declared);

// The cluster that it names.
struct RestoredCluster {
  bool declared = false;
  std::string problem;                     // why it is not looked after; empty: it is
  const engine::Report* report = nullptr;  // null: it was not looked at yet
};
api::RestoreRequestStatus judge_restore(const k8s::RequestId& of, const api::RestoreRequest& wish,
                                        base::Instant created, const RestoredCluster& cluster);

}  // namespace manager
