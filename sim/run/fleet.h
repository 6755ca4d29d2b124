// Many clusters under one planner: what each costs the operator.
#pragma once

#include <cstddef>

namespace sim {

// Brings up that many clusters of three, looks at each of them when it is due for a minute of
// virtual time, and prints memory per cluster and the planner's time per pass. Gives the exit
// status.
int run_fleet(std::size_t clusters);

}  // namespace sim
