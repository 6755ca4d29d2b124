#include <fmt/format.h>
#include <signal.h>

#include <filesystem>
#include <random>

#include "e2e/host/fixture.h"
#include "engine/fault_points.h"

namespace e2e {
namespace {

// The work that the operator is killed in: every kind of change, one after another.
class CrashTest : public ClusterTest {
 protected:
  void quorum_loss() {
    const std::string kept = with_role("leader");
    for (const auto& m : sandbox_.members("c")) {
      if (m.name == kept) continue;
      std::filesystem::remove_all(sandbox_.data_dir("c", m.name));
      if (const pid_t pid = sandbox_.etcd_pid("c", m.name); pid > 0) kill(pid, SIGKILL);
    }
  }
  void lose_one() {
    const std::string member = with_role("follower");
    std::filesystem::remove_all(sandbox_.data_dir("c", member));
    if (const pid_t pid = sandbox_.etcd_pid("c", member); pid > 0) kill(pid, SIGKILL);
  }
  // Restarts the operator whenever it is gone, until the condition holds.
  bool reach(std::chrono::seconds limit, const std::function<bool()>& done,
             const std::function<std::vector<std::string>()>& arguments) {
    return eventually(limit, [&] {
      if (!sandbox_.operator_runs()) {
        sandbox_.start_operator(arguments());
        ++starts_;
      }
      return done();
    });
  }
  int starts_ = 0;
};

TEST_F(CrashTest, AtEveryFaultPointOnceItAlwaysConverges) {
  std::vector<std::string> points = engine::fault_points();
  ASSERT_GE(points.size(), 30U);
  const size_t all = points.size();
  // Each run of the operator dies at the first of the points still to be met that it comes to.
  const auto next = [&]() -> std::vector<std::string> {
    if (points.empty()) return {};
    std::vector<std::string> armed;
    for (const auto& p : points) armed.insert(armed.end(), {"--fault-point", p});
    return armed;
  };
  const auto note_hits = [&] {
    std::erase_if(points, [&](const std::string& p) {
      return sandbox_.operator_log().find("fault-point-hit " + p + "\n") != std::string::npos;
    });
  };
  const auto step = [&](const char* what, const std::function<bool()>& done) {
    const bool reached = reach(240s, done, [&] {
      note_hits();
      return next();
    });
    EXPECT_TRUE(reached) << what << ": " << say();
    expect_one_process_each(sandbox_);
    return reached;
  };
  version_ = "3.5.33";
  more_ = "  recovery:\n    waitSeconds: 2\n";
  declare(3);
  ASSERT_TRUE(step("create", [&] { return settled(3); }));
  start_writer();
  declare(5);
  ASSERT_TRUE(step("scale up", [&] { return settled(5); }));
  declare(3);
  ASSERT_TRUE(step("scale down", [&] { return settled(3); }));
  const auto before = sandbox_.members("c");
  lose_one();
  ASSERT_TRUE(step("replace", [&] {
    if (!settled(3)) return false;
    size_t same = 0;
    for (const auto& m : sandbox_.members("c"))
      for (const auto& old : before) same += m.id == old.id ? 1 : 0;
    return same == 2;
  }));
  declare(3, "3.6.16");
  ASSERT_TRUE(step("upgrade", [&] { return sandbox_.settled("c", 3, "3.6.16"); }));
  finish();
  const std::string id = sandbox_.status("c").at("status.clusterID")->as_string().value_or("");
  quorum_loss();
  ASSERT_TRUE(step("recovery", [&] {
    const json::Value now = sandbox_.status("c");
    const auto* is = now.at("status.clusterID");
    return settled(3) && is != nullptr && is->as_string().value_or("") != id;
  }));
  note_hits();
  std::string left;
  for (const auto& p : points) left += " " + p;
  fmt::print("{} of {} fault points met in {} starts; not met:{}\n", all - points.size(), all,
             starts_, left);
  EXPECT_GE(all - points.size(), all / 2) << "not met:" << left;
}

TEST_F(CrashTest, KilledAtRandomItAlwaysConverges) {
  create(3, "3.5.33");
  ASSERT_FALSE(HasFatalFailure());
  std::mt19937 random(20261121);
  const int kills = full_depth() ? 100 : 25;
  for (int i = 0; i < kills; ++i) {
    declare(3 + 2 * static_cast<int>(random() % 2), version_);
    const auto wait = std::chrono::milliseconds(100 + random() % 3000);
    always(wait, [] { return true; });
    sandbox_.kill_operator();
    sandbox_.start_operator();
    if (i % 10 == 9) {
      declare(3);
      ASSERT_TRUE(eventually(180s, [&] { return settled(3); })) << say();
      lose_one();
    }
  }
  declare(3);
  ASSERT_TRUE(eventually(180s, [&] { return settled(3); })) << say();
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
}

}  // namespace
}  // namespace e2e
