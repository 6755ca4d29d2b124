// The bytes by which the model knows a state again. Equal bytes mean: taken for the same. What is
// left out or made coarse is listed in docs/proof.md.
#pragma once

#include <string>

#include "sim/model/cluster.h"

namespace sim::model {

// `symmetric`: a state and the one with two members exchanged are taken for one, although the
// planner breaks ties by ordinal.
std::string canonical(const Cluster& state, bool symmetric);

}  // namespace sim::model
