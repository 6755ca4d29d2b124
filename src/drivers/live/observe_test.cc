// What is asked of etcd, and for how long.
#include <gtest/gtest.h>

#include <map>

#include "drivers/live/cluster.h"
#include "etcd/refusing_api.h"

namespace live {
namespace {

// What the members of one cluster answer, and what they were asked.
struct World {
  std::map<std::string, etcd::MemberStatus> members;  // by client URL
  std::vector<std::pair<std::string, base::Duration>> hashes;
  std::stop_source stop;
  bool stop_at_first_hash = false;
};

class FakeApi final : public etcd::RefusingApi {
 public:
  FakeApi(World& world, std::string url) : world_(world), url_(std::move(url)) {}

  base::Result<etcd::MemberStatus> status(base::Duration) override {
    return world_.members.at(url_);
  }
  base::Result<etcd::Hash> hash_kv(std::int64_t revision, base::Duration deadline) override {
    world_.hashes.emplace_back(url_, deadline);
    if (world_.stop_at_first_hash) world_.stop.request_stop();
    return etcd::Hash{1, -1, revision};
  }

 private:
  World& world_;
  const std::string url_;
};

class NoSurroundings final : public Surroundings {
 public:
  base::Result<etcd::Tls> credentials(const api::Tls&) override { return etcd::Tls{}; }
  std::optional<api::Version> cluster_version(const plan::MemberRecord&, base::Duration,
                                              const std::stop_token&) override {
    return std::nullopt;
  }
  void together(std::span<const std::function<void()>> calls) override {
    for (const auto& call : calls) call();
  }
};

class StandingClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override { return {}; }
  [[nodiscard]] base::Tick tick() const override { return {}; }
};

class HashesTest : public ::testing::Test {
 protected:
  // Two members that serve, the second with a database of this size.
  plan::Observation look(std::int64_t db_size) {
    plan::Record record;
    plan::Observation seen;
    for (std::uint64_t i = 1; i <= 2; ++i) {
      plan::MemberRecord m;
      m.name = "c-" + std::to_string(i);
      m.id = {i};
      m.addresses.client_url = "http://" + m.name;
      etcd::MemberStatus& status = world.members[m.addresses.client_url];
      status.id = m.id;
      status.revision = 7;
      status.db_size = i == 2 ? db_size : 4096;
      seen.members[m.name].process = plan::Process::kRunning;
      record.members[m.name] = m;
    }
    NoSurroundings around;
    const StandingClock clock;
    Cluster cluster([&](const std::string& url,
                        const etcd::Tls&) { return std::make_unique<FakeApi>(world, url); },
                    around, clock);
    const plan::Intent intent;
    const engine::Job job{intent, record, base::Duration(1'000)};
    const auto stop = world.stop.get_token();
    cluster.observe({job, stop}, true, seen);
    return seen;
  }
  World world;
};

TEST_F(HashesTest, ALargeDatabaseHasTheTimeThatItTakesToBeRead) {
  constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  EXPECT_EQ(look(8 * kGiB).hashes.size(), 2U);
  ASSERT_EQ(world.hashes.size(), 2U);
  EXPECT_LT(world.hashes[0].second, std::chrono::seconds(11));
  EXPECT_GT(world.hashes[1].second, std::chrono::minutes(5));
  EXPECT_LT(world.hashes[1].second, std::chrono::minutes(10));
}

TEST_F(HashesTest, NoOtherMemberIsAskedOnceAskedToStop) {
  world.stop_at_first_hash = true;
  EXPECT_EQ(look(4096).hashes.size(), 1U);
  EXPECT_EQ(world.hashes.size(), 1U);
}

}  // namespace
}  // namespace live
