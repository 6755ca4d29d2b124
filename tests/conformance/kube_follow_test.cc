// backup.continuous on Kubernetes, the operator's whole loop over fakes: the Job that writes the
// log, what it says of itself, and what becomes of it.
#include "base/text.h"
#include "conformance/kube_client_story.h"
#include "manager/cluster_metrics.h"

namespace conformance {
namespace {

class KubeFollowStory : public KubeClientStory {
 protected:
  KubeFollowStory() {
    node.followers.says.state = archive::FollowState::kFollowing;
    node.followers.says.base = "20261122T031500Z-8f3a9c02/full-1";
  }
  static json::Object kept(std::int64_t max_lag_s = 1, bool enabled = true) {
    return {{"backupPolicy", json::Object{{"backupIntervalInSecond", 3600}}},
            {"continuous", json::Object{{"enabled", enabled}, {"maxLagSeconds", max_lag_s}}}};
  }
  void begin() {
    declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}, {"backup", kept()}});
    ASSERT_TRUE(run_until([&] { return serves("c", 1) && continuous() == "True"; }));
    ASSERT_EQ(at_work(), 1);
  }
  std::string continuous() { return condition(kube::kEtcdClusters, "c", "BackupContinuous"); }
  bool says(std::string_view words) {
    return said(kube::kEtcdClusters, "c", "BackupContinuous").find(words) != std::string::npos;
  }
  // The epoch of the one that is at work; 0: none is, -1: several are.
  std::int64_t at_work() {
    const auto& all = node.followers.running;
    return all.empty() ? 0 : all.size() > 1 ? -1 : all.begin()->second.epoch;
  }
  // The lines of the metric.
  std::string lag() {
    const base::ClusterKey key{"default", "c"};
    manager::fill(registry, key, {}, {}, clusters->last(key).get());
    std::string out;
    for (const auto line : base::split(registry.text(), '\n'))
      if (line.starts_with("etcd_operator_cluster_backup_lag_seconds{")) out += line;
    return out;
  }
  size_t told(std::string_view reason) {
    const auto events = node.all(kube::kEvents);
    return static_cast<size_t>(std::ranges::count_if(events, [&](const auto& event) {
      return json::get_string(event, "reason").value_or("") == reason;
    }));
  }
};

TEST_F(KubeFollowStory, WhatHappensIsKeptAndHowFarItIsBehindIsTold) {
  ASSERT_NO_FATAL_FAILURE(begin());
  EXPECT_NE(find(kube::kJobs, "c-follow-1"), nullptr);
  EXPECT_EQ(condition(kube::kEtcdClusters, "c", "FieldsNotActedOn"), "False");
  const auto& file = node.followers.running.begin()->second.file;
  EXPECT_NE(file.find("c-0-0.c.default.svc"), std::string::npos) << file;
  EXPECT_EQ(told("ContinuousFailed"), 0U);
  EXPECT_NE(lag().find(" 0"), std::string::npos) << lag();

  node.followers.says.lag_ms = 90'000;
  node.followers.says.problem = "the store is away";
  ASSERT_TRUE(run_until([&] { return says("ContinuousBehind") && says("the store is away"); }));
  EXPECT_EQ(continuous(), "False");
  EXPECT_NE(lag().find(" 90"), std::string::npos) << lag();
  node.followers.says.lag_ms = 0;
  node.followers.says.problem.clear();
  ASSERT_TRUE(run_until([&] { return continuous() == "True"; }));

  // A page that cannot be had says nothing, and ends nothing.
  node.followers.silent = true;
  ASSERT_TRUE(run_until([&] { return continuous() == "Unknown"; }));
  EXPECT_TRUE(says("no route to 10.1.0.1"));
  EXPECT_EQ(lag(), "");
  ASSERT_TRUE(run_until([&] { return says("ContinuousBehind"); }));
  EXPECT_EQ(at_work(), 1);
  node.followers.silent = false;
  ASSERT_TRUE(run_until([&] { return continuous() == "True"; }));
  EXPECT_EQ(node.followers.begun, 1);
}

TEST_F(KubeFollowStory, OneThatEndsIsFollowedByAnotherWithAnEpochOfItsOwn) {
  ASSERT_NO_FATAL_FAILURE(begin());
  node.followers.ends =
      to_json(archive::FollowReport{.error = "the data went back", .error_kind = "behind"});
  ASSERT_TRUE(run_until([&] { return at_work() == 2 && continuous() == "True"; }));
  EXPECT_EQ(told("ContinuousFailed"), 1U);
  // Its node is drained: Kubernetes' words.
  for (const auto& pod : node.all(kube::kPods))
    if (const auto name = json::get_string(pod, "metadata.name").value_or("");
        name.starts_with("c-follow-2"))
      node.must(kube::remove(kube::kPods, {"default", name}));
  ASSERT_TRUE(run_until([&] { return at_work() == 3 && continuous() == "True"; }));
  bool in_its_words = false;
  for (const auto& event : node.all(kube::kEvents))
    in_its_words =
        in_its_words ||
        json::get_string(event, "note").value_or("").find("its Job is over") != std::string::npos;
  EXPECT_TRUE(in_its_words);
  // A log with a writer of a higher epoch than any that is remembered.
  node.followers.ends = to_json(archive::FollowReport{.error = "7", .error_kind = "stale"});
  ASSERT_TRUE(run_until([&] { return at_work() > 1'000'000 && continuous() == "True"; }));
  size_t jobs = 0;
  for (const auto& job : node.all(kube::kJobs))
    jobs += json::get_string(job, "metadata.name").value_or("").starts_with("c-follow-") ? 1 : 0;
  EXPECT_EQ(jobs, 2U) << "the last and the one before";
}

TEST_F(KubeFollowStory, AnotherTakesItsPlaceWhenWhatItWorksWithHasChanged) {
  ASSERT_NO_FATAL_FAILURE(begin());
  edit(kube::kEtcdClusters, "c", {{"backup", kept(30)}});
  ASSERT_TRUE(run_until([&] { return at_work() == 2; }));
  EXPECT_EQ(find(kube::kJobs, "c-follow-1"), nullptr);
  // A Secret that it alone reads.
  node.followers.says.outdated = true;
  ASSERT_TRUE(run_until([&] { return at_work() == 3; }));
  node.followers.says.outdated = false;
  // A member more.
  edit(kube::kEtcdClusters, "c", {{"size", 3}});
  ASSERT_TRUE(run_until([&] { return serves("c", 3) && continuous() == "True"; }));
  ASSERT_TRUE(run_until([&] {
    return at_work() > 3 && node.followers.running.begin()->second.file.find(
                                "c-2-0.c.default.svc") != std::string::npos;
  }));
  EXPECT_EQ(told("ContinuousFailed"), 0U);
}

TEST_F(KubeFollowStory, ItEndsWhenNothingIsToBeKept) {
  ASSERT_NO_FATAL_FAILURE(begin());
  edit(kube::kEtcdClusters, "c", {{"backup", kept(1, false)}});
  ASSERT_TRUE(run_until([&] { return at_work() == 0 && continuous().empty(); }));
  edit(kube::kEtcdClusters, "c", {{"backup", kept()}});
  ASSERT_TRUE(run_until([&] { return at_work() == 2; })) << "an epoch is never used twice";
  edit(kube::kEtcdClusters, "c", {{"hibernate", true}});
  ASSERT_TRUE(run_until([&] { return count(kube::kPods) == 0; }));
  EXPECT_EQ(at_work(), 0);
  edit(kube::kEtcdClusters, "c", {{"hibernate", false}});
  ASSERT_TRUE(run_until([&] { return at_work() == 3; }));
  node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  ASSERT_TRUE(run_until([&] { return find(kube::kEtcdClusters, "c") == nullptr; }));
  ASSERT_TRUE(run_until([&] { return count(kube::kJobs) == 0 && count(kube::kPods) == 0; }));
  EXPECT_EQ(at_work(), 0);
  EXPECT_EQ(told("ContinuousFailed"), 0U);
}

TEST_F(KubeFollowStory, OperatorsThatDieAndWatchesThatLagStartNothingTwice) {
  declare(kube::kEtcdClusters, "c",
          {{"size", 1}, {"version", "3.5.12"}, {"backup", kept(1, false)}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  edit(kube::kEtcdClusters, "c", {{"backup", kept()}});
  for (int i = 0; i < 60; ++i) {
    if (i % 3 == 0) restart();
    node.server.lag(i % 4 == 0 ? 0 : 6);
    turn();
    node.let_pass(1s);
  }
  EXPECT_EQ(continuous(), "True");
  EXPECT_EQ(node.followers.begun, 1);
  EXPECT_EQ(at_work(), 1);
  EXPECT_EQ(told("ContinuousFailed"), 0U);
}

TEST_F(KubeFollowStory, OneThatCannotBeginIsToldInKubernetesWordsAndTriedAgain) {
  json::Object source{{"path", "my-etcd-backups"}};
  source["awsSecret"] = "aws-secret";
  auto backup = kept();
  backup["backupPolicy"]["storageSource"] = json::Object{{"s3", std::move(source)}};
  declare(kube::kEtcdClusters, "c",
          {{"size", 1}, {"version", "3.5.12"}, {"backup", std::move(backup)}});
  ASSERT_TRUE(run_until(
      [&] { return says("ContinuousFailed") && says("secret \"aws-secret\" not found"); }));
  EXPECT_EQ(condition(kube::kEtcdClusters, "c", "Available"), "True") << "it disturbs nobody";
  EXPECT_EQ(node.followers.begun, 0);
  node.must(kube::create(kube::kSecrets, "default",
                         json::Object{{"metadata", json::Object{{"name", "aws-secret"}}}}));
  ASSERT_TRUE(run_until([&] { return continuous() == "True"; }, 300s));
  EXPECT_EQ(node.followers.begun, 1);
}

}  // namespace
}  // namespace conformance
