// EO_REWRITE=1 in the environment writes tests/golden/kubernetes/jobs.yaml anew; read the
// difference.
#include "render/store_jobs.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "api/manifest.h"
#include "api/yaml_text.h"
#include "json/json.h"
#include "render/kubernetes_parts.h"

namespace render {
namespace {

using json::Value;

std::string slurp(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

api::Cluster cluster_of(const std::string& text) {
  const auto manifest = api::parse_manifest(text, "x.yaml", api::Platform::kKubernetes);
  EXPECT_TRUE(manifest.ok()) << text;
  auto out = *manifest.documents.front().cluster();
  out.uid = "5f1c0e5a-0000-4000-8000-000000000001";
  return out;
}

KubernetesPlatform platform() {
  KubernetesPlatform out;
  out.operator_image = "etcd-operator:1.2.3";
  return out;
}

StoreJob backup_to_a_bucket() {
  StoreJob out;
  out.kind = "backup";
  out.epoch = 7;
  out.words = {"archive", "run"};
  out.file = "{\"epoch\":7}";
  out.store.secret = "aws-secret";
  out.client = true;
  return out;
}

TEST(StoreJobs, Golden) {
  const auto cloud = cluster_of(slurp("examples/cloud-etcd.yaml"));
  const auto production = cluster_of(slurp("examples/production-etcd.yaml"));
  auto into_a_volume = backup_to_a_bucket();
  into_a_volume.store = {.claim = "production-etcd-backups",
                         .encryption_secret = "keys",
                         .encryption_key = "backups.key"};
  StoreJob fetch;
  fetch.kind = "fetch";
  fetch.epoch = 1;
  fetch.words = {"archive", "fetch"};
  fetch.file = "{\"name\":\"x\"}";
  fetch.store.secret = "aws-secret";
  StoreJob with_etcd = fetch;
  with_etcd.kind = "drill";
  with_etcd.words = {"archive", "drill"};
  with_etcd.etcd = cloud.spec.version;
  StoreJob follower = into_a_volume;
  follower.kind = "follow";
  follower.words = {"archive", "follow"};
  follower.deadline.reset();
  follower.notes[std::string(kToldAnnotation)] = "5f1c";
  KubernetesMember first;
  first.name = "cloud-etcd-0";
  first.version = cloud.spec.version;
  first.ticket = "format 1.0\nkind ticket\n";
  first.fetch = FetchedBackup{{.secret = "aws-secret"}, "{\"name\":\"x\"}"};
  const auto text = api::to_yaml(std::vector<Value>{
      store_job(cloud, backup_to_a_bucket(), platform()), backups_claim(production, nullptr),
      store_job(production, into_a_volume, platform()), store_job(cloud, fetch, platform()),
      store_job(cloud, with_etcd, platform()), store_job(production, follower, platform()),
      member_workload(cloud, first, platform())});
  const std::string path = "tests/golden/kubernetes/jobs.yaml";
  if (std::getenv("EO_REWRITE") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(text, slurp(path));
}

// Of members' own objects none may find them: no Service, no budget, no rule of placement.
TEST(StoreJobs, PodsAreNoMembers) {
  const auto job =
      store_job(cluster_of(slurp("examples/cloud-etcd.yaml")), backup_to_a_bucket(), platform());
  const auto* labels = job.at("spec.template.metadata.labels");
  ASSERT_NE(labels, nullptr);
  EXPECT_EQ(labels->find(kClusterLabel), nullptr);
  EXPECT_EQ(labels->find(kMemberLabel), nullptr);
  EXPECT_NE(labels->find(kJobOfLabel), nullptr);
}

TEST(StoreJobs, TheUsersCertificatesAndPlacementAreTheJobs) {
  auto cluster = cluster_of(
      "apiVersion: etcd.database.coreos.com/v1beta2\nkind: EtcdCluster\nmetadata: {name: x}\n"
      "spec:\n  size: 3\n  version: 3.5.33\n  TLS:\n    static:\n"
      "      member: {peerSecret: p, serverSecret: s}\n      operatorSecret: o\n"
      "  pod:\n    nodeSelector: {disk: fast}\n    tolerations: [{key: etcd}]\n");
  const auto job = store_job(cluster, backup_to_a_bucket(), platform());
  const auto text = json::print(job);
  EXPECT_NE(text.find("\"secretName\":\"o\""), std::string::npos) << text;
  EXPECT_NE(text.find("etcd-client-ca.crt"), std::string::npos);
  EXPECT_NE(job.at("spec.template.spec.nodeSelector.disk"), nullptr);
  EXPECT_NE(job.at("spec.template.spec.tolerations"), nullptr);
}

// It runs for as long as its cluster: nothing ends it but what it says, its node, or we.
TEST(StoreJobs, OneWithoutAnEndHasNoDeadlineAndLeavesANodeThatIsAway) {
  auto cluster = cluster_of(
      "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata: {name: x}\n"
      "spec:\n  size: 3\n  version: 3.6.16\n"
      "  podTemplate: {spec: {tolerations: [{key: etcd, operator: Exists}]}}\n");
  auto wish = backup_to_a_bucket();
  EXPECT_NE(store_job(cluster, wish, platform()).at("spec.activeDeadlineSeconds"), nullptr);
  wish.deadline.reset();
  const auto job = store_job(cluster, wish, platform());
  EXPECT_EQ(job.at("spec.activeDeadlineSeconds"), nullptr);
  const auto* tolerations = job.at("spec.template.spec.tolerations");
  ASSERT_NE(tolerations, nullptr);
  EXPECT_EQ(tolerations->if_array()->size(), 3U) << json::print(*tolerations);
  EXPECT_EQ(job.at("spec.template.metadata.labels")->find(kHasBackupsLabel), nullptr);
}

TEST(StoreJobs, NamesFitIntoTheLimits) {
  EXPECT_LE(job_name(std::string(45, 'a'), "backup", 1'000'000'000).size(), 63U);
}

TEST(StoreJobs, TheVolumeIsAsLargeAsAMembersUnlessItSaysMore) {
  auto cluster = cluster_of(slurp("examples/production-etcd.yaml"));
  const auto claim = backups_claim(cluster, nullptr);
  EXPECT_EQ(json::get_string(claim, "spec.resources.requests.storage").value_or(""), "10Gi");
  EXPECT_EQ(json::get_string(claim, "spec.storageClassName").value_or(""), "standard");
  EXPECT_EQ(claim.at("metadata.ownerReferences"), nullptr) << "it outlives its cluster";
  api::ObjectLocation wish;
  wish.kind = "pvc";
  wish.volume_bytes = std::int64_t{512} << 20;
  wish.storage_class = "slow";
  const auto wished = backups_claim(cluster, &wish);
  EXPECT_EQ(json::get_string(wished, "spec.resources.requests.storage").value_or(""), "512Mi");
  EXPECT_EQ(json::get_string(wished, "spec.storageClassName").value_or(""), "slow");
}

}  // namespace
}  // namespace render
