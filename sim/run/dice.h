// The one source of chance of a schedule: the same seed gives the same numbers on every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"

namespace sim {

class Dice final : public base::Random {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
  [[nodiscard]] unsigned long long next() override {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31U);
  }
  [[nodiscard]] std::size_t below(std::size_t n) { return n == 0 ? 0 : next() % n; }
  [[nodiscard]] bool chance(unsigned percent) { return below(100) < percent; }
  [[nodiscard]] base::Duration between(base::Duration low, base::Duration high) {
    const auto width = static_cast<std::size_t>((high - low).count()) + 1;
    return low + base::Duration(static_cast<std::int64_t>(below(width)));
  }
  // Between none and twice `mean`.
  [[nodiscard]] base::Duration about(base::Duration mean) {
    return between(base::Duration{1}, mean * 2);
  }
  template <class T>
  const T& one_of(const std::vector<T>& from) {  // not empty
    return from[below(from.size())];
  }

 private:
  std::uint64_t state_;
};

}  // namespace sim
