// What can go wrong in a pass, found from what it does when nothing goes wrong.
#pragma once

#include <vector>

#include "sim/model/steps.h"

namespace sim::model {

// `remembers`: the operator has something to lose although it did nothing.
std::vector<Event> mishaps_of(const Passed& plain, bool remembers);

}  // namespace sim::model
