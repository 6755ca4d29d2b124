// Which members of a cluster can give a snapshot now.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "archive/trouble.h"
#include "archive/world.h"

namespace archive {

// A voter with a leader that answered a linearizable read and has no alarm about its data.
struct Usable {
  Endpoint endpoint;
  std::unique_ptr<etcd::EtcdApi> api;
  etcd::MemberStatus status;
  std::int64_t revision = 0;  // of that read: what it has applied at least
};
struct Members {
  std::vector<Usable> usable = {};         // never empty; followers first, the leader last
  std::vector<std::string> problems = {};  // of the others: "c-1: …"
  std::int64_t revision = 0;               // the highest that was read
  std::string cluster_id = {};             // hex
};
// Asks all at the same time. Trouble: no-member, corrupt, foreign (they are of several clusters).
Outcome<Members> look(const std::vector<Endpoint>& endpoints, const World& world,
                      base::Tick deadline);

}  // namespace archive
