// Good ends: what L1 to L4 want to be reached.
#pragma once

#include <string>

#include "sim/model/pass.h"
#include "sim/model/truth.h"

namespace sim::model {

// After a pass that planned nothing and changed nothing. Empty: it is one; else what is lacking.
std::string lacks_good_end(const Cluster& state, const plan::Plan& plan);

}  // namespace sim::model
