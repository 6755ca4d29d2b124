// A schedule on hosts: the shipping reconciler and planner over the simulated world, with a store
// of backups in some.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "posix/test_dir.h"
#include "sim/checkers/stores.h"
#include "sim/run/course.h"
#include "sim/run/lives.h"
#include "sim/run/watched.h"
#include "sim/stores/depot.h"

namespace sim {

// `say` (may be null) is given each line of the trace.
Result simulate(const Schedule& schedule, const std::function<void(const std::string&)>& say);

class Simulation final : public Course {
 public:
  Simulation(const Schedule& schedule, Say say);

 private:
  friend class Worker;
  World& world() override { return world_; }
  [[nodiscard]] const World& world() const override { return world_; }
  void pass_time(base::Duration by) override { world_.advance(by); }
  void operate() override { operate_until(0); }
  bool work(Work kind) override;
  void judge() override;
  void heal() override;
  [[nodiscard]] std::optional<Client> user() const override;
  void approve(const std::string& operation) override;
  bool answer(const api::ClusterStatus& status) override;
  void converged() override;
  void edit() override;

  void operate_until(unsigned crash_after);
  void operate_late();
  [[nodiscard]] StoreRules rules() const;

  World world_;
  std::unique_ptr<posix::TestDir> scratch_;  // both null: there is no store
  std::unique_ptr<Depot> depot_;
  Lives lives_;
  StoreOracles store_oracles_;
  Watched watched_;
  plan::Intent intent_;
  bool edited_ = true;  // intent_ is older than wanted_
  std::map<std::string, std::vector<std::pair<base::Instant, Volume>>> copies_;  // by member
};

}  // namespace sim
