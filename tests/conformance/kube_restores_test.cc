// EtcdRestore objects on Kubernetes, the operator's whole loop over fakes.
#include "conformance/kube_requests_story.h"
#include "drivers/jobs/jobs.h"

namespace conformance {
namespace {

class KubeRestoresStory : public KubeRequestsStory {
 protected:
  // Cluster c with a key, and a backup of it; gives where that is.
  std::string backed_up() {
    cluster("c");
    secret("aws-secret");
    put("c", "greeting");
    ask("once", of("https://c-client:2379"));
    EXPECT_TRUE(run_until([&] { return succeeded("once") == true; }));
    return text(kube::kCoreosBackups, "once", "status.location");
  }
  void name_of_backup(const std::string& location) {
    ASSERT_NE(location, "");
    name_ = jobs::name_in_store(location);
  }
  // What the cluster holds now is in the log behind that backup; gives the revision.
  std::int64_t note_moment() {
    const auto* etcd = node.world.process_of("c-0");
    EXPECT_NE(etcd, nullptr);
    if (etcd == nullptr) return 0;
    const auto revision = etcd->state().revision;
    node.store.logged[name_].push_back(
        {name_, revision, node.world.now(), sim::file(sim::snapshot_of(*etcd))});
    return revision;
  }
  void ask_for(const std::string& field, json::Value point) {
    json::Object spec{{"clusterName", "c"},
                      {"s3", json::Object{{"path", "backups/etcd"}, {"awsSecret", "aws-secret"}}}};
    spec[field] = std::move(point);
    if (find(kube::kEtcdRestores, "c") == nullptr) {
      declare(kube::kEtcdRestores, "c", std::move(spec));
      return;
    }
    spec[field == "toTime" ? "toRevision" : "toTime"] = nullptr;
    edit(kube::kEtcdRestores, "c", std::move(spec));
  }
  std::string says() { return text(kube::kEtcdRestores, "c", "status.reason"); }
  // Nothing reaches `point`: that is told, and no other is taken for it.
  void wait_in_vain(const std::string& point, const std::string& what) {
    ASSERT_TRUE(run_until([&] { return says().starts_with(point + ": "); })) << says();
    EXPECT_NE(says().find(what), std::string::npos) << says();
    EXPECT_NE(says().find("Nothing else is begun in its place"), std::string::npos) << says();
    EXPECT_EQ(count(kube::kStatefulSets), 0U);
  }
  // With operators killed on the way; gives the revision that is told.
  std::int64_t wait_for_begin() {
    int turns = 0;
    EXPECT_TRUE(run_until(
        [&] {
          if (++turns % 5 == 0) restart();
          const auto* said = find(kube::kEtcdRestores, "c")->at("status.succeeded");
          return said != nullptr && *said == json::Value(true);
        },
        600s))
        << says();
    EXPECT_TRUE(run_until([&] { return serves("c", 1); }));
    return json::get_int(*find(kube::kEtcdRestores, "c"), "status.revision").value_or(0);
  }
  // Cluster c has not begun, and says why.
  void held(const std::string& why) {
    ASSERT_TRUE(run_until([&] {
      return said(kube::kEtcdClusters, "c", "Restored").find(why) != std::string::npos;
    })) << said(kube::kEtcdClusters, "c", "Restored");
    EXPECT_TRUE(said(kube::kEtcdClusters, "c", "Restored").starts_with("RestoreNotPossible"));
    for (int i = 0; i < 20; ++i) {
      node.let_pass(3s);
      turn();
    }
    EXPECT_EQ(count(kube::kStatefulSets), 0U);
  }
  // From what, as of which revision and as of when.
  void expect_began(const std::string& point, std::int64_t revision) {
    EXPECT_TRUE(says().starts_with(point + ": the cluster began from s3://backups/etcd/"))
        << says();
    EXPECT_NE(says().find(fmt::format(" of revision {}, as of 20", revision)), std::string::npos)
        << says();
  }
  // As a person would, with all that it held.
  void remove_all() {
    node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
    ASSERT_TRUE(run_until([&] { return count(kube::kStatefulSets) == 0; }));
    for (const auto& claim : node.all(kube::kClaims))
      node.must(kube::remove(kube::kClaims,
                             {"default", json::get_string(claim, "metadata.name").value_or("")}));
    node.must(kube::remove(kube::kConfigMaps, {"default", "c-record"}));
    node.turn();
  }
  void bring_back(const std::string& name, const std::string& cluster, const std::string& path) {
    declare(kube::kCoreosRestores, name,
            {{"backupStorageType", "S3"},
             {"etcdCluster", json::Object{{"name", cluster}}},
             {"s3", json::Object{{"path", path}, {"awsSecret", "aws-secret"}}}});
  }
  std::string restore_says(const std::string& name) {
    return text(kube::kCoreosRestores, name, "status.reason");
  }
  std::optional<bool> restored(const std::string& name) {
    const auto* object = find(kube::kCoreosRestores, name);
    const auto* said = object == nullptr ? nullptr : object->at("status.succeeded");
    return said == nullptr ? std::nullopt : std::optional(*said == json::Value(true));
  }

 private:
  std::string name_;  // of the backup, in its store
};

TEST_F(KubeRestoresStory, AClusterThatIsDeclaredLaterBeginsFromIt) {
  ASSERT_NE(backed_up(), "");
  ASSERT_NO_FATAL_FAILURE(remove_all());
  bring_back("c", "c", "backups/etcd");
  ASSERT_TRUE(run_until([&] {
    return restore_says("c").find("waits for EtcdCluster default/c") != std::string::npos;
  }));
  EXPECT_FALSE(restored("c"));
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}});
  int turns = 0;
  ASSERT_TRUE(run_until(
      [&] {
        if (++turns % 5 == 0) restart();
        return restored("c").has_value();
      },
      600s));
  EXPECT_EQ(restored("c"), true) << restore_says("c");
  EXPECT_TRUE(text(kube::kCoreosRestores, "c", "status.location")
                  .starts_with("s3://backups/etcd/default/c/"));
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  EXPECT_TRUE(has("c", "greeting"));
  // It is over: a cluster of later begins as it says itself.
  ASSERT_NO_FATAL_FAILURE(remove_all());
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  EXPECT_FALSE(has("c", "greeting"));
  EXPECT_EQ(restored("c"), true);
}

TEST_F(KubeRestoresStory, OneBackupByItsNameForAClusterOfAnotherName) {
  const auto location = backed_up();
  ASSERT_TRUE(location.starts_with("s3://"));
  put("c", "later");
  edit(kube::kCoreosBackups, "once", {{"backupPolicy", json::Object{{"timeoutInSecond", 90}}}});
  ASSERT_TRUE(run_until([&] { return saved() == 2; }));
  bring_back("d", "d", location.substr(5));
  ASSERT_NO_FATAL_FAILURE(cluster("d"));
  ASSERT_TRUE(run_until([&] { return restored("d") == true; }));
  EXPECT_EQ(text(kube::kCoreosRestores, "d", "status.location"), location);
  EXPECT_TRUE(has("d", "greeting"));
  EXPECT_FALSE(has("d", "later")) << "the newest was not asked for";
}

TEST_F(KubeRestoresStory, AClusterThatServesIsLeftAlone) {
  ASSERT_NE(backed_up(), "");
  put("c", "later");
  bring_back("c", "c", "backups/etcd");
  ASSERT_TRUE(run_until([&] { return restored("c") == false; }));
  EXPECT_NE(restore_says("c").find("has begun already"), std::string::npos);
  EXPECT_NE(restore_says("c").find("spec.restoreInPlace: true"), std::string::npos);
  EXPECT_TRUE(serves("c", 1));
  EXPECT_TRUE(has("c", "later"));
  // Nor does a cluster of later begin from it, or without it before a person has said so.
  ASSERT_NO_FATAL_FAILURE(remove_all());
  restart();
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}});
  ASSERT_NO_FATAL_FAILURE(held("EtcdRestore default/c was refused"));
  restart();
  ASSERT_NO_FATAL_FAILURE(held("EtcdRestore default/c was refused"));
  EXPECT_EQ(restored("c"), false);
  node.must(kube::remove(kube::kCoreosRestores, {"default", "c"}));
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  EXPECT_FALSE(has("c", "greeting"));
}

TEST_F(KubeRestoresStory, ATypingErrorBeginsNoEmptyCluster) {
  name_of_backup(backed_up());
  const auto wanted = note_moment();
  ASSERT_NO_FATAL_FAILURE(remove_all());
  ask_for("toTime", "2026-11-21T12:00:00+02:00");
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}});
  ASSERT_NO_FATAL_FAILURE(held("spec.toTime: '2026-11-21T12:00:00+02:00' is not a UTC time"));
  EXPECT_NE(says().find("'2026-11-21T12:00:00+02:00' is not a UTC time"), std::string::npos);
  EXPECT_NE(says().find("correct this, or delete it"), std::string::npos) << says();
  ask_for("toRevision", wanted);
  EXPECT_EQ(wait_for_begin(), wanted);
  EXPECT_TRUE(has("c", "greeting"));
}

TEST_F(KubeRestoresStory, ATypingErrorTouchesNoClusterThatServes) {
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  put("c", "greeting");
  ask_for("toTime", "2026-11-21T12:00:00+02:00");
  ASSERT_TRUE(run_until([&] { return !says().empty(); }));
  restart();
  node.let_pass(60s);
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  EXPECT_TRUE(has("c", "greeting"));
}

TEST_F(KubeRestoresStory, AnEmptyPlaceBeginsNoEmptyCluster) {
  secret("aws-secret");
  bring_back("c", "c", "backups/etcd");
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}});
  ASSERT_TRUE(
      run_until([&] { return restore_says("c").find("holds no backup") != std::string::npos; }));
  EXPECT_NE(restore_says("c").find("EtcdRestore default/c asks for one"), std::string::npos);
  EXPECT_EQ(restore_says("c").find("restorePolicy"), std::string::npos) << "nobody wrote that";
  EXPECT_FALSE(restored("c"));
  EXPECT_EQ(count(kube::kStatefulSets), 0U);
  // Who gives it up has an empty one.
  node.must(kube::remove(kube::kCoreosRestores, {"default", "c"}));
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
}

TEST_F(KubeRestoresStory, AllThatTheLogHoldsComesBack) {
  name_of_backup(backed_up());
  put("c", "later");
  const auto last = note_moment();
  ASSERT_NO_FATAL_FAILURE(remove_all());
  bring_back("c", "c", "backups/etcd");
  ASSERT_NO_FATAL_FAILURE(cluster("c"));
  ASSERT_TRUE(run_until([&] { return restored("c") == true; }));
  const auto* status = find(kube::kCoreosRestores, "c");
  EXPECT_EQ(json::get_int(*status, "status.revision").value_or(0), last);
  EXPECT_TRUE(has("c", "later"));
}

TEST_F(KubeRestoresStory, ARevisionBetweenBackups) {
  name_of_backup(backed_up());
  put("c", "later");
  const auto wanted = note_moment();
  put("c", "too-late");
  const auto last = note_moment();
  ASSERT_LT(wanted, last);
  ASSERT_NO_FATAL_FAILURE(remove_all());
  ask_for("toRevision", last + 5);
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}});
  ASSERT_NO_FATAL_FAILURE(
      wait_in_vain(fmt::format("spec.toRevision {}", last + 5),
                   fmt::format("cannot be reached; the last is revision {}", last)));
  ask_for("toRevision", wanted);
  EXPECT_EQ(wait_for_begin(), wanted);
  expect_began(fmt::format("spec.toRevision {}", wanted), wanted);
  EXPECT_TRUE(has("c", "later"));
  EXPECT_FALSE(has("c", "too-late"));
}

TEST_F(KubeRestoresStory, ATimeBetweenBackups) {
  name_of_backup(backed_up());
  put("c", "later");
  const auto wanted = note_moment();
  node.let_pass(5s);
  const auto point = base::to_rfc3339(node.world.now());
  node.let_pass(5s);
  put("c", "too-late");
  const auto last = note_moment();
  ASSERT_NO_FATAL_FAILURE(remove_all());
  const auto never = base::to_rfc3339(node.world.now() + 24h);
  ask_for("toTime", never);
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}});
  ASSERT_NO_FATAL_FAILURE(wait_in_vain(
      "spec.toTime " + never, fmt::format("cannot be reached; the last is revision {}", last)));
  ask_for("toTime", point);
  EXPECT_EQ(wait_for_begin(), wanted);
  expect_began("spec.toTime " + point, wanted);
  EXPECT_TRUE(has("c", "later"));
  EXPECT_FALSE(has("c", "too-late"));
}

}  // namespace
}  // namespace conformance
