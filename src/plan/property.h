// What the property tests share: a random case, and what is asked of its plan.
#pragma once

#include <string>
#include <vector>

#include "plan/random_world.h"

namespace plan::test {

struct Case {
  World world;
  Plan plan;
};

// To be called inside a property. A failure reports the world and the plan.
Case draw();
std::string steps(const Plan& p);

template <class A>
std::vector<A> steps_of(const Plan& p) {
  std::vector<A> out;
  for (const Step& s : p.steps)
    if (const A* a = std::get_if<A>(&s.action)) out.push_back(*a);
  return out;
}

inline std::size_t majority(std::size_t n) {
  return n / 2 + 1;
}

}  // namespace plan::test
