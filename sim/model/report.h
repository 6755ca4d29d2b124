// What a run of the checker tells.
#pragma once

#include <string>

#include "sim/model/search.h"

namespace sim::model {

// Layers, states, speed.
std::string describe(const Found& found, double seconds);
// How often each thing was met.
std::string describe_tally(const Counts& counts);
// A counterexample: its steps, and its last look as a transcript.
std::string describe(const Model& model, const Trace& trace);

}  // namespace sim::model
