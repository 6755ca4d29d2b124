// What the drivers for Kubernetes ask of the machine, answered by the world below a node of fakes.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "drivers/kube/platform.h"
#include "sim/nodes/node.h"

namespace sim {

// `of` must outlive it.
class NodeMachine final : public k8s::Machine {
 public:
  explicit NodeMachine(KubeNode& of) : node_(of) {}
  void pause(base::Duration d, const std::stop_token& stop) override;
  void together(std::span<const std::function<void()>> calls) override;
  std::optional<api::Version> cluster_version(const std::string& metrics_url,
                                              base::Duration deadline,
                                              const std::stop_token& stop) override;
  base::Result<std::string> page(const std::string& url, base::Duration deadline,
                                 const std::stop_token& stop) override;
  // By address; the world knows members by the names that they advertise.
  std::unique_ptr<etcd::EtcdApi> dial(const std::string& url, const etcd::Tls& tls);

  // The node's own client, or another's.
  std::unique_ptr<k8s::Platform> platform(base::Random& random, base::Logger& log) {
    return platform(node_.client, random, log);
  }
  std::unique_ptr<k8s::Platform> platform(kube::Client& client, base::Random& random,
                                          base::Logger& log);

 private:
  KubeNode& node_;
};

}  // namespace sim
