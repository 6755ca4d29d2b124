// What is really so in a world, by nobody's opinion: which cluster serves, and who of it is up.
// Shares no code with the planner.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "sim/world/world.h"

namespace sim::model {

// One cluster id as its most advanced running member has it.
struct Serving {
  base::ClusterId cluster;
  const Membership* members = nullptr;  // as of the newest applied entry
  const sim::State* state = nullptr;
  const Process* leader = nullptr;  // one that a quorum follows now; null: none
  std::size_t voters = 0, up = 0;   // up: voters that run and reach the most advanced one
  std::size_t learners = 0, unstarted = 0;
  std::set<base::MemberId> reached;  // of all members, as `up` is of the voters
  [[nodiscard]] bool has_quorum() const { return voters > 0 && up >= voters / 2 + 1; }
};

// Every cluster id of which something runs.
std::vector<Serving> look_at(const World& world);
// Of this id; a default one if nothing of it runs.
Serving look_at(const World& world, base::ClusterId cluster);

// Whether these writes hold the one with this digest.
bool holds_write(const sim::State& state, std::uint64_t digest);
// Of all places and processes: how many whole data directories hold it.
std::size_t copies_of(const World& world, std::uint64_t digest);

}  // namespace sim::model
