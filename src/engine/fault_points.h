// Named points around every driver call, at which a test makes the operator die. In the product
// nothing is injected and a point costs one comparison with null.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "plan/action.h"

namespace engine {

// Thread-safe. A real one ends the process at its point, without any clean-up; a simulator's
// throws, and the operator it threw in is not used again.
class FaultInjector {
 public:
  virtual ~FaultInjector() = default;
  virtual void at(std::string_view point) = 0;
};

// Every point there is: "load_record.before", "AddLearner.after", …; for --fault-point and tests.
std::vector<std::string> fault_points();

// Reports NAME.before when made and NAME.after when it ends, unless by an exception.
class FaultScope {
 public:
  FaultScope(FaultInjector* injector, std::string_view name);
  FaultScope(const FaultScope&) = delete;
  FaultScope& operator=(const FaultScope&) = delete;
  ~FaultScope() noexcept(false);

 private:
  FaultInjector* injector_;
  std::string name_;
  int exceptions_ = 0;  // in flight when it was made
};

}  // namespace engine
