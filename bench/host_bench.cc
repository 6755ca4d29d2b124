// Times what a user waits for, over real etcd processes, several rounds each; prints medians.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "e2e/host/checks.h"
#include "e2e/host/figures.h"
#include "e2e/host/gap_meter.h"
#include "e2e/host/sandbox.h"
#include "e2e/host/wait.h"

namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;
using e2e::eventually;

struct Row {
  std::string what, limit;
  std::vector<double> values;
  std::string unit;
};

double seconds_since(Steady::time_point start) {
  return std::chrono::duration<double>(Steady::now() - start).count();
}

void print(const Row& row) {
  if (row.values.empty()) {
    fmt::print("| {} | no result | {} |\n", row.what, row.limit);
    return;
  }
  fmt::print("| {} | {:.3g} {} (min {:.3g}, max {:.3g}, n={}) | {} |\n", row.what,
             e2e::percentile(row.values, 0.5), row.unit, std::ranges::min(row.values),
             std::ranges::max(row.values), row.values.size(), row.limit);
  std::fflush(stdout);
}

// Voters by a linearizable list of the live cluster, not by our own status.
bool voters(const e2e::Sandbox& sandbox, size_t size) {
  size_t started = 0;
  const auto members = e2e::listed(sandbox, "c");
  for (const auto& m : members) started += !m.learner && !m.client_urls.empty() ? 1 : 0;
  return started == size && members.size() == size;
}

double timed(const std::function<bool()>& done) {
  const auto start = Steady::now();
  return eventually(180s, done) ? seconds_since(start) : -1;
}

void add(Row& row, double value) {
  if (value >= 0) row.values.push_back(value);
}

std::string follower(const e2e::Sandbox& sandbox) {
  for (const auto& m : sandbox.members("c"))
    if (m.role == "follower") return m.name;
  return "";
}

std::string client_url(const e2e::Sandbox& sandbox, const std::string& member) {
  for (const auto& m : e2e::listed(sandbox, "c"))
    if (m.name == member && !m.client_urls.empty()) return m.client_urls.front();
  return "";
}

void life_of_a_cluster(int rounds) {
  Row create{"create 3 → 3 voters", "≤ 6 s", {}, "s"};
  Row up{"3 → 5", "≤ 6 s, ≤ 10 s on 3.5.12", {}, "s"};
  Row down{"5 → 3", "", {}, "s"};
  Row killed{"killed member → healthy voter", "≤ 5 s", {}, "s"};
  Row lost{"data lost → healthy voter", "≤ 15 s", {}, "s"};
  Row roll{"version change 3.5.33 → 3.6.16, 3 members", "≤ 20 s", {}, "s"};
  Row stall{"planned leader move, stall of a client (deadline 40 ms)",
            "< 50 ms median, < 300 ms worst",
            {},
            "ms"};
  Row rss{"operator RSS, one cluster", "≤ 24 MB", {}, "MB"};
  for (int i = 0; i < rounds; ++i) {
    e2e::Sandbox sandbox;
    sandbox.start_operator();
    eventually(10s, [&] { return sandbox.cli({"status"}).exit_code == 0; });
    sandbox.write("c.yaml", e2e::manifest("c", 3, "3.5.33"));
    add(create, timed([&] { return voters(sandbox, 3); }));
    eventually(60s, [&] { return sandbox.settled("c", 3); });
    add(rss, e2e::rss_mb(sandbox.operator_pid()));
    const std::string victim = follower(sandbox);
    const pid_t old = sandbox.etcd_pid("c", victim);
    const auto url = client_url(sandbox, victim);
    const auto tls = sandbox.access("c")->tls;
    sandbox.kill_etcd("c", victim);
    // Asked of the member itself: a status may still be of before.
    add(killed, timed([&] {
          const pid_t now = sandbox.etcd_pid("c", victim);
          return now != 0 && now != old &&
                 etcd::connect(url, tls)->quorum_read(base::Duration(1'000)).has_value();
        }));
    eventually(60s, [&] { return sandbox.settled("c", 3); });
    const std::string wiped = follower(sandbox);
    std::filesystem::remove_all(sandbox.data_dir("c", wiped));
    sandbox.kill_etcd("c", wiped);
    add(lost, timed([&] {
          for (const auto& m : e2e::listed(sandbox, "c"))
            if (m.name == wiped) return false;
          return voters(sandbox, 3);
        }));
    eventually(60s, [&] { return sandbox.settled("c", 3); });
    sandbox.write("c.yaml", e2e::manifest("c", 5, "3.5.33"));
    add(up, timed([&] { return voters(sandbox, 5); }));
    eventually(60s, [&] { return sandbox.settled("c", 5); });
    sandbox.write("c.yaml", e2e::manifest("c", 3, "3.5.33"));
    add(down, timed([&] { return voters(sandbox, 3); }));
    eventually(60s, [&] { return sandbox.settled("c", 3); });
    e2e::GapMeter meter(sandbox, "c");
    sandbox.write("c.yaml", e2e::manifest("c", 3, "3.6.16"));
    add(roll, timed([&] { return sandbox.settled("c", 3, "3.6.16"); }));
    for (const double gap : meter.stop().moves) add(stall, gap);
  }
  for (const Row& row : {create, up, down, killed, lost, roll, stall, rss}) print(row);
}

void fleet(int clusters) {
  e2e::SandboxOptions options;
  options.ports = std::max(options.ports, 6 * clusters);
  e2e::Sandbox sandbox(options);
  sandbox.start_operator();
  const auto name = [](int i) { return fmt::format("f{}", i); };
  for (int i = 0; i < clusters; ++i)
    sandbox.write(name(i) + ".yaml", e2e::manifest(name(i), 1, "3.5.12"));
  Row all{fmt::format("{} one-member clusters, all healthy", clusters), "", {}, "s"};
  add(all, timed([&] {
        const auto seen = sandbox.all_settled(1);
        return std::ranges::count_if(seen, [](const auto& c) { return c.second; }) == clusters;
      }));
  print(all);
  e2e::measure_for(10s);  // what their creation still causes is over then
  Row cpu{"idle CPU of the operator with them", "< 2 % of a core", {}, "%"};
  for (int i = 0; i < 3; ++i) {
    const double before = e2e::cpu_seconds(sandbox.operator_pid());
    const auto start = Steady::now();
    e2e::measure_for(20s);
    add(cpu, 100 * (e2e::cpu_seconds(sandbox.operator_pid()) - before) / seconds_since(start));
  }
  print(cpu);
  Row rss{"RSS of the operator with them", "< 60 MB", {}, "MB"};
  add(rss, e2e::rss_mb(sandbox.operator_pid()));
  print(rss);
  Row edit{"manifest edit → status of a pass over it, one of them", "", {}, "ms"};
  for (int i = 0; i < 2 * clusters; ++i)
    add(edit, 1e3 * e2e::edit_reaction(sandbox, name(i % clusters), "3.5.12"));
  print(edit);
  fmt::print("| p99 of these edits | {:.3g} ms | < 1 s |\n", e2e::percentile(edit.values, 0.99));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
  const int clusters = argc > 2 ? std::atoi(argv[2]) : 50;
  fmt::print("| what | median | goal |\n|---|---|---|\n");
  life_of_a_cluster(rounds);
  fleet(clusters);
  return 0;
}
