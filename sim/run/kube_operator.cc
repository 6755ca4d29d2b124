#include "sim/run/kube_operator.h"

#include <utility>

#include "json/json.h"

namespace sim {
namespace {

const base::ClusterKey kCluster{"default", "c"};
constexpr base::Duration kAtMost{5'000};

}  // namespace

KubeOperator::KubeOperator(KubeNode& node) : node_(node) {
  fuse_.on_act([this] {
    if (!acted_on_) acted_on_ = recorded();
  });
  wire_.at = [this](std::string_view point) { fuse_.at(point); };
  restart();
}

void KubeOperator::restart() {
  queue_.reset();
  clusters_.reset();
  platform_ = machine_.platform(client_, random_, log_);
  ++term_;
  clusters_.emplace(manager::KubeClusters::Parts{*platform_, client_, node_.clock, random_, log_,
                                                 registry_, &plan::plan,
                                                 [this] { return std::optional(term_); }, &fuse_});
  queue_.emplace(node_.clock, random_, engine::Queue::Options{});
}

std::string KubeOperator::recorded() const {
  const auto* map = node_.server.find(kube::kConfigMaps, {kCluster.ns, kCluster.name + "-record"});
  return map == nullptr ? std::string() : json::get_string(*map, "data.record").value_or("");
}

void KubeOperator::serve(Turned& out) {
  platform_->look({});
  clusters_->take();
  for (const auto& key : clusters_->keys()) static_cast<void>(queue_->wake(key));
  while (const auto key = queue_->try_take()) {
    const auto before = clusters_->last(*key);
    const auto again = clusters_->work(*key, {});
    if (!again) out.problem = again.error().text();
    if (again)
      queue_->done(*key, *again);
    else
      queue_->failed(*key);
    if (const auto after = clusters_->last(*key); after != before) out.report = after;
  }
}

KubeOperator::Turned KubeOperator::turn(unsigned crash_after) {
  Turned out;
  fuse_.set(crash_after);
  log_.begin();
  acted_on_.reset();
  try {
    serve(out);
  } catch (const Crash& crash) {
    out.crashed_at = crash.point;
    restart();
  }
  fuse_.set(0);
  out.acted_on = std::exchange(acted_on_, std::nullopt);
  return out;
}

base::Duration KubeOperator::next() const {
  const auto next = queue_->next();
  return next ? std::min(*next, kAtMost) : kAtMost;
}

}  // namespace sim
