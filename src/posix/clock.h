// The real clock and random source; nothing else in the product asks the system for them.
#pragma once

#include <mutex>
#include <random>

#include "base/time.h"

namespace posix {

class SystemClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override;
  [[nodiscard]] base::Tick tick() const override;
};

class SystemRandom final : public base::Random {
 public:
  SystemRandom();
  [[nodiscard]] unsigned long long next() override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;  // guarded by mutex_
};

}  // namespace posix
