// How much of each log the operator has been able to audit: a copy of a volume that ends before it
// must be found out when it is put in the volume's place. What was written since the operator
// looked last is on the volume alone, and no operator can miss it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/reconciler.h"
#include "sim/world/world.h"

namespace sim {

class Watched {
 public:
  void before_pass(const World& world);
  // One that ended.
  void after_pass(const World& world, const engine::Report& report);
  // Whether this copy of the member's volume has to be found out.
  [[nodiscard]] bool knows_more(const std::string& member, const Volume& copy) const;

 private:
  struct Log {
    std::string origin;  // of the volume
    std::uint64_t committed = 0;
  };
  std::map<std::string, Log> there_;  // to be seen by the pass, as the guards have noted it
  std::map<std::string, Log> noted_;  // seen by a pass whose record is stored
};

}  // namespace sim
