// Exponential backoff with jitter, as a value: the caller keeps the count.
#pragma once

#include "base/time.h"

namespace base {

struct Backoff {
  Duration first{500};
  Duration limit{60'000};

  // The wait before attempt `failures` + 1, between half of the step and all of it by `random`.
  [[nodiscard]] Duration wait(unsigned failures, unsigned long long random) const;
};

}  // namespace base
