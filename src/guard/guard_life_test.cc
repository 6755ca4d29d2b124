// The guard itself: starting, stopping, dying, adopting.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "guard/testing/harness.h"

namespace guard::testing {
namespace {

namespace fs = std::filesystem;

class Life : public ::testing::TestWithParam<std::string> {
 protected:
  ScratchDir dir;
  Node node{dir.path(), "m1", GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Etcd, Life, ::testing::Values("3.5.12", "3.6.16"),
                         [](const auto& p) { return p.param == "3.5.12" ? "v3_5_12" : "v3_6_16"; });

TEST_P(Life, StartsServesAndStops) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  EXPECT_TRUE(node.put("k", "v"));
  EXPECT_EQ(node.get("k"), "v");
  const State s = node.state();
  EXPECT_EQ(s.phase, Phase::kRunning);
  EXPECT_EQ(s.guard_pid, node.guard_pid());
  EXPECT_TRUE(is_alive(static_cast<pid_t>(s.etcd_pid)));
  EXPECT_EQ(s.version, GetParam());
  EXPECT_EQ(s.template_hash, "hash-1");
  EXPECT_EQ(s.starts, 1U);
  EXPECT_EQ(node.stop(), 0);
  EXPECT_EQ(node.verdict().klass, Class::kStopped);
  EXPECT_EQ(node.state().phase, Phase::kEnded);
  EXPECT_FALSE(is_alive(static_cast<pid_t>(s.etcd_pid)));
  EXPECT_TRUE(node.marker().started);
  EXPECT_GT(node.marker().last_index, 0U);
}

TEST_P(Life, EtcdDiesWithItsGuard) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  const pid_t etcd = node.etcd_pid();
  ::kill(node.guard_pid(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return !is_alive(etcd); }, 10));
}

TEST_P(Life, ASecondGuardOnTheSameDirectoryRefusesAndTouchesNothing) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  const std::string state = read(node.paths.state());
  const auto second = run({GUARD_PROGRAM, "run", "--member-dir", node.paths.member});
  EXPECT_EQ(second.code, 75) << second.output;
  EXPECT_EQ(read(node.paths.state()), state);
  EXPECT_TRUE(node.healthy());
}

TEST_P(Life, AnotherGuardAdoptsTheDataOfAKilledOne) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  ASSERT_TRUE(node.put("k", "before"));
  const auto id = node.marker().member_id;
  node.kill_guard();
  node.ticket.permit = Permit::kData;
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  EXPECT_EQ(node.get("k"), "before");
  ASSERT_TRUE(node.wait_noted());
  EXPECT_EQ(node.marker().member_id, id);
}

}  // namespace
}  // namespace guard::testing
