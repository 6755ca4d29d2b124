// What is so in a world, seen from above, where nothing can be hidden. Shares no code with the
// planner, whose words are checked against it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/world/world.h"

namespace sim {

// A leader at which a linearizable read would be answered now.
std::vector<const Process*> serving(const World& world);
// Of `serving`, the one with the highest term; null: nobody serves.
const Process* server(const World& world);

struct Strength {
  std::size_t voters = 0, up = 0;  // of them: running, ready, and heard by `leader`
  [[nodiscard]] bool quorum() const { return voters > 0 && up >= voters / 2 + 1; }
};
Strength strength(const World& world, const Process& leader);

// The data of this member of this cluster, in its own place; none: it is not there.
std::optional<Dir> data_of(const World& world, base::ClusterId cluster, base::MemberId member);

// What a client would read of everything: key and newest value.
std::map<std::string, std::string> contents(const State& state);

}  // namespace sim
