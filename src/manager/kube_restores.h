// EtcdRestore objects of a Kubernetes: their status. The clusters that they name ask for them when
// they begin.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "base/log.h"
#include "drivers/kube/platform.h"
#include "manager/kube_clusters.h"

namespace manager {

// For one thread. All references must outlive it.
class KubeRestores {
 public:
  struct Parts {
    k8s::Platform& platform;
    const KubeClusters& clusters;
    const base::Clock& clock;
    base::Logger& log;
    // The number of the term in which we lead; none: somebody else does.
    std::function<std::optional<std::int64_t>()> term;
  };
  explicit KubeRestores(Parts parts) : parts_(std::move(parts)) {}

  // Tells what came of each. To be called now and then.
  void turn(const std::stop_token& stop);

 private:
  struct Told {
    std::int64_t generation = 0;
    bool over = false;
    std::string text;
    std::optional<base::Instant> again;  // nothing is written before
  };
  void work(const k8s::DeclaredRequest& declared, Told& told, const std::stop_token& stop);

  const Parts parts_;
  std::int64_t term_ = 0;
  std::map<std::string, Told> told_;  // by uid
};

}  // namespace manager
