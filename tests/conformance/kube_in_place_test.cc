// An EtcdRestore over a cluster that serves, on Kubernetes, the operator's whole loop over fakes.
#include "conformance/kube_client_story.h"

namespace conformance {
namespace {

class KubeInPlaceStory : public KubeClientStory {
 protected:
  void secret(const std::string& name) {
    node.must(kube::create(kube::kSecrets, "default",
                           json::Object{{"metadata", json::Object{{"name", name}}}}));
  }
  // Cluster c, which has a key and backs itself up; gives where a backup with the key is.
  std::string serving() {
    secret("aws-secret");
    json::Object source;
    source["s3"] = json::Object{{"path", "backups/etcd"}, {"awsSecret", "aws-secret"}};
    declare(
        kube::kEtcdClusters, "c",
        {{"size", 3},
         {"version", "3.5.12"},
         {"backup", json::Object{{"storageSource", std::move(source)},
                                 {"backupPolicy", json::Object{{"backupIntervalInSecond", 10}}}}}});
    EXPECT_TRUE(run_until([&] { return serves("c", 3); }));
    const auto revision = put("c", "greeting");
    EXPECT_TRUE(run_until([&] {
      return json::get_int(*find(kube::kEtcdClusters, "c"), "status.lastBackup.revision")
                 .value_or(0) >= revision;
    }));
    return text(kube::kEtcdClusters, "c", "status.lastBackup.location");
  }
  void go_back(const std::string& name, const std::string& location) {
    json::Object source{{"path", location.substr(5)}, {"awsSecret", "aws-secret"}};
    declare(kube::kEtcdRestores, name,
            {{"clusterName", "c"}, {"s3", std::move(source)}, {"restoreInPlace", true}});
  }
  std::optional<bool> done(const std::string& name) {
    const auto* object = find(kube::kEtcdRestores, name);
    const auto* said = object == nullptr ? nullptr : object->at("status.succeeded");
    return said == nullptr ? std::nullopt : std::optional(*said == json::Value(true));
  }
  std::string words(const std::string& name) {
    return text(kube::kEtcdRestores, name, "status.reason");
  }
  // With operators killed on the way.
  void wait_for(const std::string& name, bool how) {
    int turns = 0;
    ASSERT_TRUE(run_until(
        [&] {
          if (++turns % 5 == 0) restart();
          return done(name).has_value();
        },
        600s))
        << words(name);
    ASSERT_EQ(done(name), how) << words(name);
    ASSERT_TRUE(run_until([&] { return serves("c", 3); }));
  }
};

TEST_F(KubeInPlaceStory, AClusterGoesBackAndFromThereToItsSafetyCopy) {
  const auto location = serving();
  ASSERT_TRUE(location.starts_with("s3://")) << location;
  put("c", "later");
  const auto claims = count(kube::kClaims);
  go_back("r", location);
  ASSERT_NO_FATAL_FAILURE(wait_for("r", true));
  EXPECT_EQ(text(kube::kEtcdRestores, "r", "status.location"), location);
  EXPECT_TRUE(has("c", "greeting"));
  EXPECT_FALSE(has("c", "later"));
  EXPECT_EQ(count(kube::kClaims), claims + 3) << "what the old members held is kept";
  // It is over: nobody comes back to it.
  put("c", "after that");
  for (int i = 0; i < 10; ++i) {
    restart();
    turn();
    node.let_pass(10s);
  }
  EXPECT_TRUE(has("c", "after that"));
  const auto told = words("r");
  const auto at = told.rfind("s3://");
  ASSERT_NE(at, std::string::npos) << told;
  go_back("back", told.substr(at));
  ASSERT_NO_FATAL_FAILURE(wait_for("back", true));
  EXPECT_TRUE(has("c", "later"));
  EXPECT_FALSE(has("c", "after that"));
}

TEST_F(KubeInPlaceStory, WhatIsNotThereTouchesNothing) {
  const auto location = serving();
  ASSERT_TRUE(location.starts_with("s3://")) << location;
  const auto sets = count(kube::kStatefulSets);
  go_back("r", location.substr(0, location.size() - 8) + "00000000");
  ASSERT_NO_FATAL_FAILURE(wait_for("r", false));
  EXPECT_NE(words("r").find("goes on as it is"), std::string::npos) << words("r");
  EXPECT_EQ(count(kube::kStatefulSets), sets);
  EXPECT_TRUE(has("c", "greeting"));
}

TEST_F(KubeInPlaceStory, AClusterWithoutABackupBlockHasNoPlaceForASafetyCopy) {
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.12"}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  secret("aws-secret");
  go_back("r", "s3://backups/etcd");
  ASSERT_TRUE(run_until([&] { return done("r") == false; }));
  EXPECT_NE(words("r").find("set spec.backup"), std::string::npos) << words("r");
  EXPECT_TRUE(serves("c", 1));
}

}  // namespace
}  // namespace conformance
