#include "posix/clock.h"

namespace posix {

base::Instant SystemClock::now() const {
  return std::chrono::time_point_cast<base::Duration>(std::chrono::system_clock::now());
}

base::Tick SystemClock::tick() const {
  return std::chrono::time_point_cast<base::Duration>(std::chrono::steady_clock::now());
}

SystemRandom::SystemRandom() {
  std::random_device device;
  std::seed_seq seed{device(), device(), device(), device()};
  engine_.seed(seed);
}

unsigned long long SystemRandom::next() {
  const std::scoped_lock lock(mutex_);
  return engine_();
}

}  // namespace posix
