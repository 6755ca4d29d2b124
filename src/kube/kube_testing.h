// For tests of this module: a clock that is set by hand.
#pragma once

#include <mutex>

#include "base/time.h"

namespace kube {

class HandClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override {
    const std::scoped_lock lock(mutex_);
    return base::Instant(std::chrono::days(20'000)) + passed_;
  }
  [[nodiscard]] base::Tick tick() const override {
    const std::scoped_lock lock(mutex_);
    return base::Tick(base::Duration(1'000'000)) + passed_;
  }
  void pass(base::Duration d) {
    const std::scoped_lock lock(mutex_);
    passed_ += d;
  }

 private:
  mutable std::mutex mutex_;
  base::Duration passed_{0};  // guarded by mutex_
};

}  // namespace kube
