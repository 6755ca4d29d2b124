// EtcdBackup objects on Kubernetes, the operator's whole loop over fakes.
#include "conformance/kube_requests_story.h"

namespace conformance {
namespace {

TEST_F(KubeRequestsStory, OneBackupOfAClusterThatWeRun) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  ask("once", of("https://c-client.default.svc:2379"));
  ASSERT_TRUE(run_until([&] { return succeeded("once") == true; }));
  const auto* object = find(kube::kCoreosBackups, "once");
  EXPECT_GT(json::get_int(*object, "status.etcdRevision").value_or(0), 0);
  EXPECT_EQ(json::get_string(*object, "status.etcdVersion").value_or(""), "3.5.12");
  EXPECT_NE(text(kube::kCoreosBackups, "once", "status.lastSuccessDate"), "");
  EXPECT_EQ(reason("once"), "");
  EXPECT_TRUE(text(kube::kCoreosBackups, "once", "status.location")
                  .starts_with("s3://backups/etcd/default/c/"));
  const auto jobs = jobs_of("once");
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(json::get_string(*jobs[0].at("metadata.ownerReferences")->if_array()->begin(), "kind"),
            "EtcdBackup");
  EXPECT_EQ(file_of(jobs[0]).max_backups, 0U);
  // It is done: nobody comes back to it, also not who knows nothing.
  for (int i = 0; i < 20; ++i) {
    restart();
    turn();
    node.let_pass(30s);
  }
  EXPECT_EQ(saved(), 1U);
  EXPECT_EQ(jobs_of("once").size(), 1U);
  node.must(kube::remove(kube::kCoreosBackups, {"default", "once"}));
  ASSERT_TRUE(run_until([&] { return jobs_of("once").empty(); }));
  EXPECT_EQ(saved(), 1U) << "what is in the store stays";
}

TEST_F(KubeRequestsStory, AFailureIsToldInTheWordsOfItsJobAndTriedAgain) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  ask("once", of("https://c-client:2379"));
  ASSERT_TRUE(run_until([&] { return says("once", "\"aws-secret\" not found"); }));
  EXPECT_EQ(succeeded("once"), false);
  node.store.refuses = "the access key is wrong";
  secret("aws-secret");
  ASSERT_TRUE(run_until([&] { return says("once", "the access key is wrong"); }));
  EXPECT_EQ(succeeded("once"), false);
  EXPECT_EQ(text(kube::kCoreosBackups, "once", "status.lastSuccessDate"), "");
  node.store.refuses.clear();
  ASSERT_TRUE(run_until([&] { return succeeded("once") == true; }));
  EXPECT_EQ(reason("once"), "");
  EXPECT_LE(jobs_of("once").size(), 2U) << "older ones are removed";
}

TEST_F(KubeRequestsStory, ItsEventsAndItsMetricTellHowItStands) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  auto spec = of("https://c-client:2379");
  spec["backupPolicy"] = json::Object{{"backupIntervalInSecond", 60}};
  ask("often", spec);
  ASSERT_TRUE(run_until([&] { return succeeded("often") == true; }));
  const auto first = fmt::format(
      "Normal BackupTaken: revision {} is at {}",
      json::get_int(*find(kube::kCoreosBackups, "often"), "status.etcdRevision").value_or(0),
      text(kube::kCoreosBackups, "often", "status.location"));
  EXPECT_EQ(events_of("often"), (std::map<std::string, std::int64_t>{{first, 1}}));
  EXPECT_EQ(healthy("often"), "1");
  const auto slowly = [&](const std::function<bool()>& reached) {
    for (int i = 0; i < 200 && !reached(); ++i) {
      turn();
      node.let_pass(5s);
    }
    return reached();
  };
  // Tries that fail are one event, which counts them.
  node.store.refuses = "the access key is wrong";
  const std::string failed = "Warning BackupFailed: the access key is wrong";
  ASSERT_TRUE(slowly([&] { return events_of("often")[failed] >= 3; }));
  node.jobs_hang = true;
  turn();  // what has ended by now is told
  const auto then = events_of("often");
  EXPECT_EQ(healthy("often"), "0");
  restart();
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(events_of("often"), then) << "who has just begun says nothing anew";
  EXPECT_EQ(then.size(), 2U);
  EXPECT_EQ(healthy("often"), "0");
  node.jobs_hang = false;
  node.store.refuses.clear();
  ASSERT_TRUE(slowly([&] { return succeeded("often") == true; }));
  EXPECT_EQ(healthy("often"), "1");
  const auto all = events_of("often");
  EXPECT_EQ(all.size(), 3U);
  EXPECT_TRUE(std::ranges::any_of(all, [](const auto& event) {
    return event.first.starts_with("Normal BackupTaken: again: revision ");
  }));
  // Who stands by says nothing, and what is gone is not shown for ever.
  term.reset();
  turn();
  EXPECT_EQ(healthy("often"), "");
  term = 2;
  turn();
  EXPECT_EQ(healthy("often"), "1");
  node.must(kube::remove(kube::kCoreosBackups, {"default", "often"}));
  ASSERT_TRUE(run_until([&] { return healthy("often").empty(); }));
}

TEST_F(KubeRequestsStory, AReportThatIsLostIsLookedForInTheStore) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  node.jobs_hang = true;
  ask("once", of("https://c-client:2379"));
  ASSERT_TRUE(run_until([&] { return jobs_of("once").size() == 1; }));
  for (int i = 0; i < 10; ++i) {
    restart();
    turn();
    node.let_pass(1s);
  }
  ASSERT_EQ(jobs_of("once").size(), 1U) << "one at a time, also across restarts";
  const auto first = file_of(jobs_of("once")[0]);
  for (const auto& pod : node.all(kube::kPods)) {
    const auto name = json::get_string(pod, "metadata.name").value_or("");
    if (name.starts_with("once-")) node.must(kube::remove(kube::kPods, {"default", name}));
  }
  ASSERT_TRUE(run_until([&] { return succeeded("once") == false; }));
  node.jobs_hang = false;
  ASSERT_TRUE(run_until([&] { return succeeded("once") == true; }));
  const auto jobs = jobs_of("once");
  ASSERT_EQ(jobs.size(), 2U);
  EXPECT_EQ(file_of(jobs[1]).not_before, first.not_before);
}

TEST_F(KubeRequestsStory, APodThatGoesAfterItsReportTakesNothingBack) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  auto spec = of("https://c-client:2379");
  spec["backupPolicy"] = json::Object{{"backupIntervalInSecond", 3600}};
  ask("often", std::move(spec));
  ASSERT_TRUE(run_until([&] { return succeeded("often") == true; }));
  for (const auto& pod : node.all(kube::kPods)) {
    const auto name = json::get_string(pod, "metadata.name").value_or("");
    if (name.starts_with("often-")) node.must(kube::remove(kube::kPods, {"default", name}));
  }
  for (int i = 0; i < 5; ++i) {
    restart();
    turn();
    node.let_pass(30s);
  }
  EXPECT_EQ(succeeded("often"), true) << reason("often");
  EXPECT_EQ(jobs_of("often").size(), 1U);
}

TEST_F(KubeRequestsStory, WhatACrashedJobSaidLastStays) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  node.jobs_crash = "terminate called";
  ask("once", of("https://c-client:2379"));
  ASSERT_TRUE(run_until([&] { return succeeded("once") == false; }));
  const auto said = reason("once");
  EXPECT_NE(said.find("exit code 137"), std::string::npos) << said;
  EXPECT_NE(said.find("terminate called"), std::string::npos) << said;
  for (const auto& pod : node.all(kube::kPods)) {
    const auto name = json::get_string(pod, "metadata.name").value_or("");
    if (name.starts_with("once-")) node.must(kube::remove(kube::kPods, {"default", name}));
  }
  restart();
  turn();
  EXPECT_EQ(reason("once"), said);
}

TEST_F(KubeRequestsStory, AJobThatCannotBeMadeIsTriedLaterAndLater) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  for (int i = 0; i < 4; ++i)
    node.server.befall("create jobs", sim::KubeServer::Fate::kUnavailable);
  ask("once", of("https://c-client:2379"));
  ASSERT_TRUE(run_until([&] { return says("once", "could not be made"); }));
  for (int i = 0; i < 40; ++i) {
    turn();
    node.let_pass(1s);
  }
  EXPECT_TRUE(jobs_of("once").empty());
  ASSERT_TRUE(run_until([&] { return succeeded("once") == true; }));
}

TEST_F(KubeRequestsStory, AWatchThatLagsMakesNoSecondJob) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  ask("once", of("https://c-client:2379"));
  int turns = 0;
  ASSERT_TRUE(run_until([&] {
    node.server.lag(++turns % 4 == 0 ? 0 : 6);
    return succeeded("once") == true;
  }));
  EXPECT_EQ(saved(), 1U);
}

TEST_F(KubeRequestsStory, AClusterOfSomebodyElseIsAskedAtItsEndpoints) {
  secret("aws-secret");
  secret("their-tls");
  ask("far", of("https://etcd.example.com:2379"));
  ASSERT_TRUE(run_until([&] { return says("far", "clientTLSSecret"); }));
  EXPECT_EQ(succeeded("far"), false);
  EXPECT_TRUE(jobs_of("far").empty());
  edit(kube::kCoreosBackups, "far", {{"clientTLSSecret", "their-tls"}});
  node.jobs_hang = true;
  ASSERT_TRUE(run_until([&] { return jobs_of("far").size() == 1; }));
  const auto job = jobs_of("far")[0];
  const auto file = file_of(job);
  ASSERT_EQ(file.endpoints.size(), 1U);
  EXPECT_EQ(file.endpoints[0].url, "https://etcd.example.com:2379");
  EXPECT_EQ(file.endpoints[0].member, "etcd.example.com");
  EXPECT_EQ(file.common.cluster.text(), "default/endpoints.far") << "no cluster's own place";
  EXPECT_TRUE(file.tls);
  const auto printed = json::print(job);
  EXPECT_NE(printed.find(R"("secretName":"their-tls")"), std::string::npos);
  EXPECT_NE(printed.find("etcd-client-ca.crt"), std::string::npos);
  EXPECT_EQ(printed.find("operator-tls"), std::string::npos);
}

TEST_F(KubeRequestsStory, EndpointsOfTwoClustersAndBadTextsAreRefused) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  ask("both", into_bucket({{"etcdEndpoints", json::Array{"https://c-client:2379",
                                                         "https://other.example.com:2379"}}}));
  ask("bad", into_bucket({{"etcdEndpoints", json::Array{"c-client:2379"}}}));
  ASSERT_TRUE(run_until(
      [&] { return says("both", "several clusters") && says("bad", "is not a client URL"); }));
  EXPECT_EQ(succeeded("both"), false);
  EXPECT_EQ(succeeded("bad"), false);
  EXPECT_EQ(count(kube::kJobs), 0U);
  const auto before = node.server.changes();
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(node.server.changes(), before) << "it is told once";
}

TEST_F(KubeRequestsStory, APeriodicOneMakesOneAfterTheOther) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  auto spec = of("https://c-client:2379");
  spec["backupPolicy"] = json::Object{{"backupIntervalInSecond", 10}, {"maxBackups", 3}};
  ask("often", std::move(spec));
  ASSERT_TRUE(run_until([&] { return saved() > 4; }));
  EXPECT_EQ(succeeded("often"), true);
  EXPECT_LE(jobs_of("often").size(), 2U);
  EXPECT_EQ(file_of(jobs_of("often").back()).max_backups, 3U);
  const auto last = text(kube::kCoreosBackups, "often", "status.lastSuccessDate");
  node.store.refuses = "the store is away";
  ASSERT_TRUE(run_until([&] { return says("often", "the store is away"); }));
  EXPECT_EQ(succeeded("often"), false);
  EXPECT_GE(text(kube::kCoreosBackups, "often", "status.lastSuccessDate"), last);
  node.store.refuses.clear();
  ASSERT_TRUE(run_until([&] { return succeeded("often") == true; }));
}

TEST_F(KubeRequestsStory, TheClustersOwnBackupsAreNotCountedByAnother) {
  secret("aws-secret");
  json::Object source;
  source["s3"] = json::Object{{"path", "backups/etcd"}, {"awsSecret", "aws-secret"}};
  declare(kube::kEtcdClusters, "c",
          {{"size", 1},
           {"version", "3.5.12"},
           {"backup", json::Object{{"storageSource", std::move(source)}}}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  auto spec = of("https://c-client:2379");
  spec["backupPolicy"] = json::Object{{"backupIntervalInSecond", 10}, {"maxBackups", 1}};
  ask("often", std::move(spec));
  ASSERT_TRUE(run_until([&] { return says("often", "maxBackups"); }));
  EXPECT_EQ(succeeded("often"), false);
  EXPECT_TRUE(jobs_of("often").empty());
  edit(kube::kCoreosBackups, "often", {{"backupPolicy", json::Object{{"maxBackups", 0}}}});
  ASSERT_TRUE(run_until([&] { return succeeded("often") == true; }));
}

TEST_F(KubeRequestsStory, AClusterThatIsNotThereYetIsWaitedFor) {
  secret("aws-secret");
  declare(kube::kEtcdBackups, "early", into_bucket({{"clusterName", "c"}}));
  const auto said = [&] { return text(kube::kEtcdBackups, "early", "status.Reason"); };
  ASSERT_TRUE(run_until([&] { return said().find("no cluster default/c") != std::string::npos; }));
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  ASSERT_TRUE(run_until([&] {
    const auto* object = find(kube::kEtcdBackups, "early");
    const auto* good = object->at("status.succeeded");
    return good != nullptr && *good == json::Value(true);
  }));
  EXPECT_EQ(said(), "");
}

TEST_F(KubeRequestsStory, OneThatCoreOsOperatorHoldsIsLetGo) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  auto spec = of("https://c-client:2379");
  spec["backupPolicy"] = json::Object{{"backupIntervalInSecond", 3600}};
  ask("often", std::move(spec));
  ASSERT_TRUE(run_until([&] { return succeeded("often") == true; }));
  json::Object metadata{{"finalizers", json::Array{"backup-operator-periodic"}}};
  node.must(kube::merge_patch(kube::kCoreosBackups, {"default", "often"},
                              json::Object{{"metadata", std::move(metadata)}}));
  node.must(kube::remove(kube::kCoreosBackups, {"default", "often"}));
  for (int i = 0; i < 30; ++i) {
    turn();
    node.let_pass(1s);
  }
  ASSERT_NE(find(kube::kCoreosBackups, "often"), nullptr) << "its owner may still be there";
  ASSERT_TRUE(run_until([&] { return find(kube::kCoreosBackups, "often") == nullptr; }));
}

TEST_F(KubeRequestsStory, WhoDoesNotLeadBacksNothingUp) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  secret("aws-secret");
  term = std::nullopt;
  ask("once", of("https://c-client:2379"));
  const auto before = node.server.changes();
  for (int i = 0; i < 5; ++i) {
    platform->look({});
    backups->turn({});
  }
  EXPECT_EQ(node.server.changes(), before);
}

}  // namespace
}  // namespace conformance
