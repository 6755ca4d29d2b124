// Declared, served, edited and deleted.
#include "manager/kube_manager.h"

#include "conformance/kube_manager_bench.h"
#include "render/crds.h"

namespace conformance {
namespace {

using namespace std::chrono_literals;

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

TEST_F(KubeManagerStory, TheOneWithoutTheNameCanBeDeleted) {
  declare(kube::kCoreosClusters, "c", {{"size", 1}, {"version", "3.5.33"}});
  ASSERT_TRUE(
      run_until([&] { return text(kube::kCoreosClusters, "c", "status.phase") == "Running"; }));
  declare(kube::kEtcdClusters, "c", {{"size", 3}, {"version", "3.5.33"}});
  json::Object metadata{{"finalizers", json::Array{std::string(manager::kFinalizer)}}};
  node.must(kube::merge_patch(kube::kEtcdClusters, {"default", "c"},
                              json::Object{{"metadata", std::move(metadata)}}));
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "NameConflict") == "True"; }));
  node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  ASSERT_TRUE(run_until([&] { return find(kube::kEtcdClusters, "c") == nullptr; }));
  EXPECT_EQ(count(kube::kPods), 1U);
  EXPECT_EQ(count(kube::kClaims), 1U);
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

TEST_F(KubeManagerStory, ALeaseThatLapsedAndIsHadAgainForgetsNoCluster) {
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.33"}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  const base::ClusterKey key{"default", "c"};
  const auto before = clusters->last(key);
  term = std::nullopt;
  // Each appointment comes up in the meantime; nothing that is declared changes.
  for (int i = 0; i < 60; ++i) {
    node.let_pass(1s);
    serve();
  }
  ASSERT_TRUE(queue.wake(key));
  serve();
  EXPECT_EQ(clusters->last(key), before);
  term = 1;
  for (int i = 0; i < 10 && clusters->last(key) == before; ++i) {
    node.let_pass(1s);
    serve();
  }
  EXPECT_NE(clusters->last(key), before) << "it was looked at again";
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

TEST_F(KubeManagerStory, ADeletionWhileNobodyRanIsCarriedOut) {
  declare(kube::kEtcdClusters, "c",
          {{"size", 1},
           {"version", "v3.5.33"},
           {"persistentVolumeClaimRetentionPolicy", json::Object{{"whenDeleted", "Delete"}}}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  node.let_pass(1h);
  restart();
  ASSERT_TRUE(run_until([&] { return find(kube::kEtcdClusters, "c") == nullptr; }));
  EXPECT_TRUE(run_until([&] { return count(kube::kClaims) == 0; }));
}

TEST_F(KubeManagerStory, ADeletionThatCannotBeFinishedIsGivenUpAndTold) {
  declare(kube::kEtcdClusters, "c",
          {{"size", 1},
           {"version", "v3.5.33"},
           {"persistentVolumeClaimRetentionPolicy", json::Object{{"whenDeleted", "Delete"}}}});
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  node.kubelet_is_silent = true;  // no pod ever ends
  node.must(kube::remove(kube::kEtcdClusters, {"default", "c"}));
  const auto began = node.world.now();
  for (int i = 0; i < 200 && find(kube::kEtcdClusters, "c") != nullptr; ++i) {
    turn();
    node.let_pass(10s);
  }
  ASSERT_EQ(find(kube::kEtcdClusters, "c"), nullptr);
  EXPECT_GT(node.world.now() - began, base::Duration(15min));
  EXPECT_EQ(count(kube::kClaims), 1U);
  const auto events = node.all(kube::kEvents);
  EXPECT_TRUE(std::ranges::any_of(events, [](const auto& event) {
    return json::get_string(event, "reason").value_or("") == "DeletionGivenUp" &&
           json::get_string(event, "type").value_or("") == "Warning";
  }));
}

TEST_F(KubeManagerStory, ObjectsOfOthersAreToldUntilTheyAreGone) {
  const auto theirs = [&](const kube::Resource& resource, const char* name) {
    node.must(kube::create(resource, "default",
                           json::Object{{"metadata", json::Object{{"name", name}}}}));
  };
  const auto told = [&] {
    return condition(kube::kEtcdClusters, "c", "ForeignObjects", "message");
  };
  theirs(kube::kServices, "c");
  declare(kube::kEtcdClusters, "c", {{"size", 1}, {"version", "3.5.33"}});
  ASSERT_TRUE(
      run_until([&] { return condition(kube::kEtcdClusters, "c", "ForeignObjects") == "True"; }));
  EXPECT_NE(told().find("Service default/c is there"), std::string::npos) << told();
  EXPECT_EQ(count(kube::kPods), 0U);
  theirs(kube::kClaims, "data-c-0");
  node.must(kube::remove(kube::kServices, {"default", "c"}));
  ASSERT_TRUE(run_until([&] { return told().find("data-c-0 is there") != std::string::npos; }));
  node.must(kube::remove(kube::kClaims, {"default", "data-c-0"}));
  ASSERT_TRUE(run_until([&] { return serves("c", 1); }));
  EXPECT_EQ(condition(kube::kEtcdClusters, "c", "ForeignObjects"), "") << "it is said no more";
}

TEST_F(KubeManagerStory, DataWithoutAVolumeIsToldForAsLongAsItIsSo) {
  declare(kube::kEtcdClusters, "a",
          {{"size", 1}, {"version", "3.5.33"}, {"storage", json::Object{{"type", "EmptyDir"}}}});
  declare(kube::kEtcdClusters, "b", {{"size", 1}, {"version", "3.5.33"}});
  ASSERT_TRUE(run_until([&] { return serves("a", 1) && serves("b", 1); }));
  EXPECT_EQ(condition(kube::kEtcdClusters, "a", "EphemeralStorage"), "True");
  EXPECT_EQ(condition(kube::kEtcdClusters, "b", "EphemeralStorage"), "");
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
