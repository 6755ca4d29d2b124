#include "base/backoff.h"

#include <algorithm>

namespace base {

Duration Backoff::wait(unsigned failures, unsigned long long random) const {
  if (failures == 0) return Duration(0);
  const unsigned shift = std::min(failures - 1, 20U);
  const auto step = std::min<long long>(first.count() << shift, limit.count());
  const auto half = step / 2;
  const auto spread = random % static_cast<unsigned long long>(half + 1);
  return Duration(step - half + static_cast<long long>(spread));
}

}  // namespace base
