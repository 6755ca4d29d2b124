// The simulator: schedules of faults and edits in virtual time over the shipping planner and
// engine.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "sim/run/fleet.h"
#include "sim/run/kube_simulation.h"
#include "sim/run/simulation.h"

namespace {

struct Options {
  std::uint64_t seed = 1, schedules = 1;
  std::size_t steps = 1000, fleet = 0;
  unsigned jobs = 1;
  double minutes = 0;
  bool verbose = false, keep_going = false;
  sim::Platform platform = sim::Platform::kHost;
  std::set<std::string> only;
};

constexpr const char* kUsage =
    R"(usage: sim [--seed N] [--steps M] [--schedules K] [--jobs J] [--only WORK,WORK…]
           [--minutes M] [--keep-going] [--verbose] [--platform host|kubernetes]
       sim --fleet CLUSTERS

A schedule is drawn from its seed: the first K seeds from N on are run, or as many as fit into M
minutes. The last line is the digest of all that happened; the same arguments give the same digest.
Exit status: 0 all held, 1 something that must never happen did, 2 bad arguments.
)";

std::uint64_t number(const std::string& flag, const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size())
    throw std::invalid_argument(flag + ": '" + text + "' is not a number");
  return value;
}

void take_works(const std::string& text, std::set<std::string>& out) {
  for (std::size_t from = 0; from <= text.size();) {
    const auto comma = std::min(text.find(',', from), text.size());
    const std::string name = text.substr(from, comma - from);
    const auto& all = sim::works();
    if (std::ranges::none_of(all, [&](const auto& w) { return w.name == name; })) {
      std::string allowed;
      for (const auto& w : all) allowed += fmt::format(" {}", w.name);
      throw std::invalid_argument("--only: '" + name + "' is not one of" + allowed);
    }
    out.insert(name);
    from = comma + 1;
  }
}

sim::Platform platform_of(const std::string& name) {
  if (name == "host") return sim::Platform::kHost;
  if (name == "kubernetes") return sim::Platform::kKubernetes;
  throw std::invalid_argument("--platform: '" + name + "' is not one of host kubernetes");
}

Options read(const std::vector<std::string>& args) {
  Options out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& flag = args[i];
    if (flag == "--verbose") {
      out.verbose = true;
      continue;
    }
    if (flag == "--keep-going") {
      out.keep_going = true;
      continue;
    }
    if (i + 1 == args.size()) throw std::invalid_argument(flag + ": is unknown or lacks its value");
    const std::string& value = args[++i];
    if (flag == "--seed")
      out.seed = number(flag, value);
    else if (flag == "--steps")
      out.steps = number(flag, value);
    else if (flag == "--schedules")
      out.schedules = number(flag, value);
    else if (flag == "--jobs")
      out.jobs = static_cast<unsigned>(std::max<std::uint64_t>(1, number(flag, value)));
    else if (flag == "--fleet")
      out.fleet = number(flag, value);
    else if (flag == "--minutes")
      out.minutes = static_cast<double>(number(flag, value));
    else if (flag == "--platform")
      out.platform = platform_of(value);
    else if (flag == "--only")
      take_works(value, out.only);
    else
      throw std::invalid_argument(flag + ": is unknown");
  }
  return out;
}

// Of all schedules; the order in which they end does not matter.
class Totals {
 public:
  void add(const sim::Result& r) {
    const std::lock_guard lock(mutex_);
    ++schedules;
    simulated += r.simulated;
    steps.push_back(r.steps);
    faults.push_back(r.faults);
    passes += r.passes;
    writes += r.writes;
    recoveries += r.recoveries;
    lost += r.lost;
    restores += r.restores;
    for (const auto& [what, n] : r.counts) counts[what] += n;
    // A sum does not depend on the order.
    hi +=
        sim::model::hash128(fmt::format("{}:{:016x}{:016x}", r.seed, r.digest.hi, r.digest.lo)).hi;
    lo +=
        sim::model::hash128(fmt::format("{}:{:016x}{:016x}", r.seed, r.digest.hi, r.digest.lo)).lo;
    if (r.failure.empty()) return;
    failed.push_back(r);
  }
  std::size_t schedules = 0, passes = 0, writes = 0, recoveries = 0, lost = 0, restores = 0;
  base::Duration simulated{0};
  std::vector<std::size_t> steps, faults;
  std::map<std::string, std::size_t> counts;
  std::uint64_t hi = 0, lo = 0;
  std::vector<sim::Result> failed;

 private:
  std::mutex mutex_;
};

std::size_t median(std::vector<std::size_t> of) {
  if (of.empty()) return 0;
  std::ranges::sort(of);
  return of[of.size() / 2];
}

void print(Totals& t, double seconds, const Options& options) {
  std::ranges::sort(t.failed, {}, &sim::Result::seed);
  for (const auto& r : t.failed) {
    if (options.schedules == 1 || r.seed == t.failed.front().seed)
      for (const auto& line : r.trace) fmt::print("{}\n", line);
    fmt::print("seed {} failed: {}\n  again: build/bin/sim{} --seed {} --steps {} --verbose\n",
               r.seed, r.failure,
               options.platform == sim::Platform::kHost ? "" : " --platform kubernetes", r.seed,
               options.steps);
  }
  std::string counts;
  for (const auto& [what, n] : t.counts) counts += fmt::format(" {}={}", what, n);
  fmt::print("met:{}\n", counts);
  const double hours = static_cast<double>(t.simulated.count()) / 3.6e6;
  fmt::print(
      "{} schedules, {} failed; median {} steps and {} faults; {} passes, {} acknowledged writes, "
      "{} "
      "recoveries with {} writes in their stated losses, {} clusters from a store\n",
      t.schedules, t.failed.size(), median(t.steps), median(t.faults), t.passes, t.writes,
      t.recoveries, t.lost, t.restores);
  fmt::print(
      "{:.1f} simulated hours in {:.1f} s: {:.0f} times real time, {:.1f} schedules a second\n",
      hours, seconds, hours * 3600 / std::max(seconds, 1e-9),
      static_cast<double>(t.schedules) / std::max(seconds, 1e-9));
  fmt::print("depth: {} schedules of {} steps, {:.0f} simulated hours\n", t.schedules,
             options.steps, hours);
  fmt::print("{:016x}{:016x}\n", t.hi, t.lo);
}

int run(const Options& options) {
  using Steady = std::chrono::steady_clock;
  const auto start = Steady::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Steady::now() - start).count(); };
  fmt::print("seed {} steps {} schedules {} of etcd-operator {}\n", options.seed, options.steps,
             options.minutes > 0 ? "as many as fit" : std::to_string(options.schedules),
             EO_VERSION);
  Totals totals;
  std::atomic<std::uint64_t> next{0};
  std::atomic<bool> stop{false};
  {
    std::vector<std::jthread> threads;
    for (unsigned j = 0; j < options.jobs; ++j)
      threads.emplace_back([&] {
        while (!stop) {
          const auto n = next++;
          if (options.minutes > 0 ? seconds() > options.minutes * 60 : n >= options.schedules)
            return;
          const auto schedule =
              sim::draw_schedule(options.seed + n, {options.steps, options.platform, options.only});
          const auto simulate =
              options.platform == sim::Platform::kHost ? sim::simulate : sim::simulate_kubernetes;
          const auto result = simulate(
              schedule, options.verbose ? [](const std::string& line) { fmt::print("{}\n", line); }
                                        : std::function<void(const std::string&)>());
          totals.add(result);
          if (!result.failure.empty() && !options.keep_going) stop = true;
        }
      });
  }
  print(totals, seconds(), options);
  return totals.failed.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  try {
    if (args.size() == 1 && (args[0] == "--help" || args[0] == "-h")) {
      fmt::print("{}", kUsage);
      return 0;
    }
    const Options options = read(args);
    return options.fleet > 0 ? sim::run_fleet(options.fleet) : run(options);
  } catch (const std::invalid_argument& e) {
    fmt::print(stderr, "sim: {}\n{}", e.what(), kUsage);
    return 2;
  }
}
