// An edit that may not replace what is in force: the last good declaration stays.
#include <gtest/gtest.h>

#include "manager/intent_source.h"

namespace manager {
namespace {

base::ClusterKey key() {
  return {"default", "a"};
}

std::string manifest(const std::string& tls_mode, int size) {
  return "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata: {name: a}\n"
         "spec: {version: 3.5.33, size: " +
         std::to_string(size) + ", tls: {mode: " + tls_mode + "}}\n";
}

FolderLook look_of(const std::string& bytes) {
  FolderLook look;
  FolderFile file;
  file.name = "a.yaml";
  file.bytes = base::Result<std::string>(bytes);
  look.files.push_back(std::move(file));
  return look;
}

TEST(IntentUpdate, RefusedEditKeepsTheLastGoodOneAndSaysWhy) {
  IntentSource source({.folder = "m"});
  source.take(look_of(manifest("Required", 3)), base::Tick{});
  source.take(look_of(manifest("Disabled", 5)), base::Tick{});
  const Wanted& refused = source.wanted().at(key());
  EXPECT_EQ(refused.cluster->spec.tls.mode, api::TlsMode::kRequired);
  EXPECT_EQ(refused.cluster->spec.size, 3);
  EXPECT_EQ(refused.wish, plan::Wish::kPresent);
  EXPECT_NE(refused.problem.find("a.yaml:1: spec.tls.mode: cannot change"), std::string::npos)
      << refused.problem;

  source.take(look_of(manifest("Required", 5)), base::Tick{});
  EXPECT_EQ(source.wanted().at(key()).cluster->spec.size, 5);
  EXPECT_EQ(source.wanted().at(key()).problem, "");
}

}  // namespace
}  // namespace manager
