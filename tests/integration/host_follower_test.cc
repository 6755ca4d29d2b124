// What happens between backups is kept: the planner, the engine, the host driver, the shipped
// program as the follower, real etcd and a directory as the store.
#include <cstdlib>

#include "archive/job.h"
#include "base/text.h"
#include "integration/host_cluster.h"

namespace integration {
namespace {

class FollowerTest : public HostCluster {
 protected:
  void SetUp() override {
    program_ = EO_OPERATOR_PROGRAM;
    intent_.cluster.spec.backup.emplace();
    intent_.cluster.spec.backup->interval = 1h;
    intent_.cluster.spec.backup->continuous = true;
    intent_.cluster.spec.backup->max_lag = 5s;
    HostCluster::SetUp();
    intent_.cluster.spec.size = 1;
  }
  void TearDown() override {
    if (const auto process = posix::identify(pid())) (void)posix::send_signal(*process, SIGKILL);
    HostCluster::TearDown();
  }
  [[nodiscard]] std::string file(const std::string& name) const {
    return scratch_.root() + "/state/clusters/default/c/jobs/follow/" + name;
  }
  [[nodiscard]] bool works() const {
    return posix::is_locked(file("lock")) == base::Fact<bool>(true);
  }
  [[nodiscard]] std::int64_t pid() const {
    const auto text = posix::read_file(file("process"), 64).value_or("");
    return base::parse_int(base::split(text, ' ').front()).value_or(0);
  }
  [[nodiscard]] std::string epoch() const {
    return posix::read_file(file("epoch"), 64).value_or("none");
  }
  const api::Condition* said() {
    return api::find_condition(status(), api::ConditionType::kBackupContinuous);
  }
  bool keeps_up() { return said() != nullptr && said()->status == api::Truth::kTrue; }
  std::int64_t put_one(const std::string& value) {
    const auto connection = platform_->connection(intent_.cluster.key);
    if (!connection) return 0;
    return client(connection->endpoints.front())->put("k", value, 5s).value_or(0);
  }
  // The cluster as it was at this revision, as soon as the store has it.
  void expect_reached(std::int64_t revision) {
    archive::FetchJob job;
    job.common.cluster = intent_.cluster.key;
    job.common.store.url = "file://" + scratch_.root() + "/state/default/c/backups";
    job.common.direct = true;
    job.common.scratch = scratch_.root() + "/fetch";
    job.common.report = scratch_.root() + "/report.json";
    job.to = scratch_.root() + "/back.db";
    job.to_revision = revision;
    job.exact = true;
    ASSERT_TRUE(posix::write_atomic(scratch_.root() + "/fetch.json", archive::to_json(job)));
    archive::FetchReport report;
    const bool fetched = run_until([&] {
      (void)posix::remove_file(job.to);
      (void)posix::run(
          {.argv = {program_, "archive", "fetch", "--job", scratch_.root() + "/fetch.json"}},
          {.deadline = 60s}, {});
      const auto text = posix::read_file(job.common.report, 4096);
      report = archive::parse_fetch_report(text.value_or("{}")).value_or(archive::FetchReport{});
      return report.outcome == archive::FetchOutcome::kFetched;
    });
    ASSERT_TRUE(fetched) << report.error;
    EXPECT_EQ(report.starts_at, revision);
    EXPECT_GT(report.log_records, 0U) << "a backup alone is no log";
    const auto connection = platform_->connection(intent_.cluster.key);
    const auto live = client(connection->endpoints.front())->hash_kv(revision, 5s);
    ASSERT_TRUE(live) << live.error().text();
    EXPECT_EQ(report.hash, live->hash) << revision;
  }
};

TEST_F(FollowerTest, WhatHappensIsKeptWhoeverDiesAndNotWhenItIsNotWanted) {
  ASSERT_TRUE(run_until([&] { return healthy(1) && keeps_up(); }));
  EXPECT_TRUE(works());
  EXPECT_EQ(epoch(), "1");
  const auto early = put_one("early");
  ASSERT_NO_FATAL_FAILURE(expect_reached(early));

  // It is killed: another one goes on where its log ends.
  const auto first = pid();
  ASSERT_TRUE(posix::send_signal(*posix::identify(first), SIGKILL));
  const auto between = put_one("while nothing watches");
  ASSERT_TRUE(run_until([&] { return !keeps_up(); }));
  ASSERT_TRUE(run_until([&] { return works() && pid() != first && keeps_up(); }));
  EXPECT_EQ(epoch(), "2");

  // The operator goes; the next one finds it at work and leaves it so.
  const auto second = pid();
  end();
  begin();
  ASSERT_TRUE(run_until([&] { return healthy(1) && keeps_up(); }));
  const auto later = put_one("under another operator");
  for (const auto revision : {early, between, later})
    ASSERT_NO_FATAL_FAILURE(expect_reached(revision));
  EXPECT_EQ(pid(), second);
  EXPECT_EQ(epoch(), "2") << "it was started anew without need";

  // Members that come are told to it, by another one in its place.
  intent_.cluster.spec.size = 3;
  ASSERT_TRUE(run_until([&] {
    const auto job = posix::read_file(file("job.json"), 1 << 16).value_or("");
    return healthy(3) && pid() != second && keeps_up() && job.find("c-2") != std::string::npos;
  }));
  ASSERT_NO_FATAL_FAILURE(expect_reached(put_one("of three")));

  // It rests with its cluster, and goes on with it.
  intent_.cluster.spec.hibernate = true;
  ASSERT_TRUE(run_until([&] { return record().hibernated && !works(); }));
  intent_.cluster.spec.hibernate = false;
  ASSERT_TRUE(run_until([&] { return healthy(3) && works() && keeps_up(); }));

  // Not wanted any more: it ends, nothing is said of it, and its secrets go.
  intent_.cluster.spec.backup->continuous = false;
  ASSERT_TRUE(run_until([&] { return !works() && said() == nullptr; }));
  ASSERT_TRUE(run_until([&] { return posix::exists(file("secret")) == base::Fact<bool>(false); }));
}

}  // namespace
}  // namespace integration
