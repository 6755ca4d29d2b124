#include "drivers/kube/platform.h"

#include <deque>
#include <thread>
#include <vector>

#include "drivers/kube/driver.h"
#include "kube/runner.h"

namespace k8s {
namespace {

class KubePlatform final : public Platform {
 public:
  KubePlatform(PlatformOptions options, const Parts& parts) : shared_{std::move(options), parts} {
    shared_.stores.sees_volumes = shared_.options.sees_volumes;
    for (auto& watched : shared_.stores.watched(shared_.options.one_namespace))
      watchers_.emplace_back(watched.target, *watched.store, parts.random);
  }

  std::unique_ptr<ClusterDriver> driver(const base::ClusterKey& key) override {
    return std::make_unique<KubeDriver>(shared_, key);
  }

  [[nodiscard]] bool ready() const override { return shared_.stores.complete(); }

  void watch(const std::function<void(const base::ClusterKey&)>& changed,
             const std::stop_token& stop) override {
    const auto tell = [&](std::span<const kube::Change> changes) {
      for (const auto& change : changes)
        for (const auto& object : {change.before, change.after})
          if (object != nullptr)
            if (const auto key = cluster_of(change.name, *object)) changed(*key);
    };
    const kube::Surroundings around{shared_.parts.client, shared_.parts.clock, shared_.parts.log};
    std::vector<std::jthread> threads;
    for (auto& watcher : watchers_)
      threads.emplace_back(
          [&watcher, &around, &tell, &stop] { kube::run_watch(watcher, around, tell, stop); });
  }

  void look(const std::stop_token& stop) override {
    const auto now = [&] { return shared_.parts.clock.tick(); };
    for (auto& watcher : watchers_) {
      const auto next = watcher.next();
      if (next.doing == kube::Watcher::Doing::kList) {
        watcher.listed(shared_.parts.client.call(next.request, shared_.options.call, stop), now());
        continue;
      }
      const auto sink = [&](std::string_view bytes) -> base::Status {
        watcher.heard(bytes, now());
        return {};
      };
      watcher.ended(shared_.parts.client.stream(next.request, {}, sink, stop), now());
    }
  }

 private:
  Shared shared_;
  std::deque<kube::Watcher> watchers_;
};

}  // namespace

std::unique_ptr<Platform> Platform::make(PlatformOptions options, const Parts& parts) {
  return std::make_unique<KubePlatform>(std::move(options), parts);
}

}  // namespace k8s
