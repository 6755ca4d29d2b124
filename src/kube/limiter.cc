#include "kube/limiter.h"

#include <algorithm>
#include <cmath>

namespace kube {

std::optional<base::Duration> Bucket::take(Priority priority, base::Tick now) {
  if (!filled_) filled_ = now;
  if (now > *filled_) {
    const double seconds = static_cast<double>((now - *filled_).count()) / 1000;
    tokens_ = std::min(rate_.burst, tokens_ + seconds * rate_.per_second);
    filled_ = now;
  }
  if (priority == Priority::kUrgent) {
    tokens_ = std::max(tokens_ - 1, -rate_.burst);
    return std::nullopt;
  }
  const double needed = priority == Priority::kLow ? 1 + rate_.burst / 4 : 1;
  base::Duration wait{0};
  if (tokens_ < needed)
    wait = base::Duration(
        static_cast<long long>(std::ceil((needed - tokens_) / rate_.per_second * 1000)));
  wait = std::max(wait, paused_until_ - now);
  if (wait.count() > 0) return wait;
  tokens_ -= 1;
  return std::nullopt;
}

void Bucket::pause(base::Tick until) {
  paused_until_ = std::max(paused_until_, until);
}

base::Status Limiter::wait(Priority priority, base::Tick deadline, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stop.stop_requested()) return base::fail(base::Code::kCancelled, "stopped");
    const auto now = clock_.tick();
    const auto wait = bucket_.take(priority, now);
    if (!wait) return {};
    if (now + *wait > deadline)
      return base::fail(base::Code::kUnavailable,
                        "our own limit of requests does not let it go before its deadline");
    changed_.wait_for(lock, stop, *wait, [] { return false; });
  }
}

void Limiter::pause(base::Duration d) {
  const std::scoped_lock lock(mutex_);
  bucket_.pause(clock_.tick() + d);
}

}  // namespace kube
