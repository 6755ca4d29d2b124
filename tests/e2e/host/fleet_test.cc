// Many clusters in one operator, and what that costs. Times are printed, never asserted. Runs the
// shipped programs where they are built from these sources: only of them the sizes mean anything.
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>

#include "e2e/host/figures.h"
#include "e2e/host/fixture.h"
#include "json/json.h"

namespace e2e {
namespace {

namespace fs = std::filesystem;
const std::string kVersion = "3.5.12";

int fleet_size() {
  return full_depth() ? 50 : 20;
}

// The last change of build/bin came after that of every source.
bool shipped_programs_are_current() {
  const fs::path root = EO_SOURCE_DIR;
  fs::file_time_type made = fs::file_time_type::min();
  for (const char* name : {"etcd-operator", "etcd-guard"}) {
    std::error_code ec;
    made = std::max(made, fs::last_write_time(root / "build/bin" / name, ec));
    if (ec) return false;
  }
  for (const auto& entry : fs::recursive_directory_iterator(root / "src")) {
    const auto extension = entry.path().extension();
    if (extension != ".cc" && extension != ".h") continue;
    if (entry.path().filename().string().find("_test") != std::string::npos) continue;
    if (entry.last_write_time() > made) return false;
  }
  return true;
}

SandboxOptions options_for(int clusters) {
  SandboxOptions options;
  // Three ports a member. What clusters hold spare must not be in the way of the others.
  options.ports = 3 * clusters + 30;
  if (shipped_programs_are_current()) options.bin = std::string(EO_SOURCE_DIR) + "/build/bin";
  return options;
}

void say(const std::string& what) {
  fmt::print("[ figure   ] {}\n", what);
  std::fflush(stdout);
}

class FleetTest : public testing::Test {
 protected:
  // `size` clusters of one member, all healthy.
  void create(int size) {
    size_ = size;
    say(limits() ? "programs of build/bin (release)" : "programs of this build: nothing asserted");
    sandbox_.start_operator();
    for (int i = 0; i < size; ++i)
      sandbox_.write(name(i) + ".yaml", manifest(name(i), 1, kVersion));
    ASSERT_TRUE(eventually(300s, [&] { return healthy() == size; })) << unhealthy();
    RecordProperty("depth", fmt::format("{} clusters", size));
  }
  static std::string name(int i) { return fmt::format("f{}", i); }
  static std::string member(int i) { return fmt::format("f{}-0", i); }
  [[nodiscard]] bool limits() const { return options_.bin != EO_BIN_DIR; }
  [[nodiscard]] long healthy() const {
    return std::ranges::count_if(sandbox_.all_settled(1), [](const auto& c) { return c.second; });
  }
  [[nodiscard]] std::string unhealthy() const {
    std::string text;
    for (const auto& [cluster, good] : sandbox_.all_settled(1))
      if (!good) text += sandbox_.cli({"status", cluster}).out;
    return text;
  }
  [[nodiscard]] std::vector<pid_t> pids() const {
    std::vector<pid_t> out;
    for (int i = 0; i < size_; ++i) out.push_back(sandbox_.etcd_pid(name(i), member(i)));
    return out;
  }
  // A put that another connection reads back.
  void expect_serves(int i) const {
    const auto access = sandbox_.access(name(i));
    ASSERT_TRUE(access) << name(i);
    const auto& endpoint = access->endpoints.front();
    const auto put =
        etcd::connect(endpoint, access->tls)->put("whose", name(i), base::Duration(5'000));
    ASSERT_TRUE(put) << name(i) << ": " << put.error().error.text();
    const auto got =
        etcd::connect(endpoint, access->tls)->range("whose", "", false, 0, base::Duration(5'000));
    ASSERT_TRUE(got) << name(i) << ": " << got.error().text();
    ASSERT_EQ(got->kvs.size(), 1U);
    EXPECT_EQ(got->kvs.front().value, name(i));
  }
  // The operator's processor time while nothing happens: it says nothing in its log, and yet it
  // has looked at every cluster when the window ends.
  void idle(std::chrono::seconds window) {
    // Echoes of the work before: a last wake of each cluster.
    ASSERT_TRUE(eventually(120s, [&] { return quiet(5s); })) << "it never comes to rest";
    double spent = 0;
    std::chrono::duration<double> time{};
    std::string observed;
    // On a machine that stands still for a moment members are late, which is something.
    EXPECT_TRUE(eventually(180s, [&] {
      const auto start = std::chrono::steady_clock::now();
      const double before = cpu_seconds(sandbox_.operator_pid());
      observed = oldest_look();
      const bool still = quiet(window);
      spent = cpu_seconds(sandbox_.operator_pid()) - before;
      time = std::chrono::steady_clock::now() - start;
      return still;
    })) << "something happens while nothing should";
    EXPECT_TRUE(eventually(60s, [&] { return oldest_look() > observed; }))
        << "a cluster was not looked at since " << observed;
    say(fmt::format("idle processor time of the operator with {} clusters: {:.2f} % of a core",
                    size_, 100 * spent / time.count()));
  }
  [[nodiscard]] bool quiet(std::chrono::milliseconds span) const {
    const auto log = sandbox_.root() / "operator.log";
    return always(span, [&, size = fs::file_size(log)] { return fs::file_size(log) == size; });
  }
  // When the cluster that was looked at longest ago was looked at. RFC 3339 sorts by time.
  [[nodiscard]] std::string oldest_look() const {
    std::string oldest = "9";
    const auto all = json::parse(sandbox_.cli({"status", "-o", "json"}).out);
    if (!all || all->if_array() == nullptr) return {};
    for (const auto& cluster : *all->if_array())
      oldest = std::min(oldest, json::get_string(cluster, "status.observedAt").value_or(""));
    return oldest;
  }
  void memory(double limit_mb) const {
    const double mb = rss_mb(sandbox_.operator_pid());
    say(fmt::format("resident memory of the operator with {} clusters: {:.1f} MB", size_, mb));
    ASSERT_GT(mb, 0);
    if (limits()) EXPECT_LT(mb, limit_mb);
  }
  void edits(int count) const {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) {
      times.push_back(edit_reaction(sandbox_, name(i % size_), kVersion));
      ASSERT_GE(times.back(), 0) << name(i % size_) << " did not follow its manifest";
    }
    say(
        fmt::format("{} edits, from the write to the status of a pass over it: p50 {:.0f} ms, p99 "
                    "{:.0f} ms",
                    count, 1e3 * percentile(times, 0.5), 1e3 * percentile(times, 0.99)));
  }

  int size_ = 0;
  const SandboxOptions options_ = options_for(fleet_size());
  Sandbox sandbox_{options_};
};

TEST_F(FleetTest, ManyClustersAreHealthyAnswerRestAndFollowTheirManifests) {
  create(fleet_size());
  ASSERT_FALSE(HasFatalFailure());
  for (const int i : {0, size_ / 2, size_ - 1}) expect_serves(i);
  ASSERT_NO_FATAL_FAILURE(idle(full_depth() ? 60s : 10s));
  memory(60);
  const auto before = pids();
  ASSERT_NO_FATAL_FAILURE(edits(full_depth() ? 200 : 60));
  EXPECT_EQ(pids(), before) << "an edit that members do not run with restarted one";

  // The operator goes and comes: all are taken up again, none is restarted.
  EXPECT_EQ(sandbox_.stop_operator(), 0);
  sandbox_.start_operator();
  ASSERT_TRUE(eventually(120s, [&] { return healthy() == size_; })) << unhealthy();
  EXPECT_EQ(pids(), before);
  expect_one_process_each(sandbox_);
}

TEST_F(FleetTest, BrokenNeighboursDisturbNobody) {
  create(6);
  ASSERT_FALSE(HasFatalFailure());
  const auto before = pids();
  for (const pid_t pid : before) ASSERT_GT(pid, 0);
  // One without data and process, one whose manifest is nonsense, one whose process hangs.
  fs::remove_all(sandbox_.data_dir(name(0), member(0)));
  sandbox_.kill_etcd(name(0), member(0));
  sandbox_.write(name(1) + ".yaml", "spec: [");
  kill(before[2], SIGSTOP);
  ASSERT_TRUE(eventually(60s, [&] {
    return sandbox_.condition(name(0), "Available") == "False" &&
           sandbox_.condition(name(1), "SpecValid") == "False" &&
           sandbox_.condition(name(2), "Available") != "True";
  })) << unhealthy();
  for (int i = 3; i < size_; ++i) expect_serves(i);
  for (int i = 3; i < size_; ++i)
    EXPECT_GE(edit_reaction(sandbox_, name(i), kVersion), 0) << name(i);
  kill(before[2], SIGCONT);
  EXPECT_TRUE(eventually(60s, [&] { return sandbox_.settled(name(2), 1); })) << unhealthy();
  expect_serves(1);
  const auto after = pids();
  EXPECT_EQ(std::vector(after.begin() + 1, after.end()),
            std::vector(before.begin() + 1, before.end()));
}

TEST_F(FleetTest, OneClusterIsSmall) {
  create(1);
  ASSERT_FALSE(HasFatalFailure());
  sandbox_.write(name(0) + ".yaml", manifest(name(0), 3, kVersion));
  ASSERT_TRUE(eventually(120s, [&] { return sandbox_.settled(name(0), 3); })) << unhealthy();
  memory(24);
}

TEST_F(FleetTest, TheProgramsAreSmall) {
  for (const auto& [program, limit] :
       {std::pair("etcd-operator", 20), std::pair("etcd-guard", 3)}) {
    const double mb = static_cast<double>(fs::file_size(options_.bin + "/" + program)) / 1e6;
    say(fmt::format("{}: {:.1f} MB", program, mb));
    if (limits()) EXPECT_LE(mb, limit);
  }
}

}  // namespace
}  // namespace e2e
