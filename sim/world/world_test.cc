// The shipping reconciler and planner over a world: what a cluster goes through, in virtual time.
#include "sim/world/world_testing.h"

namespace sim::testing {
namespace {

class Bootstrap : public WorldTest, public ::testing::WithParamInterface<int> {};

TEST_P(Bootstrap, AClusterForms) {
  ASSERT_TRUE(converge(GetParam(), 30s));
  EXPECT_LT(passes_, 100);
  ASSERT_TRUE(put("k"));
  world_.advance(1s);
  expect_everywhere("k");
  // And stays: nothing is done any more.
  for (int i = 0; i < 10; ++i) {
    (void)pass();
    EXPECT_TRUE(healthy(GetParam())) << words();
    world_.advance(10s);
  }
}
INSTANTIATE_TEST_SUITE_P(Sizes, Bootstrap, ::testing::Values(1, 3, 5));

TEST_F(WorldTest, ItScalesUpAndDown) {
  for (const int size : {1, 3, 5, 3, 1}) {
    ASSERT_TRUE(converge(size)) << size;
    ASSERT_TRUE(put("k" + std::to_string(passes_)));
    const std::string key = "k" + std::to_string(passes_);
    world_.advance(1s);
    expect_everywhere(key);
  }
}

TEST_F(WorldTest, AKilledMemberComesBackWithItsData) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  for (const auto& name : voters()) {
    const auto id = record().members.at(name).id;
    world_.kill_etcd(name);
    ASSERT_TRUE(converge(3));
    world_.kill_guard(name);
    ASSERT_TRUE(run_until([&] { return !healthy(3); }, 10s));
    ASSERT_TRUE(converge(3));
    EXPECT_EQ(record().members.at(name).id, id) << "it is the same member";
  }
  expect_everywhere("k");
}

TEST_F(WorldTest, AMemberWhoseDataIsLostIsReplaced) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  const std::string name = voters().front();
  world_.lose_data(name);
  ASSERT_TRUE(run_until([&] { return !record().members.contains(name); }));
  ASSERT_TRUE(converge(3));
  expect_everywhere("k");
}

TEST_F(WorldTest, AMemberWhosePlaceIsGoneIsReplaced) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  const std::string name = voters().back();
  world_.destroy(name);
  ASSERT_TRUE(run_until([&] { return !record().members.contains(name); }));
  ASSERT_TRUE(converge(3));
  expect_everywhere("k");
}

TEST_F(WorldTest, AVolumeThatDoesNotComeBackIsReplacedAfterItsTime) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  const std::string name = voters().front();
  const Volume kept = world_.take_volume(name);
  (void)run_until([&] { return status().ready_size == 2; });
  world_.advance(60s);
  (void)pass();
  EXPECT_TRUE(record().members.contains(name)) << "no marker is no proof of a loss";
  ASSERT_TRUE(run_until([&] { return !record().members.contains(name); }, 600s));
  ASSERT_TRUE(converge(3));
  expect_everywhere("k");
}

TEST_F(WorldTest, AVolumeThatComesBackInTimeIsUsedAgain) {
  ASSERT_TRUE(converge(3));
  const std::string name = voters().front();
  const auto id = record().members.at(name).id;
  Volume kept = world_.take_volume(name);
  ASSERT_TRUE(run_until([&] { return status().ready_size == 2; }));
  ASSERT_TRUE(put("k"));
  world_.put_volume(name, std::move(kept));
  ASSERT_TRUE(converge(3));
  EXPECT_EQ(record().members.at(name).id, id);
  world_.advance(1s);
  expect_everywhere("k");
}

TEST_F(WorldTest, ItIsUpgradedMinorByMinor) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  for (const char* to : {"3.6.16"}) {
    version(to);
    ASSERT_TRUE(run_until(
        [&] {
          return healthy(3) && std::ranges::all_of(voters(), [&](const auto& name) {
                   const Process* etcd = world_.process_of(name);
                   return etcd != nullptr && etcd->args->version.text() == to;
                 });
        },
        600s));
    expect_everywhere("k");
  }
}

TEST_F(WorldTest, ALostQuorumIsRecoveredFromTheSurvivor) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  world_.advance(1s);
  const auto old_token = record().token;
  const auto names = voters();
  world_.lose_data(names[1]);
  world_.lose_data(names[2]);
  ASSERT_TRUE(run_until([&] { return record().token != old_token && healthy(3); }, 900s));
  expect_everywhere("k");
  ASSERT_TRUE(put("more"));
}

TEST_F(WorldTest, AllDownWithDataComesBackWithoutARecovery) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  const auto token = record().token;
  for (const auto& name : voters()) world_.kill_guard(name);
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  EXPECT_EQ(record().token, token);
  expect_everywhere("k");
}

}  // namespace
}  // namespace sim::testing
