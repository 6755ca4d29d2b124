// What befalls the operator, the network, disks and certificates while it works on a world.
#include "engine/fault_points.h"
#include "sim/world/world_testing.h"

namespace sim::testing {
namespace {

TEST_F(WorldTest, AnOperatorThatDiesAnywhereIsFollowedByAnother) {
  int met = 0;
  for (const auto& point : engine::fault_points()) {
    World fresh{Settings{}};
    fresh.binaries = world_.binaries;
    world_ = fresh;
    restart();
    faults_.crash_at = point;
    faults_.crashes = 2;
    ASSERT_TRUE(converge(1)) << point;
    ASSERT_TRUE(converge(3)) << point;
    world_.lose_data(voters().front());
    ASSERT_TRUE(run_until([&] { return !healthy(3); })) << point;
    ASSERT_TRUE(converge(3)) << point;
    met += faults_.crashes < 2 ? 1 : 0;
  }
  EXPECT_GE(met, 20) << "of " << engine::fault_points().size() << " points";
}

TEST_F(WorldTest, LostAnswersAndRefusalsOnlyCostTime) {
  world_.faults.etcd_calls = world_.faults.acts = {50, 50, 50};
  world_.faults.record = {20, 20, 20};
  ASSERT_TRUE(converge(1, 600s));
  ASSERT_TRUE(converge(3, 600s));
  ASSERT_TRUE(converge(5, 600s));
  ASSERT_TRUE(converge(3, 600s));
}

TEST_F(WorldTest, AMachineThatCrashesAndBootsBringsItsMemberBack) {
  ASSERT_TRUE(converge(3));
  const std::string name = voters().front();
  const auto id = record().members.at(name).id;
  const int machine = world_.places.at(name).machine;
  world_.crash_machine(machine);
  ASSERT_TRUE(run_until([&] { return status().ready_size == 2; }));
  EXPECT_TRUE(reconciler().last()->seen.members.at(name).process.is_unknown());
  ASSERT_TRUE(put("k"));
  world_.boot_machine(machine);
  ASSERT_TRUE(converge(3));
  EXPECT_EQ(record().members.at(name).id, id);
}

TEST_F(WorldTest, APartitionHeals) {
  ASSERT_TRUE(converge(3));
  const auto names = voters();
  const int alone = world_.places.at(names[0]).machine;
  for (const int other :
       {0, world_.places.at(names[1]).machine, world_.places.at(names[2]).machine}) {
    world_.etcd().cut(alone, other, world_.now());
    world_.etcd().cut(other, alone, world_.now());
  }
  ASSERT_TRUE(run_until([&] { return status().ready_size == 2; }));
  ASSERT_TRUE(put("k"));
  world_.advance(30s);
  for (const auto& [from, to] : std::vector(world_.etcd().cuts()))
    world_.etcd().heal(from, to, world_.now());
  ASSERT_TRUE(converge(3));
  expect_everywhere("k");
}

TEST_F(WorldTest, LeavesAreRenewedBeforeTheyExpire) {
  intent_.cluster.spec.tls.validity = base::Duration(1h);
  ASSERT_TRUE(converge(3));
  const base::Instant begin = world_.now();
  int unhealthy = 0;
  while (world_.now() - begin < base::Duration(5h)) {
    const auto again = pass();
    unhealthy += status().ready_size == 3 ? 0 : 1;
    world_.advance(std::min(again, base::Duration(60s)));
  }
  EXPECT_EQ(unhealthy, 0);
  for (const auto& [name, p] : world_.places) EXPECT_GT(p.peer.until, world_.now()) << name;
}

TEST_F(WorldTest, AStaleOperatorsRecordIsRefused) {
  ASSERT_TRUE(converge(1));
  Operator stale(world_, intent_.cluster.key, log_);
  plan::Intent older = intent_;
  ASSERT_TRUE(stale.reconciler().think(older, {}));
  ASSERT_TRUE(converge(3));
  older.cluster.spec.size = 5;
  const auto got = stale.reconciler().pass(older, {});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, base::Code::kAborted);
  EXPECT_TRUE(stale.reconciler().pass(intent_, {})) << "then it reads the newest";
}

TEST_F(WorldTest, ATornRecordIsPutTogetherAgainFromTheMembers) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("k"));
  const auto before = record();
  world_.tear_record();
  restart();
  ASSERT_TRUE(converge(3));
  EXPECT_EQ(record().cluster_id, before.cluster_id);
  EXPECT_EQ(record().incarnation, before.incarnation);
  expect_everywhere("k");
}

TEST_F(WorldTest, AMissingVersionIsFetchedOrWaitedFor) {
  world_.binaries.clear();
  intent_.cluster.spec.size = 1;
  for (int i = 0; i < 20; ++i) {
    (void)pass();
    world_.advance(1s);
  }
  EXPECT_FALSE(healthy(1));
  EXPECT_TRUE(world_.places.empty() || world_.process_of("c-0") == nullptr);
  world_.binaries_to_fetch.insert("3.5.33");
  ASSERT_TRUE(converge(1));
}

TEST_F(WorldTest, AFullDiskIsAMembersTroubleOnly) {
  ASSERT_TRUE(converge(3));
  const std::string name = voters().front();
  world_.set_disk(name, Disk::kFull);
  world_.kill_etcd(name);
  world_.advance(5s);
  ASSERT_TRUE(put("k"));
  world_.set_disk(name, Disk::kFine);
  ASSERT_TRUE(converge(3, 300s));
  expect_everywhere("k");
}

// Everything that two worlds could differ in for an operator.
std::string digest(const World& world) {
  std::string out = std::to_string(world.now().time_since_epoch().count());
  if (world.record.bytes) out += *world.record.bytes;
  for (const auto& [name, p] : world.places) {
    out += name + std::to_string(static_cast<int>(p.guard.phase));
    if (p.ticket) out += guard::encode(*p.ticket);
    if (p.state) out += guard::encode(*p.state);
    if (p.volume.marker) out += guard::encode(*p.volume.marker);
  }
  return out;
}

TEST_F(WorldTest, ACopyGoesItsOwnWayAndTheSameWay) {
  ASSERT_TRUE(converge(1));
  const World kept = world_;
  const OperatorMemory memory = operator_->memory();
  const auto run = [&] {
    restart(memory);
    passes_ = 0;
    EXPECT_TRUE(converge(3));
    return digest(world_);
  };
  const std::string first = run();
  const int passes = passes_;
  world_ = kept;
  EXPECT_NE(digest(world_), first);
  EXPECT_EQ(run(), first);
  EXPECT_EQ(passes_, passes);
}

}  // namespace
}  // namespace sim::testing
