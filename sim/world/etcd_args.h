// Which of etcd's flags which version knows.
#pragma once

#include <string>
#include <vector>

#include "sim/world/etcd_process.h"

namespace sim {

// The first flag that this version does not define, without dashes; empty: it knows them all.
std::string unknown_flag(const api::Version& version, const std::vector<std::string>& flags);

}  // namespace sim
