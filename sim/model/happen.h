// Lets an event of the model happen to a state, and says which can happen.
#pragma once

#include <vector>

#include "sim/model/safety.h"

namespace sim::model {

// What an event that holds a pass saw; of several passes the last.
struct Happened {
  bool possible = true;
  std::optional<Passed> passed;
  Violation violation;
};

Happened happen(Cluster& state, const Event& event, Counts& counts);

// Faults and edits that are possible here, but for those of a pass.
std::vector<Event> faults_at(const Cluster& state);
std::vector<Event> edits_at(const Cluster& state, int largest);

}  // namespace sim::model
