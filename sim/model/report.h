// What a run of the checker tells.
#pragma once

#include <string>

#include "sim/model/search.h"

namespace sim::model {

// Layers, states, speed.
std::string describe(const Found& found, double seconds);
// How often each thing was met.
std::string describe_tally(const Counts& counts);
// The names of what was never met, in the order of the tally.
std::vector<std::string> never_met(const Counts& counts);
// A counterexample: its steps, and its last look as a transcript.
std::string describe(const Model& model, const Trace& trace);

}  // namespace sim::model
