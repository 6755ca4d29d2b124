// The operator's loop in one thread: what is declared at the fake API server, the shipping intents,
// reconcilers, planner and driver, and one node of fakes.
#include "manager/kube_manager.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "conformance/kube_bench.h"
#include "engine/queue.h"
#include "manager/kube_clusters.h"
#include "render/crds.h"
#include "sim/world/operator.h"

namespace conformance {
namespace {

using namespace std::chrono_literals;

class KubeManagerStory : public testing::Test {
 protected:
  KubeManagerStory() {
    for (const char* v : {"3.5.12", "3.5.33", "3.6.16"}) node.world.binaries.insert(v);
    restart();
  }
  // An empty memory: as after a crash, or in a new term.
  void restart() {
    clusters.reset();
    platform = machine.platform(random, log);
    clusters.emplace(manager::KubeClusters::Parts{*platform, node.client, node.clock, random, log,
                                                  registry, &plan::plan, [this] { return term; }});
  }
  void turn() {
    node.turn();
    platform->look({});
    clusters->take();
    for (const auto& key : clusters->keys()) ASSERT_TRUE(queue.wake(key));
    while (const auto key = queue.try_take()) {
      const auto again = clusters->work(*key, {});
      if (!again) problems.push_back(again.error().text());
      queue.done(*key, again.value_or(std::nullopt));
    }
  }
  bool run_until(const std::function<bool()>& reached, base::Duration limit = 120s) {
    const auto until = node.world.now() + limit;
    while (node.world.now() < until) {
      turn();
      if (reached()) return true;
      node.let_pass(250ms);
    }
    std::string said;
    for (const auto& problem : problems) said += problem + "\n";
    for (const auto* resource : {&kube::kEtcdClusters, &kube::kCoreosClusters})
      for (const auto& object : node.all(*resource))
        said += json::print(object, json::Style::kPretty) + "\n";
    ADD_FAILURE() << "not reached; " << said;
    return false;
  }

  json::Value declare(const kube::Resource& resource, const std::string& name, json::Object spec) {
    return node.must(kube::create(resource, "default",
                                  json::Object{{"apiVersion", resource.api_version()},
                                               {"kind", resource.kind},
                                               {"metadata", json::Object{{"name", name}}},
                                               {"spec", std::move(spec)}}));
  }
  void edit(const kube::Resource& resource, const std::string& name, json::Object spec) {
    node.must(
        kube::merge_patch(resource, {"default", name}, json::Object{{"spec", std::move(spec)}}));
  }
  const json::Value* find(const kube::Resource& resource, const std::string& name) {
    return node.server.find(resource, {"default", name});
  }
  std::string text(const kube::Resource& resource, const std::string& name, std::string_view path) {
    const auto* object = find(resource, name);
    return object == nullptr ? "" : json::get_string(*object, path).value_or("");
  }
  std::int64_t number(const std::string& name, std::string_view path) {
    const auto* object = find(kube::kEtcdClusters, name);
    return object == nullptr ? -1 : json::get_int(*object, path).value_or(-1);
  }
  // "True", "False", "Unknown"; empty: nothing is said.
  std::string condition(const kube::Resource& resource, const std::string& name,
                        std::string_view type) {
    const auto* object = find(resource, name);
    const auto* all = object == nullptr ? nullptr : object->at("status.conditions");
    if (all == nullptr || !all->is_array()) return {};
    for (const auto& one : *all->if_array())
      if (json::get_string(one, "type").value_or("") == type)
        return json::get_string(one, "status").value_or("");
    return {};
  }
  bool serves(const std::string& name, std::int64_t size) {
    const auto* own = find(kube::kEtcdClusters, name);
    return own != nullptr && condition(kube::kEtcdClusters, name, "Available") == "True" &&
           number(name, "status.readyReplicas") == size &&
           number(name, "status.observedGeneration") == number(name, "metadata.generation") &&
           find(kube::kServices, name + "-client") != nullptr &&
           condition(kube::kEtcdClusters, name, "Progressing") == "False";
  }
  size_t count(const kube::Resource& resource) { return node.all(resource).size(); }

  KubeNode node;
  WorldMachine machine{node};
  sim::NoLog log;
  sim::WorldRandom random{node.world};
  metrics::Registry registry;
  std::optional<std::int64_t> term = 1;
  engine::Queue queue{node.clock, random, {}};
  std::unique_ptr<k8s::Platform> platform;
  std::optional<manager::KubeClusters> clusters;
  std::vector<std::string> problems;
};

TEST_F(KubeManagerStory, DeclaredServedEditedAndDeletedWithItsData) {
  declare(kube::kEtcdClusters, "c",
          {{"size", 3},
           {"version", "v3.5.33"},
           {"persistentVolumeClaimRetentionPolicy", json::Object{{"whenDeleted", "Delete"}}}});
  ASSERT_TRUE(run_until([&] { return serves("c", 3); }));
  EXPECT_EQ(count(kube::kStatefulSets), 3U);
  EXPECT_EQ(count(kube::kPods), 3U);
  EXPECT_EQ(count(kube::kClaims), 3U);
  EXPECT_FALSE(text(kube::kEtcdClusters, "c", "status.selector").empty());
  EXPECT_FALSE(text(kube::kEtcdClusters, "c", "status.clusterID").empty());
  EXPECT_GT(count(kube::kEvents), 0U);
  restart();
  edit(kube::kEtcdClusters, "c", {{"size", 1}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  EXPECT_EQ(count(kube::kPods), 1U);
  node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  ASSERT_NE(find(kube::kEtcdClusters, "c"), nullptr) << "it stays until its volumes are gone";
  restart();
  ASSERT_TRUE(run_until([&] { return find(kube::kEtcdClusters, "c") == nullptr; }));
  ASSERT_TRUE(run_until([&] { return count(kube::kSecrets) == 0; }));
  for (const auto* resource : {&kube::kPods, &kube::kStatefulSets, &kube::kClaims, &kube::kServices,
                               &kube::kConfigMaps, &kube::kBudgets})
    EXPECT_EQ(count(*resource), 0U) << resource->kind;
}

TEST_F(KubeManagerStory, WhatIsKeptGoesOnUnderTheSameName) {
  declare(kube::kEtcdClusters, "c", {{"size", 3}, {"version", "3.5.33"}});
  ASSERT_TRUE(run_until([&] { return serves("c", 3); }));
  const auto id = text(kube::kEtcdClusters, "c", "status.clusterID");
  node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  EXPECT_EQ(find(kube::kEtcdClusters, "c"), nullptr) << "nothing holds it back";
  ASSERT_TRUE(run_until([&] { return count(kube::kPods) == 0; }));
  EXPECT_EQ(count(kube::kClaims), 3U);
  declare(kube::kEtcdClusters, "c", {{"size", 3}, {"version", "3.5.33"}});
  ASSERT_TRUE(run_until([&] { return serves("c", 3); }));
  EXPECT_EQ(text(kube::kEtcdClusters, "c", "status.clusterID"), id);
}

TEST_F(KubeManagerStory, AnEditThatIsWrongLeavesTheLastGoodOneInForce) {
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.33"}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  edit(kube::kEtcdClusters, "c", {{"version", "2.0.0"}});
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "SpecValid") == "False"; }));
  EXPECT_EQ(condition(kube::kEtcdClusters, "c", "Available"), "True");
  EXPECT_EQ(count(kube::kPods), 1U);
  edit(kube::kEtcdClusters, "c", {{"version", "3.5.33"}});
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "SpecValid") == "True"; }));
}

TEST_F(KubeManagerStory, WhatWasNeverValidIsToldAndNotTouched) {
  declare(kube::kEtcdClusters, "c", {{"size", 3}, {"version", "2.0.0"}});
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "SpecValid") == "False"; }));
  const auto before = node.server.changes();
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(node.server.changes(), before) << "it is told once";
  EXPECT_EQ(count(kube::kStatefulSets), 0U);
}

TEST_F(KubeManagerStory, OneNameInBothGroupsIsTheOldersAlone) {
  declare(kube::kCoreosClusters, "c", {{"size", 1}, {"version", "3.5.33"}});
  // In CoreOS's own shape.
  ASSERT_TRUE(
      run_until([&] { return text(kube::kCoreosClusters, "c", "status.phase") == "Running"; }));
  node.let_pass(1s);
  declare(kube::kEtcdClusters, "c", {{"size", 3}, {"version", "3.5.33"}});
  restart();
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "NameConflict") == "True"; }));
  EXPECT_EQ(count(kube::kPods), 1U);
  node.must(kube::remove(kube::kCoreosClusters, {"default", "c"}));
  ASSERT_TRUE(run_until([&] { return serves("c", 3); }));
}

TEST_F(KubeManagerStory, WhoDoesNotLeadWritesNothing) {
  term = std::nullopt;
  declare(kube::kEtcdClusters, "c", {{"size", 3}, {"version", "3.5.33"}});
  const auto before = node.server.changes();
  for (int i = 0; i < 5; ++i) {
    turn();
    node.let_pass(1s);
  }
  EXPECT_EQ(node.server.changes(), before);
  term = 2;
  ASSERT_TRUE(run_until([&] { return serves("c", 3); }));
}

TEST_F(KubeManagerStory, ADeletionThatIsForbiddenIsHeldBackUntilItIsAllowed) {
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.33"}});
  const auto note = [&](json::Value value) {
    json::Object annotations;
    annotations["operator.etcd.io/protect"] = std::move(value);
    node.must(kube::merge_patch(
        kube::kEtcdClusters, {"default", "c"},
        json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}}}));
  };
  note("true");
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  for (int i = 0; i < 10; ++i) {
    turn();
    node.let_pass(1s);
  }
  EXPECT_EQ(count(kube::kPods), 1U);
  ASSERT_NE(find(kube::kEtcdClusters, "c"), nullptr);
  note(json::Value());
  ASSERT_TRUE(run_until([&] { return find(kube::kEtcdClusters, "c") == nullptr; }));
  EXPECT_EQ(count(kube::kClaims), 1U) << "the policy keeps its data";
}

TEST_F(KubeManagerStory, AnOlderSchemaIsRefused) {
  EXPECT_EQ(manager::check_schemas(node.client, {}).error().code, base::Code::kFailedPrecondition);
  std::string last;
  for (const auto& file : render::crds()) {
    node.must(kube::create(kube::kDefinitions, "", file.crd));
    last = json::get_string(file.crd, "metadata.name").value_or("");
  }
  EXPECT_TRUE(manager::check_schemas(node.client, {}));
  json::Object annotations;
  annotations["operator.etcd.io/schema"] = json::Value();
  node.must(kube::merge_patch(
      kube::kDefinitions, {"", last},
      json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}}}));
  const auto old = manager::check_schemas(node.client, {});
  ASSERT_FALSE(old);
  EXPECT_NE(old.error().message.find(last), std::string::npos);
}

}  // namespace
}  // namespace conformance
