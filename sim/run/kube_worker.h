// What befalls a cluster on Kubernetes: one function for each kind of work.
#pragma once

#include "sim/run/hand.h"
#include "sim/run/kube_simulation.h"

namespace sim {

class KubeWorker : private Hand {
 public:
  explicit KubeWorker(KubeSimulation& s) : Hand(s), s_(s), node_(s.node_) {}
  // False: there was nothing to do it to.
  bool work(Work kind);

 private:
  bool evict();
  bool steal();
  bool ruin();
  bool whim();
  bool change_weather();
  bool confuse_watches();
  void lose(const std::string& member);
  void declare_again();
  [[nodiscard]] std::string pod_of(const std::string& member) const;

  KubeSimulation& s_;
  KubeNode& node_;
};

}  // namespace sim
