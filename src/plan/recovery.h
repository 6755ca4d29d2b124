// A recovery that was decided on, carried out step by step.
#pragma once

#include <string>

#include "plan/concern.h"

namespace plan {

// Stores the decision and takes the first step. `survivor` empty: every member's data is gone and a
// person approved to begin again empty. `approved`: a person vouches for what is not proven.
Answer begin_recovery(Context& c, const std::string& survivor, bool approved);

}  // namespace plan
