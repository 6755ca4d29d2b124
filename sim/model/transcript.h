// One look and what is planned of it, in the language of tests/scenarios: a counterexample's last
// pass becomes a case that can be put there as it is.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace sim::model {

// `comments` go before the case, each as a line after "# ".
struct Case {
  std::string name;
  std::vector<std::string> comments;
};

// The commands and, after "> ", what the planner answers to them. Names of incarnations become i1,
// i2, … as a transcript offers them; words why a look failed are not carried over.
std::string transcript(const Case& title, const plan::Intent& intent, const plan::Record& record,
                       const plan::Observation& seen, base::Instant now);

}  // namespace sim::model
