#include "drivers/kube/platform.h"

#include <algorithm>
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
      watched_.push_back(
          {kube::Watcher(watched.target, *watched.store, parts.random), watched.declares});
  }

  std::unique_ptr<ClusterDriver> driver(const base::ClusterKey& key) override {
    return std::make_unique<KubeDriver>(shared_, key);
  }

  [[nodiscard]] std::vector<Declared> declared() const override {
    std::vector<Declared> out;
    for (auto& object : shared_.stores.own.all())
      out.push_back({api::Group::kOperatorEtcdIo, std::move(object)});
    for (auto& object : shared_.stores.coreos.all())
      out.push_back({api::Group::kCoreOs, std::move(object)});
    return out;
  }

  [[nodiscard]] bool is_held_by(const base::ClusterKey& key,
                                const std::string& uid) const override {
    const auto sets = shared_.stores.sets.group(key.ns, key.name);
    return std::ranges::any_of(sets, [&](const auto& set) { return owner_uid(*set) == uid; });
  }

  base::Status tell(const api::Cluster& about, const api::ClusterStatus& status,
                    const std::stop_token& stop) override {
    Objects objects(shared_.parts.client, about.key, shared_.options.call);
    TRY_OK(objects.send(status_request(about, status_json(status, about)), stop));
    return {};
  }

  [[nodiscard]] Requests& requests() override { return *requests_; }

  [[nodiscard]] bool ready() const override { return shared_.stores.complete(); }

  void watch(const std::function<void(const base::ClusterKey&)>& changed,
             const std::stop_token& stop) override {
    const auto tell = [&](std::span<const kube::Change> changes) {
      for (const auto& change : changes)
        for (const auto& object : {change.before, change.after})
          if (object != nullptr)
            if (const auto key = cluster_of(change.name, *object)) changed(*key);
    };
    const auto tell_declared = [&](std::span<const kube::Change> changes) {
      for (const auto& change : changes)
        changed(base::ClusterKey{change.name.ns, change.name.name});
    };
    const kube::Surroundings around{shared_.parts.client, shared_.parts.clock, shared_.parts.log};
    std::vector<std::jthread> threads;
    for (auto& watched : watched_)
      threads.emplace_back([&] {
        if (watched.declares)
          kube::run_watch(watched.watcher, around, tell_declared, stop);
        else
          kube::run_watch(watched.watcher, around, tell, stop);
      });
  }

  void look(const std::stop_token& stop) override {
    const auto now = [&] { return shared_.parts.clock.tick(); };
    for (auto& [watcher, declares] : watched_) {
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
  struct Watched {
    kube::Watcher watcher;
    bool declares = false;
  };
  std::deque<Watched> watched_;
  const std::unique_ptr<Requests> requests_ = make_requests(shared_);
};

}  // namespace

std::unique_ptr<Platform> Platform::make(PlatformOptions options, const Parts& parts) {
  return std::make_unique<KubePlatform>(std::move(options), parts);
}

}  // namespace k8s
