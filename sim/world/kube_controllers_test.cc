#include "sim/world/kube_controllers.h"

#include <gtest/gtest.h>

namespace sim {
namespace {

struct Still final : base::Clock {
  [[nodiscard]] base::Instant now() const override {
    return base::Instant(std::chrono::days(20'000));
  }
  [[nodiscard]] base::Tick tick() const override { return base::Tick(base::Duration(1)); }
};

class ControllersTest : public testing::Test {
 protected:
  Still clock;
  KubeServer server{clock};
  KubeControllers controllers{server};
  const kube::Name set{"default", "c-0"}, pod{"default", "c-0-0"};

  void must(const kube::Request& request) {
    const auto reply = server.send(request, {}, {});
    ASSERT_TRUE(reply);
    ASSERT_LT(reply->status, 300) << reply->body;
  }
  int status(const kube::Request& request) { return server.send(request, {}, {})->status; }
  void make_set(const std::string& name = "c-0") {
    json::Value object = json::Object{{"metadata", json::Object{{"name", name}}}};
    object["spec"]["replicas"] = 1;
    object["spec"]["serviceName"] = "c";
    object["spec"]["template"]["metadata"]["labels"]["etcd"] = "c";
    object["spec"]["template"]["spec"]["x"] = 1;
    must(apply(kube::kStatefulSets, {"default", name}, object));
  }
  std::string uid() const {
    const auto* found = server.find(kube::kPods, pod);
    return found == nullptr ? "" : *json::get_string(*found, "metadata.uid");
  }
  std::int64_t number(const kube::Resource& resource, const kube::Name& name,
                      std::string_view path) const {
    return json::get_int(*server.find(resource, name), path).value_or(-1);
  }
};

TEST_F(ControllersTest, ASetMakesItsPodAndMakesItAgain) {
  make_set();
  EXPECT_TRUE(controllers.stateful_sets());
  ASSERT_NE(uid(), "");
  EXPECT_EQ(json::get_string(*server.find(kube::kPods, pod), "spec.subdomain"), "c");
  EXPECT_TRUE(controllers.schedule("n1"));
  controllers.pod_status(pod, "Running", true);
  EXPECT_TRUE(controllers.stateful_sets());
  EXPECT_FALSE(controllers.stateful_sets());  // and rests
  EXPECT_EQ(number(kube::kStatefulSets, set, "status.readyReplicas"), 1);
  const auto first = uid();
  must(remove(kube::kPods, pod));
  controllers.stateful_sets();
  EXPECT_EQ(uid(), first);  // its name is taken until its node has ended it
  EXPECT_EQ(number(kube::kStatefulSets, set, "status.readyReplicas"), 0);
  EXPECT_FALSE(controllers.pods_end("n2"));
  EXPECT_TRUE(controllers.pods_end("n1"));
  controllers.stateful_sets();
  EXPECT_NE(uid(), "");
  EXPECT_NE(uid(), first);
}

TEST_F(ControllersTest, AFailedPodIsMadeAnewAndATemplateWaitsForIt) {
  make_set();
  controllers.stateful_sets();
  const auto first = uid();
  must(merge_patch(
      kube::kStatefulSets, set,
      json::Object{
          {"spec", json::Object{{"template", json::Object{{"spec", json::Object{{"x", 2}}}}}}}}));
  controllers.stateful_sets();
  EXPECT_EQ(uid(), first);  // OnDelete
  EXPECT_EQ(number(kube::kPods, pod, "spec.x"), 1);
  EXPECT_EQ(number(kube::kStatefulSets, set, "status.updatedReplicas"), 0);
  controllers.pod_status(pod, "Failed", false);
  controllers.stateful_sets();
  controllers.stateful_sets();
  EXPECT_NE(uid(), first);
  EXPECT_EQ(number(kube::kPods, pod, "spec.x"), 2);
  must(scale(kube::kStatefulSets, set, 0));
  controllers.stateful_sets();
  EXPECT_EQ(uid(), "");
}

TEST_F(ControllersTest, ABudgetCountsReadyPods) {
  json::Value budget = json::Object{{"metadata", json::Object{{"name", "c"}}}};
  budget["spec"]["minAvailable"] = 2;
  budget["spec"]["selector"]["matchLabels"]["etcd"] = "c";
  must(apply(kube::kBudgets, {"default", "c"}, budget));
  for (const auto* name : {"c-0", "c-1", "c-2"}) make_set(name);
  controllers.stateful_sets();
  controllers.schedule("n1");
  for (const auto* name : {"c-0-0", "c-1-0", "c-2-0"})
    controllers.pod_status({"default", name}, "Running", false);
  controllers.budgets();
  EXPECT_EQ(status(kube::evict(pod)), 429);
  for (const auto* name : {"c-0-0", "c-1-0", "c-2-0"})
    controllers.pod_status({"default", name}, "Running", true);
  EXPECT_TRUE(controllers.budgets());
  EXPECT_FALSE(controllers.budgets());
  EXPECT_EQ(status(kube::evict(pod)), 201);
  EXPECT_EQ(status(kube::evict({"default", "c-1-0"})), 429);  // at once, before it is counted
  controllers.budgets();
  EXPECT_EQ(number(kube::kBudgets, {"default", "c"}, "status.disruptionsAllowed"), 0);
  EXPECT_EQ(number(kube::kBudgets, {"default", "c"}, "status.currentHealthy"), 2);
}

class JobsTest : public ControllersTest {
 protected:
  const kube::Name job{"default", "c-backup-1"};
  void make_job() {
    json::Value object = json::Object{{"metadata", json::Object{{"name", job.name}}}};
    object["spec"]["template"]["metadata"]["labels"]["x"] = "y";
    must(create(kube::kJobs, "default", object));
    controllers.jobs();
  }
  std::vector<kube::Name> pods() {
    std::vector<kube::Name> out;
    const auto reply = server.send(list(kube::kPods, "default", {.limit = 0}), {}, {});
    const auto body = json::parse(reply->body);
    for (const auto& one : *body->find("items")->if_array())
      out.push_back({"default", *json::get_string(one, "metadata.name")});
    return out;
  }
  std::string condition() {
    const auto* found = server.find(kube::kJobs, job)->at("status.conditions");
    return found == nullptr ? "" : *json::get_string(found->if_array()->front(), "type");
  }
};

TEST_F(JobsTest, APodIsMadeOnceAndItsEndIsTheJobs) {
  make_job();
  ASSERT_EQ(pods().size(), 1U);
  controllers.schedule("n1");
  EXPECT_FALSE(controllers.jobs());
  EXPECT_EQ(condition(), "");
  controllers.pod_status(pods()[0], "Succeeded", false);
  EXPECT_TRUE(controllers.jobs());
  EXPECT_EQ(condition(), "Complete");
  EXPECT_FALSE(controllers.jobs());
}

TEST_F(JobsTest, APodThatIsTakenAwayIsNotMadeAgain) {
  make_job();
  controllers.schedule("n1");
  const auto first = pods()[0];
  must(remove(kube::kPods, first));
  server.pod_ended(first);
  controllers.jobs();
  EXPECT_TRUE(pods().empty());
  EXPECT_EQ(condition(), "Failed");
}

TEST_F(JobsTest, ASuspendedOneLosesItsPod) {
  make_job();
  controllers.schedule("n1");
  must(merge_patch(kube::kJobs, job, json::Object{{"spec", json::Object{{"suspend", true}}}}));
  controllers.jobs();
  controllers.pods_end("n1");
  controllers.jobs();
  EXPECT_TRUE(pods().empty());
  EXPECT_EQ(condition(), "");
}

}  // namespace
}  // namespace sim
