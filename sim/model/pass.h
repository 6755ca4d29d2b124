// One pass of the shipping engine over a state, with what may go wrong in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/model/cluster.h"

namespace sim::model {

enum class Mishap : std::uint8_t {
  kNone,
  kRefused,      // the call is refused before it does anything
  kLostAnswer,   // it is carried out, its answer is lost
  kLostRequest,  // it is lost on the way, and nobody can tell
  kDieBefore,    // the operator dies before the call
  kDieAfter      // and after it
};

struct Twist {
  Mishap mishap = Mishap::kNone;
  std::string call;  // as World::faults and engine::fault_points name it
  int nth = 0;       // dying: at the how manieth of that name, from 0
};

// What a pass looked like from outside.
struct Passed {
  std::optional<engine::Report> thought;  // none: it did not come that far
  bool died = false;
  std::vector<std::string> calls;  // that it made, in order, as the engine and the driver name them
  // The version of the stored record when the first step was about to be carried out; none: it did
  // not come to one.
  std::optional<std::uint64_t> acted_on;
  bool went_on = false;  // after a step that was not done another one was begun
};

Passed pass(Cluster& state, const Twist& twist);

// The operator is gone with all that it remembered.
void forget_operator(Cluster& state);

}  // namespace sim::model
