// What random worlds are drawn with. Inside a property only: it draws from rapidcheck.
#pragma once

#include <rapidcheck.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <utility>

#include "plan/random_world.h"

namespace plan::test {

using namespace std::chrono_literals;

inline int below(int n) {
  return *rc::gen::inRange(0, n);
}
inline bool chance(int percent) {
  return below(100) < percent;
}
template <class E>
E any(int count) {
  return static_cast<E>(below(count));
}
template <class T>
base::Fact<T> fact(T value) {
  const int roll = below(10);
  if (roll == 0) return base::Fact<T>::unknown("a failed look");
  if (roll == 1) return base::Fact<T>::absent();
  return base::Fact<T>(std::move(value));
}

inline base::Instant start() {
  return base::Instant(base::Duration(1'800'000'000'000));
}
inline base::Instant ago() {
  return start() - std::array<base::Duration, 5>{0s, 500ms, 20s, 100s, 2h}.at(
                       static_cast<std::size_t>(below(5)));
}

// A platform that works with stores of backups.
void draw_stores(World& w);

}  // namespace plan::test
