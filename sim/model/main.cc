// check-model: every way a cluster can go within a bound, with the shipping planner, engine, driver
// and guard. Exit status: 0 all is well, 1 a rule is broken or something was never exercised, 2 the
// command line, 3 the bound was not exhausted.
#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "base/text.h"
#include "posix/clock.h"
#include "posix/files.h"
#include "sim/model/cluster_model.h"
#include "sim/model/coverage.h"
#include "sim/model/report.h"
#include "sim/model/shrink.h"

namespace {

using namespace sim::model;

constexpr std::string_view kUsage =
    "usage: check-model [--members N] [--faults N] [--edits N] [--together N]\n"
    "                   [--seconds S] [--states N]\n"
    "                   [--memory GIB] [--threads N] [--scenario NAME] [--first STEP]…\n"
    "                   [--symmetric] [--keep-going] [--deepest]\n"
    "                   [--partly | --coverage FILE [--judge]]\n";

struct Options {
  Scenario scenario;
  Bounds bounds;
  bool deepest = false;  // show the way to the state that was met last
  bool partly = false;   // what was never exercised is told and is no failure
  std::string coverage;  // a file to which what was exercised is added
  bool judge = false;    // that file says all that the runs exercised: a zero is a failure
  bool good = true;
};

Options parse(int argc, char** argv) {
  Options out;
  out.bounds.most = {1, 0};
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--symmetric") {
      out.scenario.symmetric = true;
    } else if (name == "--keep-going") {
      out.bounds.keep_going = true;
    } else if (name == "--deepest") {
      out.deepest = true;
    } else if (name == "--partly") {
      out.partly = true;
    } else if (name == "--judge") {
      out.judge = true;
    } else if (name == "--coverage" && i + 1 < argc) {
      out.coverage = argv[++i];
    } else if (name == "--scenario" && i + 1 < argc) {
      out.scenario.from = argv[++i];
    } else if (name == "--first" && i + 1 < argc) {
      out.scenario.first.emplace_back(argv[++i]);
    } else {
      const auto value = i + 1 < argc ? base::parse_int(argv[++i]) : std::nullopt;
      if (!value || *value < 0) return out.good = false, out;
      if (name == "--members")
        out.scenario.members = static_cast<int>(*value);
      else if (name == "--faults")
        out.bounds.most.faults = static_cast<int>(*value);
      else if (name == "--together")
        out.bounds.together = static_cast<int>(*value);
      else if (name == "--edits")
        out.bounds.most.edits = static_cast<int>(*value);
      else if (name == "--seconds")
        out.bounds.time = std::chrono::seconds(*value);
      else if (name == "--states")
        out.bounds.states = static_cast<std::size_t>(*value);
      else if (name == "--memory")
        out.bounds.memory = static_cast<std::size_t>(*value) << 30U;
      else if (name == "--threads")
        out.bounds.threads = static_cast<unsigned>(*value);
      else
        return out.good = false, out;
    }
  }
  out.partly |= !out.coverage.empty() && !out.judge;
  out.good = (!out.judge || !out.coverage.empty()) && out.bounds.threads > 0 &&
             out.scenario.members > 0 &&
             (out.bounds.most.faults + 1) * (out.bounds.most.edits + 1) <= 32;
  return out;
}

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

// What the runs before have exercised is added; the file says all of it.
base::Status add_coverage(const std::string& path, Counts& counts) {
  constexpr std::size_t kLimit = std::size_t{1} << 20U;
  const auto before = posix::read_file(path, kLimit);
  if (!before && before.error().code != base::Code::kNotFound)
    return std::unexpected(before.error());
  if (before) {
    TRY(const Counts earlier, parse_coverage(*before));
    counts.add(earlier);
  }
  return posix::write_atomic(path, coverage_text(counts));
}

int run(const Options& options) {
  const posix::SystemClock clock;
  const ClusterModel model(options.scenario);
  if (model.roots() == 0) {
    fmt::print(stderr, "check-model: there is no such scenario\n");
    return 2;
  }
  const base::Tick start = clock.tick();
  Found found = search(model, options.bounds, &clock, &say);
  const auto took = std::chrono::duration<double>(clock.tick() - start).count();
  say(describe_tally(found.counts));
  say(fmt::format("up to {} members, {} faults, {} edits{}", options.scenario.members,
                  options.bounds.most.faults, options.bounds.most.edits,
                  options.scenario.symmetric ? ", members exchangeable" : ""));
  say(describe(found, took));
  // The ledger shows this line.
  say(fmt::format("depth: {}/{}/{} {}, {} states", options.scenario.members,
                  options.bounds.most.faults, options.bounds.most.edits,
                  found.exhausted ? "exhausted" : "not exhausted", found.states));
  for (const auto* traces : {&found.violations, &found.stuck})
    for (const Trace& trace : *traces) say(describe(model, shrink(model, trace)));
  if (options.deepest) say(describe(model, found.deepest));
  if (found.stuck_states > 0) say(fmt::format("{} states reach no good end", found.stuck_states));
  if (!options.coverage.empty()) {
    if (const auto added = add_coverage(options.coverage, found.counts); !added) {
      fmt::print(stderr, "check-model: {}: {}\n", options.coverage, added.error().text());
      return 2;
    }
  }
  const auto lacks = lacks_of(found.counts, unreachable());
  for (const std::string& line : lacks) say(line);
  if (!found.violations.empty() || found.stuck_states > 0) return 1;
  if (!lacks.empty() && !options.partly) return 1;
  return found.exhausted ? 0 : 3;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (!options.good) {
    fmt::print(stderr, "{}", kUsage);
    return 2;
  }
  return run(options);
}
