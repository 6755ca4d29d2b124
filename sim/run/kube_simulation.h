// A schedule on Kubernetes: the shipping operator over the fake API server, its controllers, a node
// and simulated etcd.
#pragma once

#include <string>

#include "sim/run/course.h"
#include "sim/run/kube_operator.h"

namespace sim {

// `say` (may be null) is given each line of the trace.
Result simulate_kubernetes(const Schedule& schedule,
                           const std::function<void(const std::string&)>& say);

class KubeSimulation final : public Course {
 public:
  KubeSimulation(const Schedule& schedule, Say say);

 private:
  friend class KubeWorker;
  World& world() override { return node_.world; }
  [[nodiscard]] const World& world() const override { return node_.world; }
  void pass_time(base::Duration by) override;
  void operate() override { operate_until(0); }
  bool work(Work kind) override;
  void judge() override;
  void heal() override;
  [[nodiscard]] std::optional<Client> user() const override;
  void approve(const std::string& operation) override;
  [[nodiscard]] std::string scene() const override;
  void edit() override;

  void operate_until(unsigned crash_after);
  void declare();
  void let_happen();  // what controllers and the kubelet have to do now
  void see_record();
  [[nodiscard]] bool is_declared() const;
  [[nodiscard]] Allowed allowed_now() const;

  KubeNode node_;
  KubeOperator operator_;
  std::uint64_t seen_ = 0;  // changes of the server
  // Somebody else is taking members down: what a pass takes away beside it is not told apart.
  bool hurting_ = false;
  std::set<std::string> doomed_;  // members whose claims are being deleted by others
};

}  // namespace sim
