// What Kubernetes' controllers do with our objects, a turn at a time, through the fake API server's
// front door: pods of StatefulSets, the counts of disruption budgets, nodes' words about pods.
#pragma once

#include <string>
#include <vector>

#include "json/value.h"
#include "sim/world/kube_server.h"

namespace sim {

// Its status holds all of these fields.
bool says(const json::Value& object, const json::Value& status);

// For one thread. `server` must outlive it. Taken from the real ones as far as we use them: sets
// with the update strategy OnDelete and without claim templates, budgets by numbers.
class KubeControllers {
 public:
  explicit KubeControllers(KubeServer& server) : server_(server) {}

  // Makes the pods that are missing, from the lowest number up; removes those beyond the replicas,
  // from the highest down; makes failed ones anew; writes the status. False: nothing to do.
  bool stateful_sets();
  bool budgets();
  // Of one pod each, which is made once: it ends as its pod ends; a suspended one has none.
  bool jobs();
  // Pods without a node get this one, unless a claim that they name is not there or is going.
  bool schedule(const std::string& node);

  // The node's words. `phase`: "Running", "Failed"…
  void pod_status(const kube::Name& pod, const std::string& phase, bool ready);
  // The containers of pods that are being deleted have ended; not on a node that is out of reach.
  bool pods_end(const std::string& node);

 private:
  bool done(const kube::Request& request);  // true: it was carried out
  bool one_set(const json::Value& set);
  bool one_job(const json::Value& job);
  [[nodiscard]] std::string unusable_claim(const json::Value& pod) const;

  KubeServer& server_;
};

}  // namespace sim
