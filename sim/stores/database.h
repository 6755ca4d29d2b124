// What a member of the fake etcd holds as a database file of a real one, so that the shipping code
// has something to read, hash and prove.
#pragma once

#include <cstdint>
#include <string>

#include "sim/world/etcd_log.h"

namespace sim {

// With the check sum that a snapshot ends with; up to `revision`. `wrong_bytes`: values that were
// changed behind etcd's back.
std::string database_of(const State& state, std::int64_t revision, std::uint32_t wrong_bytes);

}  // namespace sim
