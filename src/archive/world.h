// What a backup or a fetch needs of the world around it; tests put another in its place.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "archive/crypt.h"
#include "archive/job.h"
#include "base/time.h"
#include "etcd/api.h"
#include "etcd/history_api.h"
#include "objstore/store.h"

namespace archive {

using Connect = std::function<std::unique_ptr<etcd::EtcdApi>(const Endpoint&)>;
using ConnectHistory = std::function<std::unique_ptr<etcd::HistoryApi>(const Endpoint&)>;

// Told at each step that something outside can see, before and after it: a test ends the process
// there. May be empty.
using FaultPoint = std::function<void(std::string_view point)>;
std::vector<std::string> fault_points();
std::vector<std::string> log_fault_points();  // of the continuous mode, and of a merge

// What it points to outlives the work.
struct World {
  objstore::Store* store = nullptr;
  Connect connect = {};
  ConnectHistory history = {};  // a follower needs it; a backup asks it for users, if it is there
  const base::Clock* clock = nullptr;
  // Until then, or until `stop`; for a follower only.
  std::function<void(base::Duration)> wait = {};
  std::function<std::string()> nonce = {};  // 8 to 32 hex digits, never the same
  const Key* key = nullptr;                 // null: no encryption
  FaultPoint at = {};
  std::stop_token stop = {};

  [[nodiscard]] objstore::Call call(base::Tick deadline) const {
    return {.deadline = deadline, .stop = stop};
  }
  [[nodiscard]] base::Duration left(base::Tick deadline) const {
    return std::max(base::Duration(0), deadline - clock->tick());
  }
  void pass(std::string_view point) const {
    if (at) at(point);
  }
};

}  // namespace archive
