// Quorum arithmetic: the only place that computes it.
#pragma once

#include <cstddef>

namespace plan {

constexpr std::size_t quorum_of(std::size_t voters) {
  return voters / 2 + 1;
}
constexpr std::size_t tolerated(std::size_t voters) {
  return voters - quorum_of(voters);
}

}  // namespace plan
