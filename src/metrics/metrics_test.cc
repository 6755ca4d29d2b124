#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

#include "metrics/catalog.h"
#include "metrics/registry.h"

namespace metrics {
namespace {

TEST(Catalog, NamesFollowTheRules) {
  std::set<std::string_view> names;
  for (const auto* d : catalog()) {
    EXPECT_TRUE(names.insert(d->name).second) << d->name << " occurs twice";
    EXPECT_TRUE(d->name.starts_with("etcd_operator_") || d->name.starts_with("process_"));
    EXPECT_EQ(d->name.ends_with("_total"), d->kind == Kind::kCounter) << d->name;
    EXPECT_TRUE(d->help.ends_with('.')) << d->name;
    if (!d->unit.empty()) EXPECT_NE(d->name.find(d->unit), std::string_view::npos) << d->name;
    for (size_t i = d->label_count(); i < d->label_names.size(); ++i)
      EXPECT_TRUE(d->label_names[i].empty()) << d->name;
    EXPECT_FALSE(name_of(d->kind).empty() || name_of(d->stability).empty());
  }
}

TEST(Registry, TextOfGaugesAndCounters) {
  Registry registry;
  EXPECT_EQ(registry.text(), "");
  registry.set(kClusterHasLeader, {"default", "b"}, 1);
  registry.set(kClusterHasLeader, {"default", "a\"\\\n"}, 0);
  registry.add(kPassErrors, {"Unavailable"});
  registry.add(kPassErrors, {"Unavailable"}, 2);
  registry.set(kClusters, {}, 2.5);
  EXPECT_EQ(
      registry.text(),
      "# HELP etcd_operator_cluster_has_leader 1 if the last quorum read succeeded, 0 if not; "
      "no series while unknown.\n"
      "# TYPE etcd_operator_cluster_has_leader gauge\n"
      "etcd_operator_cluster_has_leader{namespace=\"default\",cluster=\"a\\\"\\\\\\n\"} 0\n"
      "etcd_operator_cluster_has_leader{namespace=\"default\",cluster=\"b\"} 1\n"
      "# HELP etcd_operator_clusters Clusters that this operator looks after.\n"
      "# TYPE etcd_operator_clusters gauge\n"
      "etcd_operator_clusters 2.5\n"
      "# HELP etcd_operator_pass_errors_total Passes that ended with an error, by its code.\n"
      "# TYPE etcd_operator_pass_errors_total counter\n"
      "etcd_operator_pass_errors_total{code=\"Unavailable\"} 3\n");
}

TEST(Registry, HistogramsAreCumulative) {
  Registry registry;
  for (const double value : {0.001, 0.3, 0.3, 99.0}) registry.observe(kPassSeconds, {}, value);
  const auto text = registry.text();
  for (const auto* line :
       {"_bucket{le=\"0.001\"} 1\n", "_bucket{le=\"0.25\"} 1\n", "_bucket{le=\"0.5\"} 3\n",
        "_bucket{le=\"10\"} 3\n", "_bucket{le=\"+Inf\"} 4\n", "_sum 99.601\n", "_count 4\n"})
    EXPECT_NE(text.find(std::string("etcd_operator_pass_seconds") + line), std::string::npos)
        << line << text;
}

TEST(Registry, AClusterThatIsGoneIsForgotten) {
  Registry registry;
  registry.set(kClusterHasLeader, {"n", "a"}, 1);
  registry.set(kClusterMembers, {"n", "a", "healthy"}, 3);
  registry.set(kClusterMembers, {"n", "ab", "healthy"}, 1);
  registry.set(kClusters, {}, 1);
  registry.forget_cluster("n", "a");
  const auto text = registry.text();
  EXPECT_EQ(text.find("cluster=\"a\""), std::string::npos) << text;
  EXPECT_NE(text.find("cluster=\"ab\""), std::string::npos);
  EXPECT_NE(text.find("etcd_operator_clusters 1"), std::string::npos);
}

TEST(Registry, OneSeriesIsForgotten) {
  Registry registry;
  registry.set(kBackupRequestHealthy, {"shop", "nightly", "g"}, 0);
  registry.set(kBackupRequestHealthy, {"shop", "once", "g"}, 1);
  registry.forget(kBackupRequestHealthy, {"shop", "nightly", "g"});
  registry.forget(kClusterBackup, {"shop", "c"});
  EXPECT_EQ(registry.text().find("nightly"), std::string::npos);
  EXPECT_NE(registry.text().find("backup=\"once\""), std::string::npos);
}

TEST(Registry, LabelsThatDoNotFitAndTooManySeries) {
  Registry registry;
  registry.set(kClusterHasLeader, {"n"}, 1);
  registry.set(kClusterHasLeader, {"n", "c", "extra"}, 1);
  registry.set(kClusters, {}, std::numeric_limits<double>::infinity());
  const auto text = registry.text();
  EXPECT_NE(text.find("{namespace=\"n\",cluster=\"\"} 1"), std::string::npos);
  EXPECT_NE(text.find("{namespace=\"n\",cluster=\"c\"} 1"), std::string::npos);
  EXPECT_NE(text.find("etcd_operator_clusters +Inf"), std::string::npos);
  for (int i = 0; i < 20'005; ++i) registry.add(kPassErrors, {std::to_string(i)});
  EXPECT_NE(registry.text().find("etcd_operator_metrics_dropped_total 5\n"), std::string::npos);
}

}  // namespace
}  // namespace metrics
