// The operator of one world: the shipping reconciler and planner over SimDriver. To lose it and
// make another one with an empty memory is a crash and a restart.
#pragma once

#include <string>

#include "engine/reconciler.h"
#include "sim/world/driver.h"

namespace sim {

struct OperatorMemory {
  engine::Memory engine;
  DriverMemory driver;
};

// What a FaultInjector throws to end an operator.
struct Crash {
  std::string point;
};

class NoLog final : public base::Logger {
 public:
  void write(base::Level /*level*/, std::string_view /*event*/,
             const std::vector<base::Field>& /*fields*/) override {}
};

// All references must outlive it; `faults` may be null.
class Operator {
 public:
  Operator(World& world, base::ClusterKey key, base::Logger& log,
           engine::FaultInjector* faults = nullptr, OperatorMemory memory = {})
      : clock_(world),
        random_(world),
        driver_(world, key, memory.driver, faults),
        reconciler_({std::move(key), driver_, clock_, random_, log, &plan::plan, faults}, {},
                    std::move(memory.engine)) {}

  engine::Reconciler& reconciler() { return reconciler_; }
  SimDriver& driver() { return driver_; }
  [[nodiscard]] OperatorMemory memory() const { return {reconciler_.memory(), driver_.memory()}; }

 private:
  WorldClock clock_;
  WorldRandom random_;
  SimDriver driver_;
  engine::Reconciler reconciler_;
};

}  // namespace sim
