// How fast we ask the API server: a bucket of tokens, of which the urgent take first.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <stop_token>

#include "base/result.h"
#include "base/time.h"
#include "kube/request.h"

namespace kube {

struct Rate {
  double per_second = 50;
  double burst = 100;
};

// The rule, as a value: for one thread, time is given.
class Bucket {
 public:
  explicit Bucket(const Rate& rate) : rate_(rate), tokens_(rate.burst) {}

  // None: go. Otherwise how long to wait before asking again. Low requests leave a quarter of the
  // bucket to the others; urgent ones always go and leave a debt of at most one burst.
  std::optional<base::Duration> take(Priority priority, base::Tick now);
  // The server asked for a pause; only urgent requests go before its end.
  void pause(base::Tick until);

 private:
  Rate rate_;
  double tokens_;
  std::optional<base::Tick> filled_ = {};
  base::Tick paused_until_{};
};

// Thread-safe.
class Limiter {
 public:
  // `clock` must outlive it.
  Limiter(const base::Clock& clock, const Rate& rate) : clock_(clock), bucket_(rate) {}

  // Waits for its turn. Unavailable: not before `deadline`; Cancelled: asked to stop.
  base::Status wait(Priority priority, base::Tick deadline, const std::stop_token& stop);
  void pause(base::Duration d);

 private:
  const base::Clock& clock_;
  std::mutex mutex_;  // guards bucket_
  std::condition_variable_any changed_;
  Bucket bucket_;
};

}  // namespace kube
