// The members of a world as jobs ask them.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "etcd/api.h"
#include "sim/world/etcd_offline.h"
#include "sim/world/world.h"

namespace sim {

// By the member's URL: what it gave a job.
using Streamed = std::map<std::string, Snapshot>;

// Reads only, at this moment; its calls take no time. Reads may be asked by several threads at a
// time. Jobs run where the operator does; of certificates they are not asked. `world` and
// `streamed` outlive it.
std::unique_ptr<etcd::EtcdApi> ask_member(const World& world, const std::string& url,
                                          Streamed& streamed);

// An etcd that was made of the file at `path` alone.
base::Result<std::unique_ptr<etcd::EtcdApi>> serve_file(const std::string& path);

}  // namespace sim
