// The operator's HTTP address, and the pages that are alike on every platform.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/result.h"
#include "engine/queue.h"
#include "http/server.h"
#include "json/value.h"
#include "manager/cluster_metrics.h"
#include "manager/intents.h"

namespace manager {

// `address` as --http-addr takes it: IP:PORT.
base::Result<std::unique_ptr<http::Server>> serve_pages(
    const std::string& address, std::map<std::string, http::Handler> routes);

// /healthz: 503 names a cluster that a worker has been with for too long, unless `takes_long`
// knows why.
http::Response health_page(const engine::Queue& queue,
                           const std::function<bool(const base::ClusterKey&)>& takes_long);

// /debug/clusters/NAMESPACE/NAME: what `about` tells of it, else 404 with its error.
inline constexpr std::string_view kDebugPages = "/debug/clusters/";
http::Response debug_page(
    const std::string& path,
    const std::function<base::Result<json::Value>(const base::ClusterKey&)>& about);

// /metrics. Thread-safe; `registry` must outlive it.
class MetricsPage {
 public:
  struct Known {
    IntentView view;
    std::shared_ptr<const engine::Report> report;  // null before the first pass
  };
  explicit MetricsPage(metrics::Registry& registry) : registry_(registry) {}
  // Series of clusters that are no longer among `known` are forgotten.
  http::Response answer(const std::map<base::ClusterKey, Known>& known, size_t queued,
                        base::Instant now);

 private:
  metrics::Registry& registry_;
  std::mutex mutex_;                     // one page at a time
  std::set<base::ClusterKey> measured_;  // guarded by mutex_
};

}  // namespace manager
