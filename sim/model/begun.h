// First states in which something is under way already: one fault or one edit in them reaches what
// takes two or three from a cluster at rest.
#pragma once

#include <string>
#include <vector>

#include "sim/model/steps.h"

namespace sim::model {

struct Begun {
  std::string name;
  int size = 1;
  api::Version version{3, 5, 33, ""};
  std::vector<std::string> options;  // of etcd; empty: a small quota
  std::vector<Event> first;          // in a world where nothing was begun
  bool forms = true;                 // then passes and time, until the cluster is formed
  std::vector<Event> then;           // each that is an edit counts as made by the user
  bool settles = false;              // then passes and time, until there is nothing to do
  std::vector<Event> last;
};

const std::vector<Begun>& all_begun();

}  // namespace sim::model
