// A recovery that was decided on, carried out step by step.
#pragma once

#include <string>
#include <vector>

#include "plan/concern.h"

namespace plan {

// What a decision rests on: proof, or a person who was told what is not proven.
struct Basis {
  bool approved = false;
  std::vector<std::string> vouched;  // out of sight: a person vouches that they do not run any more
};

// Stores the decision and takes the first step. `survivor` empty: every member's data is gone and a
// person approved to begin again empty.
Answer begin_recovery(Context& c, const std::string& survivor, const Basis& basis);

// quorum_lost.cc: early in a pass, takes back what is not to be asked any longer.
Answer withdraw_question(Context& c);

}  // namespace plan
