// One schedule: faults and edits over a world, the shipping operator in it, oracles over both;
// then everything heals, and it must converge.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "posix/test_dir.h"
#include "sim/checkers/converged.h"
#include "sim/checkers/oracles.h"
#include "sim/checkers/stores.h"
#include "sim/model/hash.h"
#include "sim/run/lives.h"
#include "sim/run/schedule.h"
#include "sim/run/watched.h"
#include "sim/stores/depot.h"

namespace sim {

struct Result {
  std::uint64_t seed = 0;
  std::string failure;             // empty: none
  std::vector<std::string> trace;  // its last lines
  model::Hash128 digest;           // of everything that happened
  std::size_t steps = 0, passes = 0, faults = 0, writes = 0, recoveries = 0, lost = 0;
  std::size_t restores = 0;  // clusters that began from the store
  base::Duration simulated{0};
  std::map<std::string, std::size_t> counts;  // of actions, reasons and works
};

// `say` (may be null) is given each line of the trace.
Result simulate(const Schedule& schedule, const std::function<void(const std::string&)>& say);

class Simulation {
 public:
  Simulation(const Schedule& schedule, std::function<void(const std::string&)> say);
  Result run();

 private:
  friend class Worker;
  void note(const std::string& line);
  void fail(const std::string& why);
  void count(std::string_view what) { ++result_.counts[std::string(what)]; }
  [[nodiscard]] bool failed() const { return !result_.failure.empty(); }
  [[nodiscard]] Allowed allowed() const;

  void go_to(base::Instant at);
  void wake();  // something changed: the operator looks soon
  void edit();  // the user changed what is wanted
  void operate(unsigned crash_after);
  void operate_late();
  void tell(const engine::Report& report);
  void hear(const engine::Report& report);
  void heal();
  void converge();
  void converge_backups();
  [[nodiscard]] StoreRules rules() const;
  bool read_status(const api::ClusterStatus& status);

  const Schedule schedule_;
  const std::function<void(const std::string&)> say_;
  Dice dice_;
  World world_;
  std::unique_ptr<posix::TestDir> scratch_;  // both null: there is no store
  std::unique_ptr<Depot> depot_;
  Lives lives_;
  Oracles oracles_;
  StoreOracles store_oracles_;
  Watched watched_;
  Wanted wanted_;
  plan::Intent intent_;
  bool edited_ = true;  // intent_ is older than wanted_
  std::map<Work, base::Instant> due_;
  base::Instant look_at_{};                                    // the operator's next pass
  std::multimap<base::Instant, std::function<void()>> later_;  // ends of faults
  bool approved_ = false;
  std::map<std::string, std::vector<std::pair<base::Instant, Volume>>> copies_;  // by member
  std::vector<std::string> versions_;
  std::shared_ptr<const engine::Report> last_;
  unsigned written_ = 0;
  std::string heard_;
  std::deque<std::string> tail_;
  Result result_;
};

}  // namespace sim
