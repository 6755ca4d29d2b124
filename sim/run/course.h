// How a schedule is run, whatever the platform: steps of faults and edits over a world, the
// operator in between, oracles over both; then everything heals, and it must converge.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/checkers/converged.h"
#include "sim/checkers/oracles.h"
#include "sim/model/hash.h"
#include "sim/run/schedule.h"

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

const api::Condition* is_true(const api::ClusterStatus& status, api::ConditionType type);

class Course {
 public:
  virtual ~Course() = default;
  Course(const Course&) = delete;
  Course& operator=(const Course&) = delete;
  Result run();

 protected:
  using Say = std::function<void(const std::string&)>;
  Course(const Schedule& schedule, Say say);

  // ---- of a platform ----
  virtual World& world() = 0;
  [[nodiscard]] virtual const World& world() const = 0;
  virtual void pass_time(base::Duration by) = 0;
  virtual void operate() = 0;  // a turn of the operator; it says when the next one is due
  virtual bool work(Work kind) = 0;
  virtual void judge() = 0;  // after each step
  virtual void heal() = 0;
  // How a client of the cluster connects; none: it is told of nothing yet.
  [[nodiscard]] virtual std::optional<Client> user() const = 0;
  virtual void approve(const std::string& operation) = 0;
  // What else a person does who reads the status. True: something was done.
  virtual bool answer(const api::ClusterStatus& /*status*/) { return false; }
  virtual void converged() {}
  // What stands there, for who reads of one that did not converge.
  [[nodiscard]] virtual std::string scene() const { return {}; }
  virtual void edit();  // the user changed what is wanted

  void note(const std::string& line);
  void fail(const std::string& why);
  void count(std::string_view what) { ++result_.counts[std::string(what)]; }
  [[nodiscard]] bool failed() const { return !result_.failure.empty(); }
  [[nodiscard]] Allowed allowed() const;
  void go_to(base::Instant at);
  void wake();  // something changed: the operator looks soon
  void tell(const engine::Report& report);
  void hear(const engine::Report& report);
  void heal_world();
  [[nodiscard]] std::string words() const;  // of the newest status

  friend class Hand;
  const Schedule schedule_;
  const Say say_;
  Dice dice_;
  Oracles oracles_;
  Wanted wanted_;
  std::map<Work, base::Instant> due_;
  base::Instant look_at_{};                                    // the operator's next pass
  std::multimap<base::Instant, std::function<void()>> later_;  // ends of faults
  bool approved_ = false;
  std::vector<std::string> versions_{"3.5.12", "3.5.33", "3.6.16", "3.7.3"};
  std::shared_ptr<const engine::Report> last_;
  unsigned written_ = 0;
  Result result_;

 private:
  void step();
  void converge();
  bool read_status(const api::ClusterStatus& status);

  std::string heard_;
  std::deque<std::string> tail_;
};

}  // namespace sim
