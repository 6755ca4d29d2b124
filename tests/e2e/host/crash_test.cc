#include <filesystem>

#include "e2e/host/crash_fixture.h"
#include "engine/fault_points.h"

namespace e2e {
namespace {

TEST(CrashLives, MeetEveryFaultPointThereIs) {
  std::set<std::string> lived, points;
  for (const auto& life :
       {kWholeLife, kFullAndUpgraded, kBegunAgainAndDeleted, kFetchedAndBackedUp})
    for (const auto& call : life)
      for (const char* when : {".before", ".after"})
        EXPECT_TRUE(lived.insert(call + when).second) << call << " is in two lives";
  for (const auto& point : engine::fault_points()) points.insert(point);
  EXPECT_EQ(lived, points) << "a new call needs a life that provokes it";
}

TEST_F(CrashTest, ThroughCreateScaleReplaceUpgradeAndRecovery) {
  version_ = "3.5.33";
  more_ = "  recovery:\n    waitSeconds: 2\n";
  die_around(kWholeLife);
  declare(3);
  ASSERT_NO_FATAL_FAILURE(step("create", [&] { return settled(3); }));
  start_writer();
  declare(5);
  ASSERT_NO_FATAL_FAILURE(step("scale up", [&] { return settled(5); }));
  declare(3);
  ASSERT_NO_FATAL_FAILURE(step("scale down", [&] { return settled(3); }));
  const auto before = sandbox_.members("c");
  ASSERT_EQ(before.size(), 3U);
  lose(with_role("follower"));
  ASSERT_NO_FATAL_FAILURE(step("replace", [&] {
    if (!settled(3)) return false;
    size_t same = 0;
    for (const auto& m : sandbox_.members("c"))
      for (const auto& old : before) same += m.id == old.id ? 1 : 0;
    return same == 2;
  }));
  declare(3, "3.6.16");
  ASSERT_NO_FATAL_FAILURE(step("upgrade", [&] { return sandbox_.settled("c", 3, "3.6.16"); }));
  const Written written = finish();
  EXPECT_TRUE(written.failed.empty()) << written.failed.size() << " writes failed";
  const std::string id = sandbox_.status("c").at("status.clusterID")->as_string().value_or("");
  const std::string kept = with_role("leader");
  for (const auto& m : sandbox_.members("c"))
    if (m.name != kept) lose(m.name);
  ASSERT_NO_FATAL_FAILURE(step("recovery", [&] {
    const json::Value now = sandbox_.status("c");
    const auto* is = now.at("status.clusterID");
    return settled(3) && is != nullptr && is->as_string().value_or("") != id;
  }));
  expect_nothing_lost(sandbox_, "c", written);
  expect_all_met();
}

}  // namespace
}  // namespace e2e
