// Breadth-first search over a Model: budget by budget, and in each by depth. What it finds does not
// depend on the number of threads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "sim/model/model.h"

namespace sim::model {

struct Bounds {
  Used most;
  int together = 32;                           // faults and edits of one way, at most
  base::Duration time{};                       // 0: no limit
  std::size_t states = 0;                      // 0: no limit
  int endless = 200;                           // a way of so many steps goes on for ever
  std::size_t memory = std::size_t{6} << 30U;  // of states that are kept as they are
  unsigned threads = 2;
  bool keep_going = false;  // after a violation: one of each rule is kept
};

// A way from a root.
struct Trace {
  std::size_t root = 0;
  std::vector<Step> steps;
  Violation violation;
};

struct Layer {  // of one budget
  Used used;
  std::size_t states = 0;  // gone on from
  std::size_t open = 0;    // not gone on from
  int depth = 0;           // of the deepest
};

struct Found {
  std::vector<Layer> layers;
  std::size_t states = 0, followers = 0, bytes = 0;
  int depth = 0;
  bool exhausted = false;
  std::vector<Trace> violations;  // of safety, or "E", without end; at most one of each rule
  std::vector<Trace> stuck;       // states from which no goal can be reached; the nearest few
  std::size_t stuck_states = 0;
  Trace deepest;  // the way to one of the states that were met last
  Counts counts;
};

// `clock` and `say` (a line of progress now and then) may be null.
Found search(const Model& model, const Bounds& bounds, const base::Clock* clock,
             void (*say)(const std::string&));

}  // namespace sim::model
