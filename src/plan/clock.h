// What a clock that was ahead, and was put right, left behind.
#pragma once

#include <optional>

#include "base/time.h"
#include "plan/observation.h"
#include "plan/record.h"

namespace plan {

// Nothing that was noted is still to come, so that nothing waits for the length of the step, and
// nothing is told as seen a moment ago that may be older.
void forget_the_future(Record& record, base::Instant now);
// The last act, as of long ago if its time is still to come. No value: the observation is good.
std::optional<Observation> without_the_future(const Observation& seen, base::Instant now);

}  // namespace plan
