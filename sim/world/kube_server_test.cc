#include "sim/world/kube_server.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "kube/client.h"
#include "kube/watcher.h"

namespace sim {
namespace {

using base::Code;
using kube::Answer;
using kube::Request;

struct Still final : base::Clock {
  [[nodiscard]] base::Instant now() const override {
    return base::Instant(std::chrono::days(20'000));
  }
  [[nodiscard]] base::Tick tick() const override { return base::Tick(base::Duration(1)); }
};

struct Numbers final : base::Random {
  explicit Numbers(unsigned seed) : engine(seed) {}
  unsigned long long next() override { return engine(); }
  std::mt19937_64 engine;
};

json::Value thing(const std::string& name, json::Object spec = {}, json::Object labels = {}) {
  return json::Object{{"metadata", json::Object{{"name", name}, {"labels", std::move(labels)}}},
                      {"spec", std::move(spec)}};
}

class KubeServerTest : public testing::Test {
 protected:
  Still clock;
  KubeServer server{clock};
  kube::Limiter limiter{clock, {.per_second = 1e6, .burst = 1e6}};
  kube::Client client{{.transport = server, .limiter = limiter, .clock = clock}};

  Answer<json::Value> ask(const Request& request) {
    return client.call(request, base::Duration(5'000), {});
  }
  json::Value must(const Request& request) {
    auto answer = ask(request);
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().text());
    return answer.value_or(json::Value());
  }
  Code code(const Request& request) {
    const auto answer = ask(request);
    return answer ? Code::kInternal : answer.error().code;
  }
  static std::string text(const json::Value& object, std::string_view path) {
    return json::get_string(object, path).value_or("?");
  }
  static std::int64_t number(const json::Value& object, std::string_view path) {
    return json::get_int(object, path).value_or(-1);
  }
};

TEST_F(KubeServerTest, ObjectsHaveVersionsAndGenerations) {
  const auto made = must(create(kube::kStatefulSets, "default", thing("a", {{"replicas", 1}})));
  EXPECT_EQ(number(made, "metadata.generation"), 1);
  EXPECT_EQ(code(create(kube::kStatefulSets, "default", thing("a"))), Code::kAlreadyExists);
  EXPECT_EQ(code(create(kube::kStatefulSets, "nowhere", thing("a"))), Code::kNotFound);
  const kube::Name name{"default", "a"};
  const auto scaled = must(scale(kube::kStatefulSets, name, 3));
  EXPECT_EQ(number(scaled, "metadata.generation"), 2);
  EXPECT_EQ(number(scaled, "spec.replicas"), 3);
  // Nothing changes: no new version.
  EXPECT_EQ(text(must(scale(kube::kStatefulSets, name, 3)), "metadata.resourceVersion"),
            text(scaled, "metadata.resourceVersion"));
  const json::Value status = json::Object{{"status", json::Object{{"x", 1}}}};
  EXPECT_EQ(must(merge_patch(kube::kStatefulSets, name, status)).at("status.x"), nullptr);
  const auto with = must(of_part(merge_patch(kube::kStatefulSets, name, status), "status"));
  EXPECT_EQ(number(with, "status.x"), 1);
  EXPECT_EQ(number(with, "metadata.generation"), 2);
  EXPECT_EQ(code(get(kube::kStatefulSets, {"default", "b"})), Code::kNotFound);
  EXPECT_EQ(code(of_part(merge_patch(kube::kSecrets, name, status), "status")), Code::kNotFound);
}

TEST_F(KubeServerTest, WhoIsLateGetsAConflict) {
  auto made = must(create(kube::kConfigMaps, "default", thing("a")));
  const kube::Name name{"default", "a"};
  const auto old = text(made, "metadata.resourceVersion");
  auto next = made;
  next["data"]["k"] = "1";
  must(replace(kube::kConfigMaps, name, next));
  EXPECT_EQ(code(replace(kube::kConfigMaps, name, made)), Code::kAborted);
  const json::Value patch = json::Object{{"data", json::Object{{"k", "2"}}}};
  EXPECT_EQ(code(merge_patch(kube::kConfigMaps, name, patch, {.resource_version = old})),
            Code::kAborted);
  EXPECT_EQ(code(merge_patch(kube::kConfigMaps, name, patch, {.uid = "u"})), Code::kAborted);
  const json::Array operations{
      json::Object{{"op", "replace"}, {"path", "/data/k"}, {"value", "3"}}};
  EXPECT_EQ(code(json_patch(kube::kConfigMaps, name, operations, {.resource_version = old})),
            Code::kAborted);
  EXPECT_EQ(code(remove(kube::kConfigMaps, name, {.expected = {.resource_version = old}})),
            Code::kAborted);
  EXPECT_EQ(text(must(json_patch(kube::kConfigMaps, name, operations)), "data.k"), "3");
  must(remove(kube::kConfigMaps, name, {.expected = {.uid = text(made, "metadata.uid")}}));
  EXPECT_EQ(code(get(kube::kConfigMaps, name)), Code::kNotFound);
}

TEST_F(KubeServerTest, ApplyKeepsWhatOthersWrote) {
  const kube::Name name{"default", "a"};
  must(apply(kube::kServices, name, thing("a", {{"x", 1}, {"y", 2}}, {{"l", "v"}})));
  must(merge_patch(kube::kServices, name, json::Object{{"spec", json::Object{{"foreign", 9}}}}));
  const auto changed = must(apply(kube::kServices, name, thing("a", {{"x", 5}}, {{"l", "v"}})));
  EXPECT_EQ(number(changed, "spec.x"), 5);
  EXPECT_EQ(changed.at("spec.y"), nullptr);  // ours, and no longer named
  EXPECT_EQ(number(changed, "spec.foreign"), 9);
  // The same name by another kind of write is another owner.
  EXPECT_EQ(code(apply(kube::kServices, name, thing("a", {{"foreign", 8}}), {.force = false})),
            Code::kFailedPrecondition);
  kube::ApplyOptions other{.manager = "other", .force = false};
  const auto refused = ask(apply(kube::kServices, name, thing("a", {{"x", 6}}), other));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  other.force = true;
  EXPECT_EQ(number(must(apply(kube::kServices, name, thing("a", {{"x", 6}}), other)), "spec.x"), 6);
  // It is theirs now: what we no longer name stays.
  const auto left = must(apply(kube::kServices, name, thing("a", {}, {{"l", "v"}})));
  EXPECT_EQ(number(left, "spec.x"), 6);
  const auto dry = must(dry_run(apply(kube::kServices, name, thing("a", {{"z", 1}}))));
  EXPECT_EQ(number(dry, "spec.z"), 1);
  EXPECT_EQ(server.find(kube::kServices, name)->at("spec.z"), nullptr);
}

TEST_F(KubeServerTest, PagesAreOfOneMomentAndExpire) {
  for (int i = 0; i < 5; ++i)
    must(create(kube::kPods, "default",
                thing("p" + std::to_string(i), {}, {{"odd", i % 2 == 1 ? "yes" : "no"}})));
  const auto page = must(list(kube::kPods, "default", {.limit = 2}));
  const auto token = text(page, "metadata.continue");
  must(create(kube::kPods, "default", thing("p9")));
  const auto rest = must(list(kube::kPods, "default", {.limit = 9, .page = token}));
  EXPECT_EQ(rest.at("items")->if_array()->size(), 3U);
  EXPECT_EQ(text(rest, "metadata.resourceVersion"), text(page, "metadata.resourceVersion"));
  server.compact(0);
  const auto gone = ask(list(kube::kPods, "default", {.limit = 9, .page = token}));
  ASSERT_FALSE(gone);
  EXPECT_TRUE(gone.error().expired());
  const auto count = [&](const kube::Selection& selection) {
    return must(list(kube::kPods, "", {.selection = selection})).at("items")->if_array()->size();
  };
  EXPECT_EQ(count({.labels = "odd=yes"}), 2U);
  EXPECT_EQ(count({.labels = "odd!=yes"}), 4U);
  EXPECT_EQ(count({.labels = "odd in (yes, no),odd"}), 5U);
  EXPECT_EQ(count({.labels = "!odd"}), 1U);
  EXPECT_EQ(count({.fields = "metadata.name=p3"}), 1U);
  EXPECT_EQ(code(list(kube::kPods, "", {.selection = {.fields = "spec.x=1"}})),
            Code::kInvalidArgument);
}

TEST_F(KubeServerTest, FinalizersHoldAndOwnersTakeAlong) {
  auto owner = thing("o");
  owner["metadata"]["finalizers"].push_back("x/y");
  const auto made = must(create(kube::kEtcdClusters, "default", owner));
  auto child = thing("c");
  child["metadata"]["ownerReferences"].push_back(json::Object{{"uid", text(made, "metadata.uid")}});
  must(create(kube::kServices, "default", child));
  const kube::Name name{"default", "o"};
  EXPECT_FALSE(server.collect_garbage());
  must(remove(kube::kEtcdClusters, name));
  ASSERT_NE(server.find(kube::kEtcdClusters, name), nullptr);
  EXPECT_FALSE(server.collect_garbage());  // its owner is going, not gone
  const json::Value more =
      json::Object{{"metadata", json::Object{{"finalizers", json::Array{"x/y", "z"}}}}};
  EXPECT_EQ(code(merge_patch(kube::kEtcdClusters, name, more)), Code::kInvalidArgument);
  const json::Value none = json::Object{{"metadata", json::Object{{"finalizers", nullptr}}}};
  must(merge_patch(kube::kEtcdClusters, name, none));
  EXPECT_EQ(server.find(kube::kEtcdClusters, name), nullptr);
  EXPECT_TRUE(server.collect_garbage());
  EXPECT_EQ(server.find(kube::kServices, {"default", "c"}), nullptr);
}

TEST_F(KubeServerTest, ForegroundWaitsAndOrphanLetsGo) {
  for (const bool orphan : {true, false}) {
    const auto made = must(create(kube::kStatefulSets, "default", thing("o")));
    auto child = thing("c", {{"nodeName", "n1"}});
    child["metadata"]["ownerReferences"].push_back(
        json::Object{{"uid", text(made, "metadata.uid")}});
    must(create(kube::kPods, "default", child));
    const kube::Name o{"default", "o"}, c{"default", "c"};
    must(remove(
        kube::kStatefulSets, o,
        {.propagation = orphan ? kube::Propagation::kOrphan : kube::Propagation::kForeground}));
    EXPECT_NE(server.find(kube::kStatefulSets, o), nullptr);
    server.collect_garbage();
    if (orphan) {
      EXPECT_EQ(server.find(kube::kStatefulSets, o), nullptr);
      EXPECT_EQ(server.find(kube::kPods, c)->at("metadata.deletionTimestamp"), nullptr);
      must(remove(kube::kPods, c, {.grace_seconds = 0}));
    } else {
      EXPECT_NE(server.find(kube::kStatefulSets, o), nullptr);  // its pod still ends
      // The collector's own mark on the pod goes first, then its node's word.
      server.pod_ended(c);
      server.collect_garbage();
      EXPECT_EQ(server.find(kube::kStatefulSets, o), nullptr);
    }
    EXPECT_EQ(server.find(kube::kPods, c), nullptr);
  }
}

TEST_F(KubeServerTest, NamespacesEndWhenTheyAreEmpty) {
  must(create(kube::kNamespaces, "", thing("shop")));
  must(create(kube::kPods, "shop", thing("p", {{"nodeName", "n1"}})));
  must(remove(kube::kNamespaces, {"", "shop"}));
  EXPECT_EQ(code(create(kube::kPods, "shop", thing("q"))), Code::kFailedPrecondition);
  server.collect_garbage();
  EXPECT_NE(server.find(kube::kNamespaces, {"", "shop"}), nullptr);
  server.pod_ended({"shop", "p"});
  server.collect_garbage();
  EXPECT_EQ(server.find(kube::kNamespaces, {"", "shop"}), nullptr);
}

TEST_F(KubeServerTest, ABudgetRefusesEviction) {
  must(create(kube::kPods, "default", thing("p", {{"nodeName", "n"}}, {{"a", "b"}})));
  must(of_part(merge_patch(kube::kPods, {"default", "p"},
                           json::Object{{"status", json::Object{{"phase", "Running"}}}}),
               "status"));
  const json::Object selector{{"matchLabels", json::Object{{"a", "b"}}}};
  must(create(kube::kBudgets, "default", thing("pdb", {{"selector", selector}})));
  EXPECT_EQ(code(kube::evict({"default", "p"})), Code::kFailedPrecondition);
  const json::Value allow = json::Object{{"status", json::Object{{"disruptionsAllowed", 1}}}};
  must(of_part(merge_patch(kube::kBudgets, {"default", "pdb"}, allow), "status"));
  must(kube::evict({"default", "p"}));
  EXPECT_NE(server.find(kube::kPods, {"default", "p"})->at("metadata.deletionTimestamp"), nullptr);
  EXPECT_EQ(code(kube::evict({"default", "gone"})), Code::kNotFound);
  // One that never began is nobody's loss.
  must(create(kube::kPods, "default", thing("q", {{"nodeName", "n"}}, {{"a", "b"}})));
  must(kube::evict({"default", "q"}));
}

TEST_F(KubeServerTest, AnswersGetLost) {
  const auto request = create(kube::kPods, "default", thing("p"));
  server.befall("create pods", KubeServer::Fate::kLostRequest);
  EXPECT_TRUE(ask(request).error().may_have_happened());
  EXPECT_EQ(server.find(kube::kPods, {"default", "p"}), nullptr);
  server.befall("create pods", KubeServer::Fate::kLostAnswer);
  EXPECT_TRUE(ask(request).error().may_have_happened());
  EXPECT_NE(server.find(kube::kPods, {"default", "p"}), nullptr);
  EXPECT_EQ(code(request), Code::kAlreadyExists);
  server.befall("list", KubeServer::Fate::kUnavailable);
  EXPECT_EQ(code(list(kube::kPods, "", {})), Code::kUnavailable);
}

// The product's watcher over it, with a lag, compactions and lost answers.
TEST_F(KubeServerTest, AWatchFollows) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    KubeServer world(clock);
    Numbers dice(seed);
    kube::Client through{{.transport = world, .limiter = limiter, .clock = clock}};
    kube::Store store;
    kube::Watcher watcher({.resource = kube::kPods, .selection = {.labels = "a=b"}, .page = 2},
                          store, dice);
    const auto turn = [&] {
      const auto next = watcher.next();
      if (next.doing == kube::Watcher::Doing::kList) {
        watcher.listed(through.call(next.request, base::Duration(5'000), {}), clock.tick());
        return;
      }
      const auto sink = [&](std::string_view bytes) -> base::Status {
        watcher.heard(bytes, clock.tick());
        return {};
      };
      watcher.ended(through.stream(next.request, {}, sink, {}), clock.tick());
    };
    const auto write = [&](const Request& request) {
      static_cast<void>(through.call(request, base::Duration(5'000), {}));
    };
    for (int i = 0; i < 80; ++i) {
      const auto name = fmt::format("p{}", dice.next() % 5);
      const std::string label = dice.next() % 3 == 0 ? "other" : "b";
      write(apply(kube::kPods, {"default", name}, thing(name, {{"n", i}}, {{"a", label}})));
      if (dice.next() % 4 == 0) write(remove(kube::kPods, {"default", name}));
      if (dice.next() % 10 == 0) world.compact(dice.next() % 3);
      if (dice.next() % 10 == 0) world.befall("list", KubeServer::Fate::kLostAnswer);
      world.lag(dice.next() % 3);
      if (dice.next() % 2 == 0) turn();
    }
    world.lag(0);
    world.calm();
    for (int i = 0; i < 20; ++i) turn();
    const auto wanted = *through.list_all(kube::kPods, "", {.selection = {.labels = "a=b"}},
                                          base::Duration(5'000), {});
    const auto& items = *wanted.at("items")->if_array();
    ASSERT_EQ(store.size(), items.size()) << "seed " << seed;
    for (const auto& item : items) {
      const auto held = store.find({"default", text(item, "metadata.name")});
      ASSERT_TRUE(held) << "seed " << seed;
      ASSERT_EQ(*held, item) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace sim
