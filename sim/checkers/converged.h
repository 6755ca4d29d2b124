// Whether a world has reached what the user wants, whatever the status says.
#pragma once

#include <string>

#include "sim/checkers/truth.h"

namespace sim {

struct Goal {
  int size = 0;
  api::Version version;
};

// Empty: it has. Else what is missing.
std::string missing(const World& world, const Goal& goal);

}  // namespace sim
