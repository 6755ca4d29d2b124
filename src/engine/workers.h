// A small pool of threads that serve a queue.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "engine/queue.h"

namespace engine {

// The look at one cluster; gives when to look again (no value: only when woken). A failure or an
// exception is logged and tried again after the key's growing wait.
using Work = std::function<base::Result<std::optional<base::Duration>>(const base::ClusterKey&,
                                                                       const std::stop_token&)>;

class Workers {
 public:
  // All must outlive it. Precondition: count > 0.
  Workers(Queue& queue, size_t count, Work work, base::Logger& log);
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  ~Workers() { stop(); }

  void stop();  // asks all, then waits for the looks in hand
  // The longest look in hand that is older than `limit`: a worker that is stuck.
  [[nodiscard]] std::optional<Queue::InWork> stuck(base::Duration limit) const;

 private:
  void serve(const std::stop_token& stop);
  void serve_one(const base::ClusterKey& key, const std::stop_token& stop);

  Queue& queue_;
  const Work work_;
  base::Logger& log_;
  std::vector<std::jthread> threads_;  // last: they use the rest
};

}  // namespace engine
