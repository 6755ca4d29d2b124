// Backups by schedule over hours of virtual time: how many, when, and what they are called.
#include "sim/checkers/stores.h"

#include <gtest/gtest.h>

#include <map>

#include "posix/test_dir.h"
#include "sim/run/wanted.h"
#include "sim/stores/depot.h"
#include "sim/world/operator.h"

namespace sim {
namespace {

using namespace std::chrono_literals;

class Cadence : public ::testing::Test {
 protected:
  Cadence() {
    world.binaries = {"3.5.33"};
    world.stores = &depot;
    wanted.size = 1;
    wanted.tls = false;
    wanted.backup_interval = 1800s;
    wanted.verify = 24h;
    wanted.max_backups = 3;
    restart();
  }
  void restart() {
    shop = std::make_unique<Operator>(world, base::ClusterKey{"default", "c"}, log);
  }
  void write() {
    for (const Process& p : world.etcd().processes())
      if (p.is_up() && p.ready && world.published)
        ASSERT_TRUE(connect(world, p.args->client_url, {})->put("k", std::to_string(++n), 1s));
  }
  [[nodiscard]] StoreRules rules() const {
    return {wanted.backup_interval, false, wanted.max_backups};
  }
  // A pass when one is due; a write every ten minutes.
  void run_for(base::Duration time) {
    const base::Instant until = world.now() + time;
    base::Instant writes = world.now();
    while (world.now() < until) {
      if (world.now() >= writes) {
        write();
        writes = world.now() + 600s;
      }
      const auto again = shop->reconciler().pass(intent_of(wanted), {});
      const auto report = shop->reconciler().last();
      ASSERT_TRUE(report);
      EXPECT_EQ(oracles.after_step(world, rules()), "");
      EXPECT_EQ(oracles.after_pass(*report, rules()), "");
      for (const auto& b : depot.backups()) all.emplace(b.time, b.name);
      world.advance(again.value_or(500ms));
    }
  }
  std::vector<std::string> left() {
    std::map<base::Instant, std::string> sorted;
    for (const auto& b : depot.backups()) sorted.emplace(b.time, b.name);
    std::vector<std::string> names;
    for (const auto& [time, name] : sorted) names.push_back(name);
    return names;
  }

  posix::TestDir dir;
  World world{Settings{}};
  Depot depot{world, 1, dir.path("jobs")};
  Wanted wanted;
  NoLog log;
  std::unique_ptr<Operator> shop;
  StoreOracles oracles;
  std::map<base::Instant, std::string> all;  // that ever were
  int n = 0;
};

TEST_F(Cadence, EveryHalfHourAndTheLastThreeAreKept) {
  run_for(160min);
  restart();  // in the midst of an interval: the schedule does not begin anew
  run_for(200min);
  ASSERT_GE(all.size(), 12U);
  EXPECT_LE(all.size(), 13U);
  for (auto at = std::next(all.begin()); at != all.end(); ++at) {
    const auto apart = at->first - std::prev(at)->first;
    EXPECT_GE(apart, 1790s);
    EXPECT_LE(apart, 1810s);
    EXPECT_LT(std::prev(at)->second, at->second) << "names are in the order of revisions";
  }
  // The last three, and the one that was proven.
  const auto kept = left();
  ASSERT_EQ(kept.size(), 4U);
  EXPECT_EQ(kept.front(), all.begin()->second);
  auto newest = all.rbegin();
  for (auto at = kept.rbegin(); at != kept.rbegin() + 3; ++at, ++newest)
    EXPECT_EQ(*at, newest->second);
  const std::string& name = kept.back();
  const auto full = name.find("/full-");
  ASSERT_NE(full, std::string::npos) << name;
  EXPECT_EQ(name.substr(full + 6, 20).find_first_not_of("0123456789"), std::string::npos) << name;
}

// Where each backup is proven, the newest proven one is among the last three.
TEST_F(Cadence, ExactlyTheLastThreeAreThere) {
  wanted.verify = 1800s;
  run_for(70min);
  for (int i = 0; i < 8; ++i) {
    run_for(30min);
    const auto kept = left();
    ASSERT_EQ(kept.size(), 3U) << i;
    auto newest = all.rbegin();
    for (auto at = kept.rbegin(); at != kept.rend(); ++at, ++newest) EXPECT_EQ(*at, newest->second);
  }
  EXPECT_GE(all.size(), 11U);
}

// Otherwise the oracles would call it a lie that it was ever whole.
TEST_F(Cadence, WhatIsDamagedAsSoonAsItIsWrittenWasSeenWhole) {
  depot.before_damage = [this] { EXPECT_EQ(oracles.after_step(world, rules()), ""); };
  while (depot.running() == 0) {
    const auto again = shop->reconciler().pass(intent_of(wanted), {});
    EXPECT_EQ(oracles.after_step(world, rules()), "");
    if (depot.running() == 0) world.advance(again.value_or(500ms));
  }
  world.advance(10s);  // it works and ends, and nobody looks
  ASSERT_FALSE(depot.damage(0, /*cut=*/true).empty());
  static_cast<void>(shop->reconciler().pass(intent_of(wanted), {}));
  const auto report = shop->reconciler().last();
  ASSERT_TRUE(report && report->plan.status.last_backup);
  EXPECT_TRUE(std::ranges::none_of(depot.backups(), &StoredBackup::whole));
  EXPECT_EQ(oracles.after_step(world, rules()), "");
  EXPECT_EQ(oracles.after_pass(*report, rules()), "");
}

TEST_F(Cadence, WhileTheStoreIsAwayItIsToldAndAfterwardsItGoesOn) {
  run_for(40min);
  const std::size_t before = all.size();
  depot.weather.forbidden = true;
  run_for(100min);
  EXPECT_EQ(all.size(), before);
  const auto* told = api::find_condition(shop->reconciler().last()->plan.status,
                                         api::ConditionType::kBackupHealthy);
  ASSERT_NE(told, nullptr);
  EXPECT_EQ(told->status, api::Truth::kFalse) << told->message;
  depot.weather.forbidden = false;
  run_for(15min);
  EXPECT_EQ(all.size(), before + 1);
}

}  // namespace
}  // namespace sim
