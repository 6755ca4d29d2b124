// The clusters of a Kubernetes that are looked after: what is declared, and a driver and a
// reconciler for each that has its name.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/log.h"
#include "drivers/kube/platform.h"
#include "engine/reconciler.h"
#include "kube/client.h"
#include "manager/kube_intents.h"
#include "metrics/registry.h"

namespace manager {

// Thread-safe; work() of one cluster by one thread at a time. All references must outlive it.
class KubeClusters {
 public:
  struct Parts {
    k8s::Platform& platform;
    kube::Client& client;
    const base::Clock& clock;
    base::Random& random;
    base::Logger& log;
    metrics::Registry& metrics;
    engine::Planner planner;
    // The number of the term in which we lead; none: somebody else does. What was remembered in an
    // earlier term counts no more.
    std::function<std::optional<std::int64_t>()> term;
    engine::FaultInjector* faults = nullptr;
  };
  explicit KubeClusters(Parts parts) : parts_(std::move(parts)) {}

  // Looks at what is declared now; gives the clusters to look at.
  std::set<base::ClusterKey> take();
  // One pass; no value: nothing is to be done for it unless something wakes it. The first term
  // wakes all, so who never led waits for that; who led once looks again, as a term that lapsed may
  // be had again.
  base::Result<std::optional<base::Duration>> work(const base::ClusterKey& key,
                                                   const std::stop_token& stop);

  [[nodiscard]] std::set<base::ClusterKey> keys() const;
  // NotFound: nobody declares it.
  [[nodiscard]] base::Result<IntentView> view(const base::ClusterKey& key) const;
  // Null before the first pass.
  [[nodiscard]] std::shared_ptr<const engine::Report> last(const base::ClusterKey& key) const;

 private:
  struct Cell {
    std::string uid;
    std::int64_t term = 0;
    std::unique_ptr<k8s::ClusterDriver> driver;
    std::unique_ptr<engine::Reconciler> reconciler;  // uses driver
    bool finished = false;                           // deleted, and nothing is left to do
    std::optional<base::Tick> deleting_since;        // when it was first seen to be deleted
  };
  using Found = std::pair<std::optional<Declaration>, std::vector<Declaration>>;
  [[nodiscard]] Found find(const base::ClusterKey& key) const;
  // Shared, because a look may outlive the cluster's place in the map.
  std::shared_ptr<Cell> cell(const Declaration& of, std::int64_t term);
  base::Status tell(const Declaration& about, const std::stop_token& stop);
  base::Status keep_finalizer(const Declaration& of, bool wanted, const std::stop_token& stop);
  base::Result<std::optional<base::Duration>> pass(const Declaration& of, Cell& cell,
                                                   const std::stop_token& stop);
  // Says so to people, too.
  bool is_given_up(const Declaration& of, Cell& cell);
  base::Status finish(const Declaration& of, Cell& cell, const std::stop_token& stop);

  const Parts parts_;
  std::atomic<bool> has_led_ = false;
  mutable std::mutex mutex_;  // guards all below
  KubeIntents intents_;
  std::map<base::ClusterKey, std::shared_ptr<Cell>> cells_;
  std::map<std::string, std::string> told_;  // by uid: the status of those without a driver
};

}  // namespace manager
