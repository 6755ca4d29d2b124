// Random wishes, records and observations for property tests: also partial and contradictory ones.
// The record alone obeys what its writer guarantees; nothing seen needs to fit it or itself.
#pragma once

#include "plan/plan.h"

namespace plan::test {

struct World {
  Intent intent;
  Record record;
  Observation seen;
  base::Instant now{};
};

// To be called inside a property (it draws from rapidcheck).
World draw_world();
// All of it that a plan depends on, for a failure's report.
std::string to_text(const World& world);

}  // namespace plan::test
