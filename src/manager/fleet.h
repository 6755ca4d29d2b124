// The clusters that are looked after: a driver and a reconciler each.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "base/log.h"
#include "drivers/host/platform.h"
#include "engine/reconciler.h"
#include "manager/intents.h"
#include "metrics/registry.h"

namespace manager {

// Thread-safe; all references must outlive it.
class Fleet {
 public:
  struct Parts {
    host::Platform& platform;
    Intents& intents;
    const base::Clock& clock;
    base::Random& random;
    base::Logger& log;
    metrics::Registry& metrics;
    engine::Planner planner;
    engine::FaultInjector* faults = nullptr;
  };
  explicit Fleet(Parts parts) : parts_(std::move(parts)) {}

  // One pass; no value: nothing is ever to be done for it unless something wakes it. A cluster
  // whose deletion has come to its end is forgotten.
  base::Result<std::optional<base::Duration>> work(const base::ClusterKey& key,
                                                   const std::stop_token& stop);
  // Changes nothing. Unavailable: the pass in hand does not end soon, and at what it is.
  base::Result<engine::Report> dry_run(const base::ClusterKey& key, const plan::Intent& intent,
                                       const std::stop_token& stop);
  // Null before the first pass.
  [[nodiscard]] std::shared_ptr<const engine::Report> last(const base::ClusterKey& key) const;
  // Stores the newest status of each once more, so that its age is known after our end.
  void leave();

 private:
  struct Cell {
    std::unique_ptr<engine::Driver> driver;
    std::unique_ptr<engine::Reconciler> reconciler;  // uses driver
  };
  // Shared, because a look may outlive the cluster's place in the map.
  std::shared_ptr<Cell> cell(const base::ClusterKey& key);
  std::shared_ptr<Cell> make(const base::ClusterKey& key) const;
  [[nodiscard]] std::shared_ptr<Cell> find(const base::ClusterKey& key) const;

  const Parts parts_;
  mutable std::mutex mutex_;  // guards cells_
  std::map<base::ClusterKey, std::shared_ptr<Cell>> cells_;
};

}  // namespace manager
