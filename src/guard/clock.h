// The guard's clocks. It depends on nothing that could be given to it.
#pragma once

#include <ctime>

#include "base/time.h"

namespace guard {

inline std::int64_t monotonic_ms() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

inline base::Instant wall_now() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return base::Instant(
      base::Duration(static_cast<std::int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000));
}

}  // namespace guard
