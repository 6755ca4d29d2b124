// Time as values. Code that needs "now" is given it, or is given a Clock.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

using Duration = std::chrono::milliseconds;
using Instant = std::chrono::sys_time<std::chrono::milliseconds>;  // wall clock, UTC
using Tick =
    std::chrono::time_point<std::chrono::steady_clock, Duration>;  // monotonic, for deadlines

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual Tick tick() const = 0;
};

// Thread-safe. Not for keys: those come from the crypto library.
class Random {
 public:
  virtual ~Random() = default;
  [[nodiscard]] virtual unsigned long long next() = 0;
};

// RFC 3339 in UTC with milliseconds: "2026-11-21T12:00:00.000Z".
std::string to_rfc3339(Instant at);
Result<Instant> parse_rfc3339(std::string_view text);

// "1h2m3s", "450ms": for people; at most two units.
std::string to_text(Duration d);
// Go's duration syntax plus "d" (24 h): "1h30m", "365d", "1.5s". Negative is refused.
Result<Duration> parse_duration(std::string_view text);

}  // namespace base
