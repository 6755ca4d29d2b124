#include "drivers/kube/store_place.h"

#include <gtest/gtest.h>

namespace k8s {
namespace {

const std::string kName =
    "20261122T031500Z-8f3a9c02/full-00000000000000000012-20261122T031607Z-0123456789abcdef";

api::ObjectLocation bucket(const std::string& path) {
  api::ObjectLocation out;
  out.kind = "s3";
  out.path = path;
  out.secret = "aws";
  return out;
}

TEST(StorePlace, OneBackupIsKnownByItsName) {
  for (const auto* suffix : {"", ".json", ".db.zst"}) {
    const auto found = named_backup(bucket("b/etcd/shop/c/" + kName + suffix));
    ASSERT_TRUE(found) << suffix;
    EXPECT_EQ(found->at.path, "b/etcd/shop/c");
    EXPECT_EQ(found->at.secret, "aws");
    EXPECT_EQ(found->name, kName);
  }
}

TEST(StorePlace, AFolderIsNoBackup) {
  for (const std::string& path : {std::string("b"), std::string("b/etcd"), std::string("b/full-1"),
                                  "b/" + kName.substr(0, kName.find('/')), kName, kName + ".txt"})
    EXPECT_FALSE(named_backup(bucket(path))) << path;
  auto volume = bucket("b/" + kName);
  volume.kind = "pvc";
  EXPECT_FALSE(named_backup(volume));
}

TEST(StorePlace, TheVolumeOfAClustersOwnBackupsIsReadAsItWasWritten) {
  api::ObjectLocation claim;
  claim.kind = "pvc";
  claim.path = "c-backups";
  const auto own = place_to_read(&claim, {"shop", "c"});
  ASSERT_TRUE(own);
  EXPECT_EQ(own->access.claim, "c-backups");
  EXPECT_TRUE(own->common.direct);
  EXPECT_FALSE(own->access.shared);
  const auto another = place_to_read(&claim, {"shop", "d"});
  ASSERT_TRUE(another);
  EXPECT_FALSE(another->common.direct);
  EXPECT_TRUE(another->access.shared);
}

TEST(StorePlace, ADirectoryOfANodeIsRefused) {
  auto local = bucket("/backups");
  local.kind = "local";
  const auto place = place_of(&local, {"shop", "c"});
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, base::Code::kFailedPrecondition);
}

}  // namespace
}  // namespace k8s
