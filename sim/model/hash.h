// 128-bit digests by which states are told apart. With n states two different ones share a digest
// with a probability of about n²/2¹²⁹: for 10⁸ states less than 10⁻²².
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace sim::model {

struct Hash128 {
  std::uint64_t hi = 0, lo = 0;
  auto operator<=>(const Hash128&) const = default;
};

// The same on every machine and in every run. Not for hostile input.
Hash128 hash128(std::string_view bytes);

}  // namespace sim::model
