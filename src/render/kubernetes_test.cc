// Both examples and the variations of tests/golden/kubernetes, each with all its objects as they
// would be written. EO_REWRITE=1 in the environment writes them anew; read the difference.
#include "render/kubernetes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "api/manifest.h"
#include "api/names.h"
#include "api/validate.h"
#include "api/yaml_text.h"

namespace render {
namespace {

namespace fs = std::filesystem;
using json::Value;

std::string slurp(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

api::Cluster cluster_of(const std::string& text) {
  const auto manifest = api::parse_manifest(text, "x.yaml", api::Platform::kKubernetes);
  EXPECT_TRUE(manifest.ok()) << text;
  const auto* cluster = manifest.documents.front().cluster();
  EXPECT_NE(cluster, nullptr);
  auto out = cluster != nullptr ? *cluster : api::Cluster();
  out.uid = "5f1c0e5a-0000-4000-8000-000000000001";
  return out;
}

KubernetesPlatform platform() {
  KubernetesPlatform out;
  out.operator_image = "etcd-operator:1.2.3";
  return out;
}

KubernetesMember member_of(const api::Cluster& cluster) {
  KubernetesMember out;
  out.name = cluster.key.name + "-7";
  out.version = cluster.spec.version;
  out.incarnation = "20261121-k3v9";
  out.volume = "0d9a";
  out.epoch = 2;
  out.cluster_id = {0xabc};
  out.ticket = "format 1.0\nkind ticket\n";
  out.template_hash = "0123456789abcdef";
  out.tls = cluster.spec.tls.mode;
  out.volume_state = VolumeState::kMember;
  out.voter = out.serving = true;
  return out;
}

std::vector<Value> all_objects(const api::Cluster& cluster, const KubernetesMember& member,
                               const KubernetesPlatform& on) {
  std::vector<Value> out{headless_service(cluster), client_service(cluster, member.incarnation),
                         service_account(cluster)};
  if (auto budget = disruption_budget(cluster, cluster.spec.size)) out.push_back(*budget);
  if (auto policy = network_policy(cluster, on)) out.push_back(*policy);
  if (has_claims(cluster.spec, on)) out.push_back(member_claim(cluster, member));
  out.push_back(member_workload(cluster, member, on));
  return out;
}

void expect_golden(const std::string& name, const std::string& manifest) {
  const auto cluster = cluster_of(manifest);
  auto on = platform();
  auto member = member_of(cluster);
  on.default_class = name != "no-default-class";
  member.running = !cluster.spec.hibernate;
  const auto text = api::to_yaml(all_objects(cluster, member, on));
  const fs::path path = "tests/golden/kubernetes/" + name + ".yaml";
  if (std::getenv("EO_REWRITE") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(text, slurp(path)) << path;
}

TEST(Kubernetes, ObjectsOfBothExamples) {
  for (const auto* name : {"production-etcd", "cloud-etcd"})
    expect_golden(name, slurp(std::string("examples/") + name + ".yaml"));
}

TEST(Kubernetes, ObjectsOfTheVariations) {
  size_t count = 0;
  for (const auto& file : fs::directory_iterator("tests/golden/kubernetes")) {
    const auto name = file.path().filename().string();
    if (!name.ends_with(".in.yaml")) continue;
    expect_golden(name.substr(0, name.size() - 8), slurp(file.path()));
    ++count;
  }
  EXPECT_EQ(count, 10U);
}

api::Cluster named(const std::string& name, api::Group group = api::Group::kOperatorEtcdIo) {
  auto out = cluster_of(
      "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata: {name: x}\n"
      "spec: {size: 3, version: 3.5.33, networkPolicy: true}\n");
  out.key.name = name;
  out.group = group;
  return out;
}

// "Kind/name" of everything that is made for a cluster, by its members 0 to 12.
std::set<std::string> made_for(const api::Cluster& cluster) {
  std::set<std::string> out;
  const api::ObjectNames names{cluster.key.name};
  for (const auto& secret : {names.client_ca(), names.peer_ca(), names.server_tls(),
                             names.peer_tls(), names.client_tls(), names.operator_tls()})
    out.insert("Secret/" + secret);
  out.insert("ConfigMap/" + names.record());
  out.insert("PersistentVolumeClaim/" + names.backups());
  for (int ordinal = 0; ordinal <= 12; ++ordinal) {
    auto member = member_of(cluster);
    member.name = cluster.key.name + "-" + std::to_string(ordinal);
    out.insert("Pod/" + api::pod_of_member(member.name));
    for (const auto& object : all_objects(cluster, member, platform()))
      out.insert(*object.find("kind")->if_string() + "/" +
                 *object.at("metadata.name")->if_string());
  }
  return out;
}

TEST(Kubernetes, ClustersThatMayLiveTogetherShareNoObject) {
  std::vector<api::Cluster> clusters;
  for (const auto* name :
       {"a",          "a-0",          "a-1-0",          "a-12",          "a-b",
        "a-ca",       "a-peer-ca",    "a-record",       "a-backups",     "a-server-tls",
        "a-peer-tls", "a-client-tls", "a-operator-tls", "a-tls",         "data-a",
        "data-a-0",   "aa",           "a-clients",      "etcd-operator", "a-client-tls-ca"}) {
    EXPECT_FALSE(api::check_cluster_name(name)) << name;
    clusters.push_back(named(name));
  }
  clusters.push_back(named("a", api::Group::kCoreOs));
  clusters.push_back(named("b", api::Group::kCoreOs));
  std::vector<std::set<std::string>> made;
  for (const auto& cluster : clusters) made.push_back(made_for(cluster));
  size_t together = 0;
  for (size_t i = 0; i < clusters.size(); ++i)
    for (size_t k = i + 1; k < clusters.size(); ++k) {
      const std::vector<api::Cluster> pair{clusters[i], clusters[k]};
      if (!api::find_name_conflicts(pair).empty()) continue;
      for (const auto& object : made[i])
        EXPECT_FALSE(made[k].contains(object))
            << clusters[i].key.name << " " << clusters[k].key.name << " " << object;
      ++together;
    }
  EXPECT_GT(together, 100U);
  const std::vector<api::Cluster> twins{named("a"), named("a", api::Group::kCoreOs)};
  EXPECT_EQ(api::find_name_conflicts(twins).size(), 1U);
  EXPECT_TRUE(api::check_cluster_name("a-client"));
}

// What a selector or a label may be at most, also for the longest name and a high ordinal.
TEST(Kubernetes, NamesFitIntoTheLimits) {
  const auto cluster = named(std::string(45, 'a'));
  EXPECT_FALSE(api::check_cluster_name(cluster.key.name));
  auto member = member_of(cluster);
  member.name = cluster.key.name + "-99999";
  for (const auto& object : all_objects(cluster, member, platform())) {
    const auto& name = *object.at("metadata.name")->if_string();
    // The revision of a StatefulSet is a label: its name and eleven characters.
    const bool workload = *object.find("kind") == Value("StatefulSet");
    EXPECT_LE(name.size(), workload ? 52U : 63U) << name;
    for (const auto& [key, value] : *object.at("metadata.labels")->if_object())
      EXPECT_LE(value.if_string()->size(), 63U) << key;
  }
}

TEST(Kubernetes, BudgetKeepsAQuorumOfTheLargerSize) {
  auto cluster = named("a");
  const auto least = [&](int live) {
    const auto budget = disruption_budget(cluster, live);
    return budget ? *budget->at("spec.minAvailable")->as_int() : 0;
  };
  EXPECT_EQ(least(3), 2);
  EXPECT_EQ(least(5), 3);  // on the way from five to three
  EXPECT_EQ(least(1), 2);  // on the way from one to three
  cluster.spec.size = 2;
  EXPECT_EQ(least(2), 0);
  EXPECT_EQ(least(3), 2);
}

TEST(Kubernetes, DataHaveNoOwner) {
  const auto cluster = named("a");
  EXPECT_EQ(member_claim(cluster, member_of(cluster)).at("metadata.ownerReferences"), nullptr);
  EXPECT_NE(headless_service(cluster).at("metadata.ownerReferences"), nullptr);
}

TEST(Kubernetes, CertificatesCoverMembersThatDoNotExistYet) {
  auto cluster = named("a");
  cluster.key.ns = "shop";
  const auto names = certificate_names(cluster, platform());
  for (const auto* wanted : {"*.a.shop.svc", "*.a.shop.svc.cluster.local", "a-client",
                             "a-client.shop.svc.cluster.local", "localhost"})
    EXPECT_NE(std::ranges::find(names, wanted), names.end()) << wanted;
}

TEST(Kubernetes, PeersAlwaysUseTlsAndClientsAsTheMemberTakesThem) {
  const auto cluster = named("a");
  auto member = member_of(cluster);
  member.name = "a-41";
  const std::string at = "a-41-0.a.default.svc.cluster.local";
  const std::pair<api::TlsMode, std::string> modes[] = {
      {api::TlsMode::kRequired, "https://" + at + ":2379"},
      {api::TlsMode::kMigrating, "https://" + at + ":2379,http://" + at + ":2379"},
      {api::TlsMode::kDisabled, "http://" + at + ":2379"}};
  for (const auto& [mode, client] : modes) {
    member.tls = mode;
    const auto addresses = kubernetes_addresses(cluster, member, platform());
    EXPECT_EQ(addresses.advertise_client, client);
    EXPECT_EQ(addresses.advertise_peer, "https://" + at + ":2380");
    EXPECT_EQ(kubernetes_tls_paths(mode).server.cert.empty(), mode == api::TlsMode::kDisabled);
    EXPECT_FALSE(kubernetes_tls_paths(mode).peer.cert.empty());
  }
}

}  // namespace
}  // namespace render
