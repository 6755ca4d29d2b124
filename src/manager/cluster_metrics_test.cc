#include "manager/cluster_metrics.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace manager {
namespace {

using namespace std::chrono_literals;

TEST(ClusterMetrics, ALagThatIsNotKnownHasNoSeries) {
  metrics::Registry registry;
  engine::Report report;
  const auto has_lag = [&](const base::Fact<plan::Follower>& follower) {
    report.seen.follower = follower;
    fill(registry, {"shop", "orders"}, {}, {}, &report);
    return registry.text().find("etcd_operator_cluster_backup_lag_seconds{") != std::string::npos;
  };
  plan::Follower follower;
  follower.running = true;
  follower.base = "i/full-1";
  follower.lag = base::Duration(1500ms);
  EXPECT_TRUE(has_lag(follower));
  EXPECT_NE(registry.text().find("backup_lag_seconds{namespace=\"shop\",cluster=\"orders\"} 1.5"),
            std::string::npos)
      << registry.text();
  auto other = follower;
  other.lag = base::Fact<base::Duration>::unknown("it says nothing yet");
  EXPECT_FALSE(has_lag(other));
  other = follower;
  other.running = false;
  EXPECT_FALSE(has_lag(other));
  other = follower;
  other.base.clear();
  EXPECT_FALSE(has_lag(other)) << "there is nothing that a restore could begin from";
  EXPECT_FALSE(has_lag(base::Fact<plan::Follower>::unknown("permission denied")));
  EXPECT_FALSE(has_lag(base::Fact<plan::Follower>::absent()));
}

}  // namespace
}  // namespace manager
