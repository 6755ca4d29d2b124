// Puts a plan into words: conditions, members, operation. Says only what was observed.
#pragma once

#include <vector>

#include "plan/concern.h"

namespace plan {

// `answers`: what acts or waits, first cause first. Fills plan.status.
void describe(const Intent& intent, const Observation& seen, const std::vector<Answer>& answers,
              base::Instant now, Plan& plan);

}  // namespace plan
