#include "sim/run/kube_worker.h"

#include <fmt/format.h>

#include <algorithm>

namespace sim {
namespace {

using base::Duration;

}  // namespace

bool KubeWorker::work(Work kind) {
  switch (kind) {
    case Work::kThief:
      return steal();
    case Work::kDisaster:
      return ruin();
    case Work::kWhims:
      return whim();
    case Work::kCrasher:
      s_.operate_until(static_cast<unsigned>(1 + dice_.below(24)));
      return true;
    case Work::kEvictor:
      return evict();
    case Work::kWeather:
      return change_weather();
    case Work::kWatches:
      return confuse_watches();
    case Work::kWriter:
    case Work::kScaler:
    case Work::kUpgrader:
    case Work::kReviser:
    case Work::kKiller:
    case Work::kPartitioner:
    case Work::kSleeper:
    case Work::kFiller:
      return common(kind);
    case Work::kClock:
    case Work::kDisks:
    case Work::kConfuser:
    case Work::kDouble:
    case Work::kKeeper:
    case Work::kVandal:
      break;
  }
  return false;
}

std::string KubeWorker::pod_of(const std::string& member) const {
  const std::string pod = member + "-0";
  return node_.server.find(kube::kPods, {"default", pod}) == nullptr ? std::string() : pod;
}

bool KubeWorker::evict() {
  const std::string member = some_member();
  const std::string pod = member.empty() ? "" : pod_of(member);
  if (pod.empty()) return false;
  const kube::Name name{"default", pod};
  const auto how = dice_.below(3);
  if (how == 0) {
    const auto done = node_.client.call(kube::evict(name), Duration{5'000}, {});
    s_.note(fmt::format("{} is {}", pod, done ? "evicted" : "not evicted, as its budget says"));
    return done.has_value();
  }
  s_.note(fmt::format("{} is deleted{}", pod, how == 1 ? "" : " at once"));
  kube::RemoveOptions options;
  if (how == 2) {
    world_.kill_guard(member);
    options.grace_seconds = 0;
  }
  node_.must(kube::remove(kube::kPods, name, options));
  return true;
}

// As by a person: the claim stays until no pod uses it any more.
void KubeWorker::lose(const std::string& member) {
  const std::string claim = "data-" + member;
  if (node_.server.find(kube::kClaims, {"default", claim}) == nullptr) return;
  s_.note("the claim of " + member + " and its pod are deleted");
  s_.doomed_.insert(member);
  node_.must(kube::remove(kube::kClaims, {"default", claim}));
  if (const auto pod = pod_of(member); !pod.empty())
    node_.must(kube::remove(kube::kPods, {"default", pod}));
}

bool KubeWorker::steal() {
  const std::string member = some_member();
  if (member.empty()) return false;
  const auto sound = s_.oracles_.sound(world_);
  if (sound.up == 0 || sound.up - 1 < sound.voters / 2 + 1) return false;
  lose(member);
  return true;
}

bool KubeWorker::ruin() {
  std::vector<std::string> names;
  for (const auto& [name, place] : world_.places)
    if (!world_.volume_of(name).data.blank()) names.push_back(name);
  if (names.empty()) return false;
  const auto spared = dice_.below(names.size() / 2 + 1);
  for (std::size_t i = 0; i < spared; ++i)
    names.erase(names.begin() + static_cast<std::ptrdiff_t>(dice_.below(names.size())));
  for (const auto& name : names) lose(name);
  return true;
}

// One that is being deleted is declared again when it is gone.
void KubeWorker::declare_again() {
  KubeSimulation& s = s_;
  if (s.is_declared()) {
    later(Duration{5'000}, [&s] { KubeWorker(s).declare_again(); });
    return;
  }
  s.judge();  // with what was wanted so far
  wanted_.deleted = wanted_.delete_data = false;
  s.edit();
}

bool KubeWorker::whim() {
  if (wanted_.paused || wanted_.hibernate || wanted_.deleted) return false;
  const auto how = dice_.below(3);
  if (how == 0) wanted_.paused = true;
  if (how == 1) wanted_.hibernate = true;
  if (how < 2) {
    s_.edit();
    later(Duration{60'000}, [&s = s_] {
      s.wanted_.paused = s.wanted_.hibernate = false;
      s.edit();
    });
    return true;
  }
  wanted_.delete_data = dice_.chance(30);
  if (wanted_.delete_data) s_.edit();
  wanted_.deleted = true;
  s_.note(fmt::format("user: deletes it{}", wanted_.delete_data ? " with its data" : ""));
  node_.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  later(Duration{60'000}, [&s = s_] { KubeWorker(s).declare_again(); });
  return true;
}

bool KubeWorker::change_weather() {
  KubeWire::Weather weather;
  const auto some = [&] { return dice_.chance(50) ? static_cast<unsigned>(dice_.below(200)) : 0; };
  weather.lost_request = some();
  weather.lost_answer = some();
  weather.conflict = some();
  weather.busy = some();
  weather.failed = some();
  weather.between = some();
  s_.note(fmt::format(
      "of a thousand requests {} are lost, of {} the answer; refused are {} by "
      "409, {} by 429, {} by 5xx",
      weather.lost_request, weather.lost_answer, weather.conflict, weather.busy, weather.failed));
  s_.operator_.wire().weather = weather;
  later(Duration{20'000}, [&s = s_] { s.operator_.wire().weather = {}; });
  return true;
}

bool KubeWorker::confuse_watches() {
  if (dice_.chance(40)) {
    const auto left = dice_.below(4);
    s_.note(fmt::format("the API server forgets all but {} changes", left));
    node_.server.compact(left);
    return true;
  }
  const auto by = 1 + dice_.below(60);
  s_.note(fmt::format("watches lag by {} changes", by));
  node_.server.lag(by);
  later(Duration{10'000}, [&s = s_] { s.node_.server.lag(0); });
  return true;
}

}  // namespace sim
