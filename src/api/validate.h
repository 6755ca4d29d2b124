// Checks that need more than one object: an edit against what is in force, and names across both
// groups. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/cluster.h"
#include "api/problem.h"

namespace api {

// An error: the edit is refused and the old intent stays. A warning: it holds, with what it does
// not do. Paths are those of the new object's group.
std::vector<Problem> validate_update(const Cluster& before, const Cluster& after);

// Two declared clusters that would get in each other's way.
struct NameConflict {
  size_t loser = 0, winner = 0;  // places in what was given
  std::string message;
};
// The one that is in force already (`in_force[i]`) wins, else the older (lower place). The same
// name in one namespace conflicts whatever the group, and so do names whose derived objects meet.
std::vector<NameConflict> find_name_conflicts(std::span<const Cluster> clusters,
                                              const std::vector<bool>& in_force = {});

}  // namespace api
