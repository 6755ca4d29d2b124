// The operator on Kubernetes: watches, the lease, clusters, workers and pages put together.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "drivers/kube/platform.h"
#include "engine/fault_points.h"
#include "kube/elector.h"
#include "kube/transport.h"

namespace manager {

struct KubeManagerOptions {
  std::string http_addr;
  // A pass mostly waits for a member's answer, and for one that does not answer its whole deadline:
  // many, so that the silent members of some clusters do not hold up the others.
  size_t workers = 16;
  k8s::PlatformOptions platform;
  kube::LeaseOptions lease;
  engine::FaultInjector* faults = nullptr;  // must outlive the manager
};

// What the manager stands on; must outlive it.
struct KubeParts {
  kube::Transport& transport;
  const base::Clock& clock;
  base::Random& random;
  base::Logger& log;
  k8s::Machine& machine;
  live::Connect connect;
};

class KubeManager {
 public:
  // Takes the HTTP address.
  static base::Result<std::unique_ptr<KubeManager>> open(const KubeManagerOptions& options,
                                                         const KubeParts& parts);
  virtual ~KubeManager() = default;
  // Works until `stop` is asked, whoever leads; members go on running. At the end the lease is
  // given up.
  virtual void run(const std::stop_token& stop) = 0;
  [[nodiscard]] virtual std::string http_address() const = 0;
};

// Whether the schemas that the API server has for our kinds are ours or newer: an older one drops
// fields without a word. FailedPrecondition says which is missing or old; PermissionDenied: it may
// not be asked.
base::Status check_schemas(kube::Client& client, const std::stop_token& stop);

}  // namespace manager
