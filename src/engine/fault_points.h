// Named points around every driver call, at which a test makes the operator die. In the product
// nothing is injected and a point costs one comparison with null.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/action.h"

namespace engine {

// Thread-safe. A real one ends the process at its point, without any clean-up.
class FaultInjector {
 public:
  virtual ~FaultInjector() = default;
  virtual void at(std::string_view point) = 0;
};

// Every point there is: "load_record.before", "AddLearner.after", …; for --fault-point and tests.
std::vector<std::string> fault_points();

// Reports NAME.before when made and NAME.after when it ends.
class FaultScope {
 public:
  FaultScope(FaultInjector* injector, std::string_view name);
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
  ~FaultScope();

 private:
  FaultInjector* injector_;
  std::string name_;
};

}  // namespace engine
