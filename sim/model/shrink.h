// Makes a way to a violation shorter: steps are left out as long as the same rule is still broken.
#pragma once

#include "sim/model/search.h"

namespace sim::model {

// The same rule is broken, or still no goal can be reached ("L"); no step of it can be left out.
Trace shrink(const Model& model, Trace trace);

// Within `limit` states by free steps alone; true also where the limit ends the look.
bool can_reach_goal(const Model& model, const State& from, std::size_t limit);

}  // namespace sim::model
