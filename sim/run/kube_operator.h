// One life after another of an operator on Kubernetes: the shipping intents, reconcilers, planner
// and driver in one thread, over a wire on which things get lost. Each life ends by a crash and
// begins with an empty memory.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engine/queue.h"
#include "manager/kube_clusters.h"
#include "sim/nodes/machine.h"
#include "sim/nodes/wire.h"
#include "sim/run/lives.h"

namespace sim {

class KubeOperator {
 public:
  struct Turned {
    std::string crashed_at;                        // empty: it did not
    std::string problem;                           // why a pass failed; empty: none did
    std::shared_ptr<const engine::Report> report;  // of a pass of this turn; null: there was none
    std::optional<std::string> acted_on;  // what was recorded when its first step was carried out
  };
  // The node outlives it.
  explicit KubeOperator(KubeNode& node);

  // Looks at what changed, and at the clusters that are due or of which something changed. Crashes
  // at the point after so many others; 0: it does not.
  Turned turn(unsigned crash_after);
  void restart();
  // Until the next appointment.
  [[nodiscard]] base::Duration next() const;

  [[nodiscard]] KubeWire& wire() { return wire_; }
  [[nodiscard]] KeptLog& log() { return log_; }
  [[nodiscard]] Fuse& fuse() { return fuse_; }

 private:
  // No request waits for another in virtual time.
  class FreeClock final : public base::Clock {
   public:
    explicit FreeClock(const base::Clock& clock) : clock_(clock) {}
    [[nodiscard]] base::Instant now() const override { return clock_.now(); }
    [[nodiscard]] base::Tick tick() const override { return clock_.tick() + (ahead_ += kAhead); }

   private:
    static constexpr base::Duration kAhead{60'000};
    const base::Clock& clock_;
    mutable base::Duration ahead_{0};
  };
  void serve(Turned& out);
  [[nodiscard]] std::string recorded() const;

  KubeNode& node_;
  NodeMachine machine_{node_};
  WorldRandom random_{node_.world};
  KeptLog log_;
  Fuse fuse_;
  metrics::Registry registry_;
  KubeWire wire_{node_, random_};
  FreeClock free_{node_.clock};
  kube::Limiter limiter_{free_, {.per_second = 1e6, .burst = 1e6}};
  kube::Client client_{{.transport = wire_, .limiter = limiter_, .clock = node_.clock}};
  std::int64_t term_ = 0;
  std::unique_ptr<k8s::Platform> platform_;
  std::optional<manager::KubeClusters> clusters_;
  std::optional<engine::Queue> queue_;
  std::optional<std::string> acted_on_;
};

}  // namespace sim
