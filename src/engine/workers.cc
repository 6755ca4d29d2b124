#include "engine/workers.h"

#include <exception>
#include <utility>

namespace engine {

Workers::Workers(Queue& queue, size_t count, Work work, base::Logger& log)
    : queue_(queue), work_(std::move(work)), log_(log) {
  threads_.reserve(count);
  for (size_t i = 0; i < count; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
}

void Workers::stop() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

void Workers::serve(const std::stop_token& stop) {
  while (const auto key = queue_.take(stop)) serve_one(*key, stop);
}

void Workers::serve_one(const base::ClusterKey& key, const std::stop_token& stop) {
  try {
    const auto again = work_(key, stop);
    if (again) return queue_.done(key, *again);
    if (again.error().code != base::Code::kCancelled)
      log_.warning("reconcile_failed", {{"cluster", key.text()}, {"error", again.error().text()}});
  } catch (const std::exception& e) {
    log_.error("reconcile_exception", {{"cluster", key.text()}, {"error", e.what()}});
  }
  queue_.failed(key);
}

std::optional<Queue::InWork> Workers::stuck(base::Duration limit) const {
  std::optional<Queue::InWork> worst;
  for (auto& work : queue_.in_work())
    if (work.since > limit && (!worst || work.since > worst->since)) worst = std::move(work);
  return worst;
}

}  // namespace engine
