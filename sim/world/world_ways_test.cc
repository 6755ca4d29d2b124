// The rarer ways of a cluster, until every action that a plan can hold was carried out.
#include "sim/world/world_testing.h"

namespace sim::testing {
namespace {

TEST_F(WorldTest, ItIsUpgradedThroughAllMinors) {
  version("3.5.12");
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  for (const char* to : {"3.5.33", "3.6.16", "3.7.3"}) {
    version(to);
    ASSERT_TRUE(run_until(
        [&] {
          return healthy(3) && std::ranges::all_of(voters(), [&](const auto& name) {
                   const Process* etcd = world_.process_of(name);
                   return etcd != nullptr && etcd->args->version.text() == to;
                 });
        },
        1'800s))
        << to;
    expect_everywhere("k");
  }
  for (const char* action : {"StopMember", "MoveLeader", "AdvanceLog"})
    EXPECT_GT(planned_[action], 0) << action;
}

TEST_F(WorldTest, AFormationOnFullDisksGoesOnWhenThereIsRoom) {
  intent_.cluster.spec.size = 3;
  (void)pass();
  ASSERT_FALSE(world_.places.empty());
  const std::string token = record().token;
  for (const auto& [name, p] : world_.places) world_.set_disk(name, Disk::kFull);
  world_.advance(1s);
  for (int i = 0; i < 10; ++i) {
    (void)pass();
    world_.advance(1s);
  }
  for (const auto& [name, p] : world_.places) world_.set_disk(name, Disk::kFine);
  ASSERT_TRUE(converge(3, 1'800s));
  EXPECT_EQ(record().token, token);
}

TEST_F(WorldTest, ATwinOfAFoundingMemberIsThrownAway) {
  intent_.cluster.spec.size = 3;
  while (world_.places.size() < 3 || !world_.is_alive("c-2")) {
    (void)pass();
    world_.advance(20ms);
  }
  const std::string token = record().token;
  // Two of three are gone before anybody saw the cluster formed.
  world_.crash_machine(world_.places.at("c-1").machine);
  world_.crash_machine(world_.places.at("c-2").machine);
  (void)run_until([&] { return planned_["DiscardFormation"] > 0; }, 1'800s);
  world_.boot_machine(world_.places.at("c-1").machine);
  world_.boot_machine(world_.places.at("c-2").machine);
  ASSERT_TRUE(converge(3, 1'800s));
  EXPECT_NE(record().token, token) << "no token is used twice";
}

TEST_F(WorldTest, AFullDatabaseIsCompactedAndDefragmented) {
  intent_.cluster.spec.etcd_options = {"--quota-backend-bytes=16777216"};
  ASSERT_TRUE(converge(3));
  const std::string big(1 << 20, 'x');
  std::optional<etcd::Failure> refusal;
  for (int i = 0; i < 40 && !refusal; ++i) {
    const auto written = client(voters().front())->put("same", big, 3s);
    if (!written) refusal = written.error();
  }
  ASSERT_TRUE(refusal);
  EXPECT_NE(refusal->error.message.find("space exceeded"), std::string::npos)
      << refusal->error.message;
  ASSERT_TRUE(run_until([&] { return planned_["DisarmAlarm"] > 0 && healthy(3); }, 900s));
  for (const char* action : {"Compact", "Defragment"}) EXPECT_GT(planned_[action], 0) << action;
  EXPECT_TRUE(put("k"));
}

TEST_F(WorldTest, AMemberWithWrongValuesIsReplaced) {
  version("3.6.16");
  intent_.cluster.spec.etcd_options = {"--corrupt-check-time=30s"};
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  const std::string bad = voters().back();
  world_.etcd().corrupt(world_.process_of(bad)->pid, 7, world_.now());
  ASSERT_TRUE(run_until([&] { return !record().members.contains(bad); }, 900s));
  ASSERT_TRUE(converge(3, 900s));
  EXPECT_GT(planned_["DisarmAlarm"], 0);
  expect_everywhere("k");
  EXPECT_TRUE(put("more"));
}

TEST_F(WorldTest, OlderForeignAndDamagedDataIsNeverServed) {
  ASSERT_TRUE(converge(3));
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(put("k" + std::to_string(round)));
    world_.advance(5s);
    const std::string name = voters().front();
    const auto id = record().members.at(name).id;
    Volume volume = world_.take_volume(name);
    if (round == 0) volume.data = rolled_back(volume.data, index_of(volume.data.tip) - 1);
    if (round == 1) volume = world_.volume_of(voters().back());
    if (round == 2) volume.data.damage = Damage::kCrc;
    if (round == 3) volume.marker_torn = true;
    world_.put_volume(name, std::move(volume));
    ASSERT_TRUE(run_until([&] { return !record().members.contains(name); }, 900s)) << round;
    ASSERT_TRUE(converge(3, 900s)) << round;
    for (const auto& [member, m] : record().members) EXPECT_NE(m.id, id);
    for (int i = 0; i <= round; ++i) expect_everywhere("k" + std::to_string(i));
  }
}

TEST_F(WorldTest, ItHibernatesAndWakes) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  intent_.cluster.spec.hibernate = true;
  ASSERT_TRUE(run_until([&] { return record().hibernated; }));
  ASSERT_TRUE(run_until([&] {
    return std::ranges::none_of(world_.places,
                                [&](const auto& p) { return world_.is_alive(p.first); });
  }));
  world_.advance(600s);
  intent_.cluster.spec.hibernate = false;
  ASSERT_TRUE(converge(3));
  expect_everywhere("k");
}

TEST_F(WorldTest, ADeletedClusterLeavesNothingIfSoWanted) {
  ASSERT_TRUE(converge(3));
  intent_.cluster.spec.when_deleted = api::ClaimPolicy::kDelete;
  intent_.wish = plan::Wish::kDeleted;
  for (int i = 0; i < 100 && planned_["DeleteCluster"] == 0; ++i) {
    (void)pass();
    world_.advance(1s);
  }
  EXPECT_TRUE(world_.places.empty());
  EXPECT_EQ(world_.record.bytes, nullptr);
}

}  // namespace
}  // namespace sim::testing
