// Fills the metrics that are taken from what is known now.
#pragma once

#include <cstddef>
#include <string>

#include "engine/reconciler.h"
#include "metrics/registry.h"

namespace manager {

// Every series of the cluster is replaced. `report` is null before the first pass.
void fill(metrics::Registry& registry, const base::ClusterKey& key,
          const api::ClusterStatus& status, const engine::Report* report);

struct ProcessSample {
  std::string version;
  double rss_bytes = 0, cpu_seconds = 0;
  size_t clusters = 0, queue = 0;
};
void fill(metrics::Registry& registry, const ProcessSample& process);

}  // namespace manager
