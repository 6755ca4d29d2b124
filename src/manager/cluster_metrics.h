// The metrics of the clusters and of this process.
#pragma once

#include <cstddef>
#include <stop_token>
#include <string>

#include "engine/reconciler.h"
#include "metrics/registry.h"

namespace manager {

// Every series of the cluster is replaced. `report` is null before the first pass.
void fill(metrics::Registry& registry, const base::ClusterKey& key, const plan::Intent& intent,
          const api::ClusterStatus& status, const engine::Report* report);

struct ProcessSample {
  std::string version;
  double rss_bytes = 0, cpu_seconds = 0;
  size_t clusters = 0, queue = 0;
};
void fill(metrics::Registry& registry, const ProcessSample& process);

// One pass of `reconciler`, timed and counted: its length, its error, the steps that it took.
base::Result<base::Duration> run_pass(engine::Reconciler& reconciler, const plan::Intent& intent,
                                      const base::Clock& clock, metrics::Registry& registry,
                                      const std::stop_token& stop);

}  // namespace manager
