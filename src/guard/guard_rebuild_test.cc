// A directory that is not the one etcd left: restored from a snapshot, or new beside stale data.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "guard/testing/harness.h"
#include "guard/testing/kill_at.h"

namespace guard::testing {
namespace {

namespace fs = std::filesystem;

class Rebuilt : public ::testing::TestWithParam<std::string> {
 protected:
  ScratchDir dir;
  Node node{dir.path(), "m1", GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Etcd, Rebuilt, ::testing::ValuesIn(etcd_versions()),
                         [](const auto& p) { return test_suffix(p.param); });

TEST_P(Rebuilt, StaleDataIsMovedAsideAndOnlyOneCopyIsKept) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  ASSERT_TRUE(node.put("k0", "v"));
  node.stop();
  for (int round = 2; round <= 3; ++round) {
    node.ticket.permit = Permit::kBootstrap;
    node.ticket.incarnation = fmt::format("inc-{}", round);
    node.ticket.token = fmt::format("token-{}", round);
    node.start();
    ASSERT_TRUE(node.wait_healthy());
    EXPECT_EQ(node.get("k0"), "") << "old data came back";
    EXPECT_EQ(node.get("of-round"), "") << "old data came back";
    ASSERT_TRUE(node.put("of-round", "x"));
    EXPECT_TRUE(fs::exists(node.paths.stale() + "/member/wal"));
    EXPECT_FALSE(fs::exists(node.paths.stale() + "/stale"));
    node.stop();
  }
}

TEST_P(Rebuilt, RestoreOnceAndOnlyOnce) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  ASSERT_TRUE(node.put("k", "saved"));
  const std::string snapshot = dir.path() + "/snapshot.db";
  ASSERT_EQ(node.ctl({"snapshot", "save", snapshot}).code, 0);
  node.stop();

  Node restored(dir.path(), "m7", GetParam());
  restored.ticket.permit = Permit::kRestore;
  restored.ticket.incarnation = "inc-2";
  restored.ticket.restore_operation = "op-1";
  restored.ticket.restore_snapshot = snapshot;
  restored.ticket.restore_token = "token-2";
  restored.start();
  ASSERT_TRUE(restored.wait_healthy()) << restored.verdict().signature << restored.etcd_log();
  EXPECT_EQ(restored.get("k"), "saved");
  EXPECT_EQ(restored.marker().restored, "op-1");
  // 3.4.23 cannot bump.
  const char* revision = GetParam().starts_with("3.4.") ? "\"revision\":2" : "\"revision\":1000000";
  const auto status = restored.ctl({"get", "k", "-w=json"}).output;
  EXPECT_NE(status.find(revision), std::string::npos) << status;
  ASSERT_TRUE(restored.put("k", "after"));
  restored.stop();
  restored.start();
  ASSERT_TRUE(restored.wait_healthy());
  EXPECT_EQ(restored.get("k"), "after") << "restored twice";
  restored.stop();
  fs::remove_all(restored.paths.data());
  restored.start();
  EXPECT_EQ(restored.wait_end(), 10);
  EXPECT_EQ(restored.verdict().klass, Class::kDataLost);
}

// Dies at each rename in its volume in turn: stale data moved away, the marker noted, the directory
// put in place, the marker done.
TEST_P(Rebuilt, ARestoreIsTakenUpAgainWhereverItsGuardDied) {
  node.start();
  ASSERT_TRUE(node.wait_healthy());
  ASSERT_TRUE(node.put("k", "saved"));
  const std::string snapshot = dir.path() + "/snapshot.db";
  ASSERT_EQ(node.ctl({"snapshot", "save", snapshot}).code, 0);
  node.stop();
  Node restored(dir.path(), "m7", GetParam());
  restored.ticket.permit = Permit::kRestore;
  restored.ticket.incarnation = "inc-2";
  restored.ticket.restore_operation = "op-1";
  restored.ticket.restore_snapshot = snapshot;
  restored.ticket.restore_token = "token-2";
  int point = 0;  // 0: nothing dies, and tells the ids that a ticket of the operator holds
  for (bool more = true; more && point < 20; ++point) {
    SCOPED_TRACE(point);
    fs::remove_all(restored.paths.member);
    fs::create_directories(restored.paths.data() + "/member");
    write(restored.paths.data() + "/member/leftover", "x");
    restored.write_ticket();
    if (point > 0)
      more = run_killed_at({GUARD_PROGRAM, "run", "--member-dir", restored.paths.member},
                           {restored.paths.volume(), point, [&] { return restored.healthy(); }});
    restored.start();
    ASSERT_TRUE(restored.wait_healthy()) << restored.verdict().signature << restored.etcd_log();
    EXPECT_EQ(restored.get("k"), "saved");
    EXPECT_EQ(restored.marker().restored, "op-1");
    EXPECT_EQ(restored.marker().restoring, "");
    EXPECT_FALSE(fs::exists(restored.paths.data() + "/member/leftover"));
    restored.ticket.member_id = restored.marker().member_id;
    restored.ticket.cluster_id = restored.marker().cluster_id;
    restored.stop();
  }
  EXPECT_GE(point, 5) << "fewer steps than a restore has";
}

TEST_P(Rebuilt, RestoreOfADamagedSnapshot) {
  write(dir.path() + "/bad.db", std::string(40'000, 'x'));
  node.ticket.permit = Permit::kRestore;
  node.ticket.restore_operation = "op-1";
  node.ticket.restore_snapshot = dir.path() + "/bad.db";
  node.ticket.restore_token = "token-2";
  node.start();
  EXPECT_EQ(node.wait_end(), 14) << node.verdict().signature;
  EXPECT_EQ(node.state().starts, 0U);
  EXPECT_FALSE(fs::exists(node.paths.data() + "/member"));
  EXPECT_FALSE(fs::exists(node.paths.restoring()));
}

}  // namespace
}  // namespace guard::testing
