// From which states a goal can be reached when no more faults and edits come.
#pragma once

#include <utility>
#include <vector>

#include "sim/model/store.h"

namespace sim::model {

using Edge = std::pair<Node, Node>;  // of a step that is neither a fault nor an edit

// The states that were gone on from and from which no such way leads to a goal; the nearest to a
// root first. What was not gone on from counts as a goal: nothing is known of it.
std::vector<Node> cannot_reach_goal(const Store& store, const std::vector<Edge>& edges);

}  // namespace sim::model
