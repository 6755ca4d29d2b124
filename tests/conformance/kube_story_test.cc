// The shipping reconciler and planner over the driver for Kubernetes: a cluster's life on one node
// of fakes.
#include <gtest/gtest.h>

#include <algorithm>

#include "conformance/kube_bench.h"
#include "sim/world/operator.h"

namespace conformance {
namespace {

using namespace std::chrono_literals;

class KubeStory : public testing::Test {
 protected:
  KubeStory() {
    for (const char* v : {"3.5.33", "3.6.16"}) bench.node.world.binaries.insert(v);
    bench.intent().template_hash = "t1";
    restart();
  }
  // An empty memory: as after a crash.
  void restart() {
    reconciler.reset();
    bench.reopen();
    bench.refresh();
    driver = &bench.driver();
    reconciler.emplace(engine::Reconciler::Parts{bench.intent().cluster.key, *driver,
                                                 bench.node.clock, random, log, &plan::plan});
  }
  plan::Record record() {
    return reconciler->last() ? reconciler->last()->plan.record : plan::Record{};
  }
  base::Duration pass() {
    bench.refresh();
    const auto again = reconciler->pass(bench.intent(), {}).value_or(200ms);
    if (const auto last = reconciler->last(); last && !last->plan.record.incarnation.empty()) {
      bench.refresh();
      const auto tended = driver->tend({bench.intent(), last->plan.record}, {});
      EXPECT_TRUE(tended) << (tended ? "" : tended.error().text());
    }
    return again;
  }
  bool healthy(int size) {
    const auto last = reconciler->last();
    return last && last->plan.status.ready_size == size && last->plan.status.current_size == size &&
           last->plan.steps.empty() && record().open_to_clients && !record().operation;
  }
  bool run_until(const std::function<bool()>& reached, base::Duration limit = 300s) {
    const auto until = bench.node.world.now() + limit;
    while (bench.node.world.now() < until) {
      const auto again = pass();
      if (reached()) return true;
      bench.let_pass(std::min(again, base::Duration(500)));
    }
    ADD_FAILURE() << "not reached; " << words();
    return false;
  }
  bool converge(int size, base::Duration limit = 300s) {
    bench.intent().cluster.spec.size = size;
    return run_until([&] { return healthy(size); }, limit);
  }
  // Nothing is left to do, for this reason.
  bool said(std::string_view reason) {
    const auto last = reconciler->last();
    const auto* progress =
        last ? api::find_condition(last->plan.status, api::ConditionType::kProgressing) : nullptr;
    return progress != nullptr && last->plan.steps.empty() && progress->reason == reason;
  }
  std::string words() {
    const auto last = reconciler->last();
    if (!last) return "no pass";
    std::string out = last->problem + "\n";
    for (const auto& c : last->plan.status.conditions)
      out += std::string(api::name_of(c.type)) + "=" + std::string(api::name_of(c.status)) + " " +
             c.reason + ": " + c.message + "\n";
    for (const auto& step : last->plan.steps) out += plan::to_text(step.action) + "\n";
    if (last->act) out += last->act->action + ": " + last->act->text + "\n";
    return out;
  }
  std::unique_ptr<etcd::EtcdApi> client(const std::string& member) {
    sim::Client c;
    c.machine = 0;
    c.tls.on = true;
    c.tls.leaf = bench.node.world.operator_leaf;
    c.tls.trusted = {1};
    return sim::connect(bench.node.world, record().members.at(member).addresses.client_url, c);
  }
  bool put(const std::string& key) {
    for (const auto& name : voters())
      if (client(name)->put(key, "v", 3s)) return true;
    return false;
  }
  void expect_everywhere(const std::string& key) {
    for (const auto& name : voters()) {
      const auto got = client(name)->range(key, "", true, 0, 3s);
      ASSERT_TRUE(got) << name << ": " << got.error().text();
      EXPECT_EQ(got->kvs.size(), 1U) << name << " lacks " << key;
    }
  }
  std::vector<std::string> voters() {
    std::vector<std::string> out;
    for (const auto& [name, m] : record().members)
      if (m.phase == plan::Phase::kVoter) out.push_back(name);
    return out;
  }
  std::int64_t budget() {
    const auto* found = bench.node.server.find(kube::kBudgets, {"default", "c"});
    return found == nullptr ? 0 : json::get_int(*found, "spec.minAvailable").value_or(0);
  }

  KubeBench bench{3};
  sim::NoLog log;
  sim::WorldRandom random{bench.node.world};
  k8s::ClusterDriver* driver = nullptr;
  std::optional<engine::Reconciler> reconciler;
};

TEST_F(KubeStory, MadeGrownAndShrunk) {
  ASSERT_TRUE(converge(3));
  EXPECT_EQ(budget(), 2);
  ASSERT_TRUE(put("a"));
  ASSERT_TRUE(converge(5));
  EXPECT_EQ(budget(), 3);
  expect_everywhere("a");
  ASSERT_TRUE(converge(3));
  EXPECT_EQ(budget(), 2);
  EXPECT_EQ(bench.left().size(), 2U) << "the policy keeps volumes";
  ASSERT_TRUE(converge(1));
  EXPECT_EQ(budget(), 0) << "it would forbid every drain";
  expect_everywhere("a");
}

TEST_F(KubeStory, AQuietClusterCostsNoWrite) {
  ASSERT_TRUE(converge(3));
  for (int i = 0; i < 5; ++i) {
    (void)pass();
    bench.let_pass(1s);
  }
  const auto before = bench.node.server.changes();
  for (int i = 0; i < 20; ++i) {
    (void)pass();
    bench.let_pass(1s);
  }
  EXPECT_EQ(bench.node.server.changes(), before);
}

TEST_F(KubeStory, APodThatIsDeletedComesBack) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("a"));
  bench.node.must(kube::remove(kube::kPods, {"default", "c-1-0"}));
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  EXPECT_TRUE(record().members.contains("c-1")) << "it was not replaced";
  expect_everywhere("a");
}

TEST_F(KubeStory, AVolumeThatIsLostIsReplacedUnderANewNumber) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("a"));
  bench.node.must(kube::remove(kube::kClaims, {"default", "data-c-1"}));
  bench.node.must(kube::remove(kube::kPods, {"default", "c-1-0"}));
  ASSERT_TRUE(run_until([&] { return healthy(3) && !record().members.contains("c-1"); }, 600s));
  EXPECT_TRUE(record().members.contains("c-3"));
  EXPECT_EQ(bench.node.server.find(kube::kStatefulSets, {"default", "c-1"}), nullptr);
  expect_everywhere("a");
}

// As by `kubectl delete pvc --all`: Kubernetes keeps a claim for as long as a pod has it.
TEST_F(KubeStory, ClaimsThatAreDeletedUnderTheirPodsLoseNothing) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("a"));
  const auto keep = [&](const std::string& claim, json::Array by) {
    bench.node.must(
        kube::merge_patch(kube::kClaims, {"default", claim},
                          json::Object{{"metadata", json::Object{{"finalizers", std::move(by)}}}}));
  };
  const auto before = voters();
  for (const auto& member : before) {
    keep("data-" + member, {"kubernetes.io/pvc-protection"});
    bench.node.must(kube::remove(kube::kClaims, {"default", "data-" + member}));
  }
  // A change that restarts members waits for that too.
  bench.intent().template_hash = "t2";
  ASSERT_TRUE(run_until(
      [&] {
        for (const auto& member : before) {
          const bool has_pod =
              bench.node.server.find(kube::kPods, {"default", member + "-0"}) != nullptr;
          const auto claim = "data-" + member;
          if (!has_pod && bench.node.server.find(kube::kClaims, {"default", claim}) != nullptr)
            keep(claim, {});
          EXPECT_TRUE(has_pod || std::ranges::count(voters(), member) == 0)
              << member << " was stopped while it voted";
        }
        return healthy(3) && std::ranges::none_of(before, [&](const auto& m) {
                 return record().members.contains(m);
               });
      },
      1'800s));
  EXPECT_EQ(voters().size(), 3U);
  expect_everywhere("a");
}

TEST_F(KubeStory, AnOtherVersionGoesOneMemberAtATime) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("a"));
  for (const char* to : {"3.5.33", "3.6.16"}) {
    bench.intent().cluster.spec.version = *api::parse_version(to);
    ASSERT_TRUE(run_until(
        [&] {
          return healthy(3) && std::ranges::all_of(voters(), [&](const auto& name) {
                   const auto* etcd = bench.node.world.process_of(name);
                   return etcd != nullptr && etcd->args->version.text() == to;
                 });
        },
        1'800s))
        << to;
    expect_everywhere("a");
  }
}

TEST_F(KubeStory, AnOperatorThatIsKilledGoesOn) {
  bench.intent().cluster.spec.size = 3;
  const auto until = bench.node.world.now() + 600s;
  for (int i = 0; bench.node.world.now() < until && !healthy(3); ++i) {
    if (i % 3 == 2) restart();
    (void)pass();
    bench.let_pass(200ms);
  }
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  EXPECT_EQ(record().members.size(), 3U);
  EXPECT_EQ(record().epoch, 0) << "one formation was enough";
}

TEST_F(KubeStory, ItSleepsAndWakes) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("a"));
  bench.intent().cluster.spec.hibernate = true;
  ASSERT_TRUE(run_until([&] { return bench.node.all(kube::kPods).empty(); }));
  bench.intent().cluster.spec.hibernate = false;
  ASSERT_TRUE(run_until([&] { return healthy(3); }));
  expect_everywhere("a");
}

TEST_F(KubeStory, AQuorumThatIsLostIsRecoveredFromTheOneThatIsLeft) {
  bench.intent().cluster.spec.recovery.wait = 5s;
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("a"));
  bench.let_pass(2s);
  const auto before = record();
  for (const char* member : {"c-0", "c-2"}) {
    bench.node.must(kube::remove(kube::kClaims, {"default", "data-" + std::string(member)}));
    bench.node.must(kube::remove(kube::kPods, {"default", member + std::string("-0")}));
  }
  ASSERT_TRUE(run_until([&] { return healthy(3) && record().epoch == before.epoch + 1; }, 900s));
  EXPECT_NE(record().incarnation, before.incarnation);
  EXPECT_NE(record().cluster_id, before.cluster_id);
  EXPECT_EQ(record().members.at("c-1").phase, plan::Phase::kSurvivor);
  EXPECT_NE(bench.node.server.find(kube::kClaims, {"default", "data-c-1"}), nullptr)
      << "what is left is kept";
  expect_everywhere("a");
}

TEST_F(KubeStory, DeletedWithoutItsData) {
  ASSERT_TRUE(converge(3));
  bench.intent().wish = plan::Wish::kDeleted;
  ASSERT_TRUE(run_until([&] { return said("DeleteDone"); }));
  EXPECT_TRUE(bench.node.all(kube::kPods).empty());
  EXPECT_EQ(bench.node.all(kube::kClaims).size(), 3U) << "the policy keeps them";
}

TEST_F(KubeStory, DeletedWithItsDataWhenThePolicySaysSo) {
  ASSERT_TRUE(converge(3));
  bench.intent().wish = plan::Wish::kDeleted;
  bench.intent().cluster.spec.when_deleted = api::ClaimPolicy::kDelete;
  ASSERT_TRUE(run_until([&] { return said("DeleteDone"); }));
  EXPECT_TRUE(bench.node.all(kube::kPods).empty());
  EXPECT_TRUE(bench.node.all(kube::kClaims).empty());
}

// The runbook's way out when nobody has the Secret any more.
TEST_F(KubeStory, AuthoritiesThatAreLostForGoodAreMadeAnewWhileAllStandStill) {
  ASSERT_TRUE(converge(3));
  ASSERT_TRUE(put("a"));
  bench.intent().cluster.spec.hibernate = true;
  ASSERT_TRUE(run_until([&] { return said("HibernateStop"); }));
  ASSERT_TRUE(bench.node.all(kube::kPods).empty());
  for (const auto* name : {"c-ca", "c-peer-ca", "c-server-tls", "c-operator-tls", "c-peer-tls"})
    bench.node.must(kube::remove(kube::kSecrets, {"default", name}));
  restart();
  bench.intent().cluster.spec.hibernate = false;
  ASSERT_TRUE(converge(3));
  expect_everywhere("a");
  for (const auto* name : {"c-ca", "c-peer-ca", "c-server-tls", "c-operator-tls", "c-peer-tls"})
    EXPECT_NE(bench.node.server.find(kube::kSecrets, {"default", name}), nullptr) << name;
}

}  // namespace
}  // namespace conformance
