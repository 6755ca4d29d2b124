#include "api/validate.h"

#include <gtest/gtest.h>

#include "api/manifest.h"

namespace api {
namespace {

Cluster cluster(const std::string& name, const std::string& rest = "") {
  const auto manifest = parse_manifest(
      "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata: {name: " + name +
          "}\nspec:\n  size: 3\n  version: 3.5.33\n" + rest,
      "t.yaml", Platform::kHost);
  EXPECT_TRUE(manifest.ok()) << testing::PrintToString(manifest.lines(Severity::kError));
  return *manifest.documents.at(0).cluster();
}

Cluster coreos(const std::string& name) {
  const auto manifest = parse_manifest(
      "apiVersion: etcd.database.coreos.com/v1beta2\nkind: EtcdCluster\nmetadata: {name: " + name +
          "}\nspec: {size: 3}\n",
      "t.yaml", Platform::kHost);
  EXPECT_TRUE(manifest.ok());
  return *manifest.documents.at(0).cluster();
}

std::string claim(const std::string& storage_class, const std::string& size) {
  return "  storage: {spec: {storageClassName: " + storage_class +
         ", resources: {requests: {storage: " + size + "}}}}\n";
}

TEST(ValidateUpdate, VolumesGrowAndNeverShrink) {
  EXPECT_TRUE(
      validate_update(cluster("a", claim("s", "1Gi")), cluster("a", claim("s", "2Gi"))).empty());
  const auto problems =
      validate_update(cluster("a", claim("s", "2Gi")), cluster("a", claim("s", "1Gi")));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity, Severity::kError);
  EXPECT_EQ(problems[0].text(), "spec.storage: 1Gi is less than 2Gi: volumes never shrink");
}

TEST(ValidateUpdate, StorageClassHoldsForNewMembersOnly) {
  const auto problems =
      validate_update(cluster("a", claim("s", "1Gi")), cluster("a", claim("t", "1Gi")));
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_EQ(problems[0].severity, Severity::kWarning);
}

TEST(ValidateUpdate, BetweenPlainTextAndTlsLiesMigrating) {
  const auto off = cluster("a", "  tls: {mode: Disabled}\n");
  const auto both = cluster("a", "  tls: {mode: Migrating}\n");
  EXPECT_EQ(validate_update(cluster("a"), off).at(0).path, "spec.tls.mode");
  EXPECT_EQ(validate_update(off, cluster("a")).size(), 1U);
  EXPECT_TRUE(validate_update(cluster("a"), both).empty());
  EXPECT_TRUE(validate_update(both, off).empty());
  auto old = off;
  old.spec.version.minor = 4;
  EXPECT_NE(validate_update(old, both).at(0).message.find("upgrade first"), std::string::npos);
  EXPECT_TRUE(validate_update(off, off).empty());
}

TEST(ValidateUpdate, WhoseCertificatesTheyAreStays) {
  const std::string two = "  tls: {provider: secrets, static: {member: {peerSecret: p}}}\n";
  const std::string other = "  tls: {provider: secrets, static: {member: {peerSecret: q}}}\n";
  EXPECT_EQ(validate_update(cluster("a"), cluster("a", two)).at(0).path, "spec.tls.provider");
  EXPECT_EQ(validate_update(cluster("a", two), cluster("a")).size(), 1U);
  EXPECT_TRUE(validate_update(cluster("a", two), cluster("a", other)).empty());
}

TEST(ValidateUpdate, GroupAndStorageTypeStay) {
  EXPECT_FALSE(validate_update(cluster("a"), coreos("a")).empty());
  EXPECT_EQ(validate_update(cluster("a"), cluster("a", "  storage: {type: EmptyDir}\n")).at(0).path,
            "spec.storage.type");
}

TEST(NameConflicts, AcrossGroupsAndDerivedNames) {
  const std::vector<Cluster> clusters{cluster("a"),   coreos("a"),          cluster("b"),
                                      cluster("a-3"), cluster("b-backups"), cluster("a3")};
  const auto conflicts = find_name_conflicts(clusters);
  ASSERT_EQ(conflicts.size(), 4U);
  EXPECT_EQ(conflicts[0].loser, 1U);
  EXPECT_EQ(conflicts[0].winner, 0U);
  EXPECT_EQ(conflicts[1].loser, 3U);
  EXPECT_EQ(conflicts[2].loser, 3U) << "of the other a";
  EXPECT_EQ(conflicts[3].loser, 4U);
}

TEST(NameConflicts, WhatIsInForceWins) {
  const auto conflicts = find_name_conflicts(std::vector{cluster("a"), coreos("a")}, {false, true});
  ASSERT_EQ(conflicts.size(), 1U);
  EXPECT_EQ(conflicts[0].loser, 0U);
  EXPECT_EQ(conflicts[0].winner, 1U);
}

TEST(NameConflicts, OtherNamespacesAreOther) {
  auto other = coreos("a");
  other.key.ns = "elsewhere";
  EXPECT_TRUE(find_name_conflicts(std::vector{cluster("a"), other}).empty());
}

}  // namespace
}  // namespace api
