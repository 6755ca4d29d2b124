// Backups and beginnings from backups on Kubernetes, the operator's whole loop over fakes: Jobs and
// their pods, Secrets that only these see, volumes that outlive their cluster.
#include "conformance/kube_client_story.h"

namespace conformance {
namespace {

class KubeJobsStory : public KubeClientStory {
 protected:
  static json::Object bucket(const char* policy_key) {
    json::Object source{{"path", "my-etcd-backups"}};
    source["awsSecret"] = "aws-secret";
    json::Object policy;
    policy[policy_key] = json::Object{{"s3", std::move(source)}};
    return policy;
  }
  // As the second example.
  json::Object cloud() {
    json::Object backup = bucket("storageSource");
    backup["backupIntervalInSecond"] = 7200;
    backup["maxBackups"] = 10;
    return {{"size", 3},
            {"version", "3.5.12"},
            {"backup", json::Object{{"backupPolicy", std::move(backup)}}},
            {"restore",
             json::Object{{"restorePolicy",
                           json::Object{{"s3", json::Object{{"path", "my-etcd-backups"}}}}}}}};
  }
  void secret() {
    node.must(kube::create(kube::kSecrets, "default",
                           json::Object{{"metadata", json::Object{{"name", "aws-secret"}}}}));
  }
  bool cloud_serves() {
    return text(kube::kCoreosClusters, "cloud", "status.phase") == "Running" &&
           find(kube::kServices, "cloud-client") != nullptr &&
           condition(kube::kCoreosClusters, "cloud", "Progressing") == "False";
  }
  void ask_for_backup(const kube::Resource& resource, const std::string& name,
                      const std::string& words) {
    json::Object annotations;
    annotations["operator.etcd.io/backup-now"] = words;
    node.must(kube::merge_patch(
        resource, {"default", name},
        json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}}}));
  }
  size_t backups() {
    size_t out = 0;
    for (const auto& [place, all] : node.store.backups) out += all.size();
    return out;
  }
  // As a person would: claims and record.
  void remove_data() {
    for (const auto& claim : node.all(kube::kClaims))
      node.must(kube::remove(kube::kClaims,
                             {"default", json::get_string(claim, "metadata.name").value_or("")}));
    node.must(kube::remove(kube::kConfigMaps, {"default", "cloud-record"}));
  }
  void remove_cloud() {
    node.must(kube::remove(kube::kCoreosClusters, {"default", "cloud"}));
    ASSERT_TRUE(run_until([&] { return count(kube::kPods) == 0; }));
  }
};

TEST_F(KubeJobsStory, TheSecondExampleComesBackFromItsBucket) {
  declare(kube::kCoreosClusters, "cloud", cloud());
  // No Secret: it could not be looked, so nothing begins.
  ASSERT_TRUE(run_until([&] {
    return said(kube::kCoreosClusters, "cloud", "Restored").find("\"aws-secret\" not found") !=
           std::string::npos;
  }));
  EXPECT_EQ(count(kube::kStatefulSets), 0U);
  EXPECT_EQ(node.store.looked, 0);
  // It refuses: the same.
  node.store.refuses = "the access key is wrong";
  secret();
  ASSERT_TRUE(run_until([&] {
    return said(kube::kCoreosClusters, "cloud", "Restored").find("access key is wrong") !=
           std::string::npos;
  }));
  EXPECT_EQ(count(kube::kStatefulSets), 0U);
  node.store.refuses.clear();
  ASSERT_TRUE(run_until([&] { return cloud_serves(); }));
  EXPECT_EQ(said(kube::kCoreosClusters, "cloud", "Restored").substr(0, 13), "NoBackupFound");
  const auto first = put("cloud", "greeting");
  ask_for_backup(kube::kCoreosClusters, "cloud", "now");
  ASSERT_TRUE(run_until([&] { return backups() > 0; }));
  put("cloud", "later");
  ASSERT_TRUE(run_until(
      [&] { return condition(kube::kCoreosClusters, "cloud", "BackupHealthy") == "True"; }));

  // Its volumes are there: the same cluster goes on, and nobody looks into the bucket.
  ASSERT_NO_FATAL_FAILURE(remove_cloud());
  const auto looked = node.store.looked;
  declare(kube::kCoreosClusters, "cloud", cloud());
  ASSERT_TRUE(run_until([&] { return cloud_serves(); }));
  EXPECT_EQ(node.store.looked, looked);
  EXPECT_TRUE(has("cloud", "later"));

  ASSERT_NO_FATAL_FAILURE(remove_cloud());
  remove_data();
  node.turn();
  declare(kube::kCoreosClusters, "cloud", cloud());
  ASSERT_TRUE(run_until(
      [&] {
        return cloud_serves() && condition(kube::kCoreosClusters, "cloud", "Restored") == "True";
      },
      300s));
  EXPECT_TRUE(has("cloud", "greeting"));
  EXPECT_FALSE(has("cloud", "later"));
  EXPECT_GT(put("cloud", "again"), first + 1'000'000) << "revisions are raised";
  ASSERT_TRUE(run_until([&] {
    return std::ranges::none_of(node.all(kube::kJobs), [](const json::Value& job) {
      return json::get_string(job, "metadata.name")->starts_with("cloud-fetch");
    });
  })) << "nobody needs it any more";
}

TEST_F(KubeJobsStory, OperatorsThatDieOnTheWayOfARestoreGoOn) {
  secret();
  declare(kube::kCoreosClusters, "cloud", cloud());
  ASSERT_TRUE(run_until([&] { return cloud_serves(); }));
  put("cloud", "greeting");
  ask_for_backup(kube::kCoreosClusters, "cloud", "now");
  ASSERT_TRUE(run_until([&] { return backups() > 0; }));
  ASSERT_NO_FATAL_FAILURE(remove_cloud());
  remove_data();
  node.turn();
  declare(kube::kCoreosClusters, "cloud", cloud());
  int turns = 0;
  ASSERT_TRUE(run_until(
      [&] {
        if (++turns % 5 == 0) {
          restart();
          platform->look({});
        }
        return cloud_serves() && condition(kube::kCoreosClusters, "cloud", "Restored") == "True";
      },
      600s));
  EXPECT_TRUE(has("cloud", "greeting"));
}

TEST_F(KubeJobsStory, BackupsWithoutAPlaceGoIntoAVolumeThatStays) {
  declare(
      kube::kEtcdClusters, "c",
      {{"size", 1},
       {"version", "3.5.12"},
       {"persistentVolumeClaimRetentionPolicy", json::Object{{"whenDeleted", "Delete"}}},
       {"backup", json::Object{{"backupPolicy", json::Object{{"backupIntervalInSecond", 5}}}}}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1) && backups() > 5; }));
  EXPECT_EQ(condition(kube::kEtcdClusters, "c", "BackupHealthy"), "True");
  EXPECT_NE(text(kube::kEtcdClusters, "c", "status.lastBackup.time"), "");
  EXPECT_NE(find(kube::kClaims, "c-backups"), nullptr);
  EXPECT_LE(count(kube::kJobs), 4U) << "older ones are removed";
  node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  ASSERT_TRUE(run_until([&] { return find(kube::kEtcdClusters, "c") == nullptr; }));
  ASSERT_TRUE(run_until([&] { return count(kube::kJobs) == 0; }));
  EXPECT_NE(find(kube::kClaims, "c-backups"), nullptr) << "backups outlive their cluster";
  EXPECT_EQ(count(kube::kClaims), 1U);
}

TEST_F(KubeJobsStory, TheNewestBackupIsProvenAndADamagedOneReplaced) {
  const json::Object often{{"backupPolicy", json::Object{{"backupIntervalInSecond", 600}}},
                           {"verify", json::Object{{"intervalSeconds", 60}}}};
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}, {"backup", often}});
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "BackupProven") == "True"; }));
  EXPECT_EQ(node.store.proofs, 1);
  EXPECT_NE(said(kube::kEtcdClusters, "c", "BackupProven").find("was proven at"),
            std::string::npos);
  EXPECT_EQ(said(kube::kEtcdClusters, "c", "FieldsNotActedOn").find("verify"), std::string::npos);
  const auto first = backups();
  put("c", "later");
  ask_for_backup(kube::kEtcdClusters, "c", "now");
  ASSERT_TRUE(run_until([&] { return backups() == first + 1; }));
  for (const auto& [place, all] : node.store.backups) node.store.damaged = all.back().name;
  put("c", "later still");
  ASSERT_TRUE(run_until(
      [&] { return said(kube::kEtcdClusters, "c", "BackupProven").starts_with("BackupDamaged"); }));
  // Another one is taken at once, and proven.
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "BackupProven") == "True"; }));
  EXPECT_EQ(backups(), first + 2);
}

TEST_F(KubeJobsStory, ADrillGivesWayToABackupThatIsAskedFor) {
  declare(
      kube::kEtcdClusters, "c",
      {{"size", 1},
       {"version", "3.5.12"},
       {"backup", json::Object{{"backupPolicy", json::Object{{"backupIntervalInSecond", 600}}}}}});
  ASSERT_TRUE(run_until([&] {
    node.jobs_hang = backups() > 0;
    return find(kube::kJobs, "c-drill-1") != nullptr;
  }));
  ask_for_backup(kube::kEtcdClusters, "c", "now");
  ASSERT_TRUE(run_until([&] { return find(kube::kJobs, "c-backup-2") != nullptr; }));
  EXPECT_EQ(find(kube::kJobs, "c-drill-1"), nullptr);
  node.jobs_hang = false;
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "BackupProven") == "True"; }));
  for (const auto& event : node.all(kube::kEvents))
    EXPECT_NE(json::get_string(event, "reason").value_or(""), "DrillFailed") << json::print(event);
}

TEST_F(KubeJobsStory, OneJobAtATimeAlsoAcrossRestarts) {
  node.jobs_hang = true;
  declare(
      kube::kEtcdClusters, "c",
      {{"size", 1},
       {"version", "3.5.12"},
       {"backup", json::Object{{"backupPolicy", json::Object{{"backupIntervalInSecond", 5}}}}}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1) && count(kube::kJobs) == 1; }));
  for (int i = 0; i < 20; ++i) {
    restart();
    platform->look({});
    turn();
    node.let_pass(1s);
  }
  EXPECT_EQ(count(kube::kJobs), 1U);
  // Its pod is taken away: nothing is known of its end, and another one is tried.
  for (const auto& pod : node.all(kube::kPods)) {
    const auto name = json::get_string(pod, "metadata.name").value_or("");
    if (name.starts_with("c-backup-1-")) node.must(kube::remove(kube::kPods, {"default", name}));
  }
  node.jobs_hang = false;
  ASSERT_TRUE(run_until([&] { return backups() > 0; }));
  EXPECT_EQ(find(kube::kJobs, "c-backup-1") == nullptr, false) << "the last but one is kept";
  EXPECT_NE(find(kube::kJobs, "c-backup-2"), nullptr);
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "BackupHealthy") == "True"; }));
}

TEST_F(KubeJobsStory, AWatchThatLagsHidesNoJob) {
  declare(
      kube::kEtcdClusters, "c",
      {{"size", 1},
       {"version", "3.5.12"},
       {"backup", json::Object{{"backupPolicy", json::Object{{"backupIntervalInSecond", 5}}}}}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  int turns = 0;
  ASSERT_TRUE(run_until([&] {
    node.server.lag(++turns % 4 == 0 ? 0 : 6);
    return backups() > 5;
  }));
  for (const auto& event : node.all(kube::kEvents))
    EXPECT_NE(json::get_string(event, "reason").value_or(""), "BackupFailed") << json::print(event);
}

TEST_F(KubeJobsStory, AJobThatCannotHaveAPodIsToldAndTriedAgain) {
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  node.pods_are_refused = true;
  node.must(kube::create(
      kube::kEvents, "default",
      json::Object{{"metadata", json::Object{{"name", "quota"}}},
                   {"regarding", json::Object{{"kind", "Job"}, {"name", "c-backup-1"}}},
                   {"type", "Warning"},
                   {"reason", "FailedCreate"},
                   {"note", "exceeded quota: pods=1"}}));
  edit(kube::kEtcdClusters, "c",
       {{"backup", json::Object{{"backupPolicy", json::Object{{"backupIntervalInSecond", 60}}}}}});
  ASSERT_TRUE(run_until([&] {
    return said(kube::kEtcdClusters, "c", "BackupHealthy").find("exceeded quota") !=
           std::string::npos;
  }));
  EXPECT_EQ(condition(kube::kEtcdClusters, "c", "Available"), "True") << "it disturbs nobody";
  node.pods_are_refused = false;
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "BackupHealthy") == "True"; }));
}

TEST_F(KubeJobsStory, AStepToAnotherMinorWaitsForABackup) {
  declare(kube::kEtcdClusters, "c",
          {{"size", 1}, {"version", "3.5.33"}, {"backup", json::Object()}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1) && backups() == 1; }));
  put("c", "a");
  node.store.refuses = "the store is away";
  edit(kube::kEtcdClusters, "c", {{"version", "3.6.16"}});
  ASSERT_TRUE(run_until([&] {
    return said(kube::kEtcdClusters, "c", "UpgradeBlocked").find("away") != std::string::npos;
  }));
  EXPECT_EQ(text(kube::kEtcdClusters, "c", "status.currentVersion"), "3.5.33");
  node.store.refuses.clear();
  ASSERT_TRUE(run_until([&] {
    return serves("c", 1) && text(kube::kEtcdClusters, "c", "status.currentVersion") == "3.6.16";
  }));
  EXPECT_EQ(backups(), 2U);
}

}  // namespace
}  // namespace conformance
