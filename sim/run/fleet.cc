#include "sim/run/fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <queue>

#include "posix/files.h"
#include "sim/checkers/converged.h"
#include "sim/run/lives.h"
#include "sim/run/wanted.h"

namespace sim {
namespace {

using Steady = std::chrono::steady_clock;
constexpr base::Duration kIdle{60'000};

double resident_mb() {
  const auto status = posix::read_file("/proc/self/status", std::size_t{1} << 16U);
  if (!status) return 0;
  const auto at = status->find("VmRSS:");
  if (at == std::string::npos) return 0;
  return static_cast<double>(std::strtol(status->c_str() + at + 6, nullptr, 10)) / 1024;
}

struct Fleet {
  std::vector<std::unique_ptr<World>> worlds;
  std::vector<std::unique_ptr<Operator>> operators;
  std::vector<double> micros;  // of each call of plan()
  std::size_t passes = 0;
  double pass_seconds = 0;
};

// A pass of one cluster; gives when it wants to be looked at again.
base::Instant pass(Fleet& fleet, std::size_t i, const plan::Intent& intent) {
  const auto start = Steady::now();
  const auto again = fleet.operators[i]->reconciler().pass(intent, {});
  fleet.pass_seconds += std::chrono::duration<double>(Steady::now() - start).count();
  ++fleet.passes;
  return fleet.worlds[i]->now() + again.value_or(base::Duration{500});
}

double percentile(std::vector<double>& of, double share) {
  if (of.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(of.size() - 1));
  std::ranges::nth_element(of, of.begin() + at);
  return of[static_cast<std::size_t>(at)];
}

}  // namespace

int run_fleet(std::size_t clusters) {
  Fleet fleet;
  NoLog log;
  const plan::Intent intent = intent_of(Wanted{});
  for (std::size_t i = 0; i < clusters; ++i) {
    Settings settings;
    settings.seed = i + 1;
    fleet.worlds.push_back(std::make_unique<World>(settings));
    fleet.worlds.back()->binaries = {"3.5.33"};
    fleet.operators.push_back(
        std::make_unique<Operator>(*fleet.worlds.back(), base::ClusterKey{"default", "c"}, log));
  }
  std::size_t formed = 0;
  for (std::size_t i = 0; i < clusters; ++i) {
    World& world = *fleet.worlds[i];
    for (int n = 0; n < 200 && !missing(world, {3, {3, 5, 33, ""}}).empty(); ++n) {
      const auto at = pass(fleet, i, intent);
      if (at > world.now()) world.advance(at - world.now());
    }
    formed += missing(world, {3, {3, 5, 33, ""}}).empty() ? 1 : 0;
  }
  fmt::print("{} of {} clusters of three formed in {} passes\n", formed, clusters, fleet.passes);
  const double with = resident_mb();
  std::vector<OperatorMemory> memories;
  // What an operator's memory takes: as much again, in a second copy of all of it.
  for (auto& each : fleet.operators) memories.push_back(each->memory());
  const double twice = resident_mb();
  fmt::print("memory of the operator: {:.1f} KiB a cluster (all worlds and operators: {:.0f} MB)\n",
             (twice - with) * 1024 / static_cast<double>(clusters), with);
  fleet.passes = 0;
  fleet.pass_seconds = 0;
  for (std::size_t i = 0; i < clusters; ++i) {
    World& world = *fleet.worlds[i];
    const auto until = world.now() + kIdle;
    while (world.now() < until) {
      const auto start = Steady::now();
      const auto at = pass(fleet, i, intent);
      fleet.micros.push_back(
          std::chrono::duration<double, std::micro>(Steady::now() - start).count());
      if (at > world.now()) world.advance(at - world.now());
    }
  }
  const double median = percentile(fleet.micros, 0.5), p99 = percentile(fleet.micros, 0.99);
  fmt::print(
      "idle, a minute of each: {} passes, {:.0f} us a pass in the median and {:.0f} at p99 "
      "(look, plan and the fake etcd); {:.1f} % of a core for the whole fleet\n",
      fleet.passes, median, p99, fleet.pass_seconds / 60 * 100);
  return formed == clusters ? 0 : 1;
}

}  // namespace sim
