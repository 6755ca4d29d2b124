// How objects come and go by others: finalizers, owners, namespaces, pods, budgets, sets, jobs.
#include "conformance/kube_api_bench.h"

namespace conformance {
namespace {

using kube::kBudgets;
using kube::kConfigMaps;
using kube::kEtcdClusters;
using kube::kJobs;
using kube::kNamespaces;
using kube::kPods;
using kube::kStatefulSets;

// A job that is tried once.
json::Value once(const std::string& name) {
  auto object = config_map(name);
  object["spec"]["backoffLimit"] = 0;
  object["spec"]["template"]["metadata"]["labels"]["of"] = name;
  object["spec"]["template"]["spec"]["restartPolicy"] = "Never";
  object["spec"]["template"]["spec"]["containers"].push_back(
      json::Object{{"name", "c"}, {"image", "none"}});
  return object;
}

json::Value finalizers(json::Value list) {
  return json::Object{{"metadata", json::Object{{"finalizers", std::move(list)}}}};
}

void finalizers_hold(KubeBench& bench, KubeScript& script) {
  auto object = config_map("a");
  object["metadata"]["finalizers"].push_back("example.com/one");
  object["metadata"]["finalizers"].push_back("example.com/two");
  script.ask("create", create(kConfigMaps, bench.ns(), object));
  const auto name = bench.name("a");
  auto now = script.ask("delete", remove(kConfigMaps, name));
  script.note("is going", now.at("metadata.deletionTimestamp") != nullptr);
  script.field("grace", now, "metadata.deletionGracePeriodSeconds");
  const auto version = version_of(script.must(get(kConfigMaps, name)));
  script.ask("delete again", remove(kConfigMaps, name));
  script.note("changes nothing", version_of(script.must(get(kConfigMaps, name))) == version);
  script.ask("the name is taken", create(kConfigMaps, bench.ns(), config_map("a")));
  script.ask("one more", merge_patch(kConfigMaps, name,
                                     finalizers(json::Array{"example.com/one", "example.com/two",
                                                            "example.com/three"})));
  now =
      script.ask("other changes go on",
                 merge_patch(kConfigMaps, name, json::Object{{"data", json::Object{{"k", "1"}}}}));
  script.field("k", now, "data.k");
  now = script.ask("one less",
                   merge_patch(kConfigMaps, name, finalizers(json::Array{"example.com/two"})));
  script.note("still there", script.exists(kConfigMaps, "a"));
  now = script.ask("none", merge_patch(kConfigMaps, name, finalizers(nullptr)));
  script.note("is gone", !script.exists(kConfigMaps, "a"));
  script.ask("none again", merge_patch(kConfigMaps, name, finalizers(nullptr)));
}

void owners_take_along(KubeBench& bench, KubeScript& script) {
  const auto one = script.must(create(kConfigMaps, bench.ns(), config_map("one")));
  const auto two = script.must(create(kConfigMaps, bench.ns(), config_map("two")));
  script.must(create(kConfigMaps, bench.ns(), owned_by(config_map("child"), one)));
  script.must(create(kConfigMaps, bench.ns(), owned_by(owned_by(config_map("shared"), one), two)));
  const auto child = script.must(get(kConfigMaps, bench.name("child")));
  script.must(create(kConfigMaps, bench.ns(), owned_by(config_map("grandchild"), child)));
  bench.rest();
  script.note("all are there",
              script.exists(kConfigMaps, "child") && script.exists(kConfigMaps, "grandchild"));
  script.ask("delete", remove(kConfigMaps, bench.name("one")));
  script.note("goes at once", !script.exists(kConfigMaps, "one"));
  script.until("child goes", [&] { return !script.exists(kConfigMaps, "child"); });
  script.until("grandchild goes", [&] { return !script.exists(kConfigMaps, "grandchild"); });
  bench.rest();
  script.note("shared stays", script.exists(kConfigMaps, "shared"));
  script.ask("delete", remove(kConfigMaps, bench.name("two")));
  script.until("shared goes", [&] { return !script.exists(kConfigMaps, "shared"); });
  // An owner of the same name is another one.
  script.must(create(kConfigMaps, bench.ns(), config_map("one")));
  script.must(create(kConfigMaps, bench.ns(), owned_by(config_map("late"), one)));
  script.until("child of one that is gone goes",
               [&] { return !script.exists(kConfigMaps, "late"); });
}

void custom_owners(KubeBench& bench, KubeScript& script) {
  auto object = cluster("c", 3);
  object["metadata"]["finalizers"].push_back("operator.etcd.io/test");
  const auto owner = script.must(create(kEtcdClusters, bench.ns(), object));
  script.must(create(kConfigMaps, bench.ns(), owned_by(config_map("child"), owner)));
  script.ask("delete", remove(kEtcdClusters, bench.name("c")));
  bench.rest();
  script.note("child waits with it", script.exists(kConfigMaps, "child"));
  script.ask("let go", merge_patch(kEtcdClusters, bench.name("c"), finalizers(nullptr)));
  script.note("goes", !script.exists(kEtcdClusters, "c"));
  script.until("child goes", [&] { return !script.exists(kConfigMaps, "child"); });
}

void foreground_and_orphan(KubeBench& bench, KubeScript& script) {
  for (const bool orphan : {true, false}) {
    const std::string suffix = orphan ? "-orphan" : "-foreground";
    const auto owner = script.must(create(kConfigMaps, bench.ns(), config_map("o" + suffix)));
    auto child = owned_by(config_map("c" + suffix), owner, /*blocks=*/true);
    child["metadata"]["finalizers"].push_back("example.com/held");
    script.must(create(kConfigMaps, bench.ns(), child));
    bench.rest();
    const auto answer = script.ask(
        "delete" + suffix, remove(kConfigMaps, bench.name("o" + suffix),
                                  {.propagation = orphan ? kube::Propagation::kOrphan
                                                         : kube::Propagation::kForeground}));
    if (orphan) {
      script.until("owner goes", [&] { return !script.exists(kConfigMaps, "o" + suffix); });
      bench.rest();
      const auto left = script.must(get(kConfigMaps, bench.name("c" + suffix)));
      script.note("child stays", left.at("metadata.deletionTimestamp") == nullptr);
      script.field("its owners", left, "metadata.ownerReferences");
      continue;
    }
    script.field("finalizers", answer, "metadata.finalizers");
    script.until("child is told", [&] {
      return script.must(get(kConfigMaps, bench.name("c" + suffix)))
                 .at("metadata.deletionTimestamp") != nullptr;
    });
    bench.rest();
    script.note("owner waits", script.exists(kConfigMaps, "o" + suffix));
    script.must(merge_patch(kConfigMaps, bench.name("c" + suffix), finalizers(nullptr)));
    script.until("both go", [&] {
      return !script.exists(kConfigMaps, "c" + suffix) && !script.exists(kConfigMaps, "o" + suffix);
    });
  }
}

void namespaces_end(KubeBench& bench, KubeScript& script) {
  const std::string inner = bench.ns() + "-inner";
  const json::Value space = json::Object{{"metadata", json::Object{{"name", inner}}}};
  script.ask("create", create(kNamespaces, "", space));
  auto held = config_map("held");
  held["metadata"]["finalizers"].push_back("example.com/held");
  script.must(create(kConfigMaps, inner, held));
  script.must(create(kConfigMaps, inner, config_map("free")));
  const auto going = script.ask("delete", remove(kNamespaces, {"", inner}));
  script.note("is going", going.at("metadata.deletionTimestamp") != nullptr);
  script.ask("create in it", create(kConfigMaps, inner, config_map("late")));
  const auto status = [&](const kube::Request& request) {
    return bench.transport().send(request, {}, {})->status;
  };
  script.until("what is free goes",
               [&] { return status(get(kConfigMaps, {inner, "free"})) == 404; });
  script.note("what is held stays", status(get(kConfigMaps, {inner, "held"})) == 200);
  script.ask("a change of it", merge_patch(kConfigMaps, {inner, "held"}, finalizers(nullptr)));
  script.until("the namespace goes", [&] { return status(get(kNamespaces, {"", inner})) == 404; });
}

void pods_end(KubeBench& bench, KubeScript& script) {
  script.ask("without a node", create(kPods, bench.ns(), pod("a")));
  script.ask("delete", remove(kPods, bench.name("a")));
  script.note("goes at once", !script.exists(kPods, "a"));
  const auto made = script.ask("on a node", create(kPods, bench.ns(), pod("b", {}, "elsewhere")));
  script.ask("another uid", remove(kPods, bench.name("b"),
                                   {.expected = {.uid = "11111111-1111-4111-8111-111111111111"}}));
  auto answer = script.ask("delete", remove(kPods, bench.name("b")));
  script.field("grace", answer, "metadata.deletionGracePeriodSeconds");
  script.note("waits for its node", script.exists(kPods, "b"));
  answer = script.ask("delete again", remove(kPods, bench.name("b")));
  answer = script.ask("sooner", remove(kPods, bench.name("b"), {.grace_seconds = 5}));
  script.field("grace", answer, "metadata.deletionGracePeriodSeconds");
  bench.pod_ended("b");
  script.note("is gone", !script.exists(kPods, "b"));
  script.must(create(kPods, bench.ns(), pod("c", {}, "elsewhere")));
  script.ask("by force", remove(kPods, bench.name("c"), {.grace_seconds = 0}));
  script.note("is gone", !script.exists(kPods, "c"));
  auto held = pod("d", {}, "elsewhere");
  held["metadata"]["finalizers"].push_back("example.com/held");
  script.must(create(kPods, bench.ns(), held));
  script.ask("by force, held", remove(kPods, bench.name("d"), {.grace_seconds = 0}));
  script.note("stays", script.exists(kPods, "d"));
  script.must(merge_patch(kPods, bench.name("d"), finalizers(nullptr)));
  script.note("is gone", !script.exists(kPods, "d"));
}

void ready(KubeBench& bench, KubeScript& script, const std::string& pod, bool yes) {
  const json::Value status = json::Object{
      {"status",
       json::Object{{"phase", "Running"},
                    {"conditions", json::Array{json::Object{
                                       {"type", "Ready"}, {"status", yes ? "True" : "False"}}}}}}};
  script.must(of_part(merge_patch(kPods, bench.name(pod), status), "status"));
}

void budgets_refuse(KubeBench& bench, KubeScript& script) {
  json::Value budget = config_map("b");
  budget["spec"]["minAvailable"] = 2;
  budget["spec"]["selector"]["matchLabels"]["app"] = "etcd";
  for (const char* name : {"p0", "p1", "p2"}) {
    script.must(create(kPods, bench.ns(), pod(name, {{"app", "etcd"}}, "elsewhere")));
    ready(bench, script, name, true);
  }
  script.ask("create", create(kBudgets, bench.ns(), budget));
  const auto allowed = [&](std::int64_t count) {
    const auto now = script.must(get(kBudgets, bench.name("b")));
    return json::get_int(now, "status.disruptionsAllowed").value_or(-1) == count &&
           json::get_int(now, "status.expectedPods").value_or(-1) == 3;
  };
  script.until("one may go", [&] { return allowed(1); });
  auto now = script.must(get(kBudgets, bench.name("b")));
  for (const char* field : {"currentHealthy", "desiredHealthy", "expectedPods"})
    script.field(field, now, std::string("status.") + field);
  script.ask("dry", dry_run(kube::evict(bench.name("p0"))));
  script.note(
      "it goes on",
      script.must(get(kPods, bench.name("p0"))).at("metadata.deletionTimestamp") == nullptr);
  script.ask("one", kube::evict(bench.name("p0")));
  script.note(
      "it ends",
      script.must(get(kPods, bench.name("p0"))).at("metadata.deletionTimestamp") != nullptr);
  script.ask("two", kube::evict(bench.name("p1")));
  script.until("none may go", [&] { return allowed(0); });
  script.ask("two", kube::evict(bench.name("p1")));
  script.ask("the first again", kube::evict(bench.name("p0")));
  script.ask("one that is not there", kube::evict(bench.name("p9")));
  ready(bench, script, "p1", false);
  const auto healthy = [&](std::int64_t count) {
    const auto budget_now = script.must(get(kBudgets, bench.name("b")));
    return json::get_int(budget_now, "status.currentHealthy").value_or(-1) == count;
  };
  script.until("one is healthy", [&] { return healthy(1); });
  script.ask("one that is not ready", kube::evict(bench.name("p1")));
  bench.pod_ended("p0");
  script.must(create(kPods, bench.ns(), pod("p0", {{"app", "etcd"}}, "elsewhere")));
  ready(bench, script, "p0", true);
  script.until("two are healthy", [&] { return healthy(2); });
  script.until("none may go", [&] { return allowed(0); });
  script.ask("one that is ready", kube::evict(bench.name("p2")));
  script.ask("one that is not ready, and enough are", kube::evict(bench.name("p1")));
  script.must(create(kPods, bench.ns(), pod("p3", {{"app", "etcd"}}, "elsewhere")));
  script.ask("one that never ran", kube::evict(bench.name("p3")));
  script.note(
      "is going",
      !script.exists(kPods, "p3") ||
          script.must(get(kPods, bench.name("p3"))).at("metadata.deletionTimestamp") != nullptr);
}

void sets_make_pods(KubeBench& bench, KubeScript& script) {
  script.ask("create", create(kStatefulSets, bench.ns(), stateful_set("s", 2)));
  script.until("two pods",
               [&] { return script.exists(kPods, "s-0") && script.exists(kPods, "s-1"); });
  const auto first = script.must(get(kPods, bench.name("s-0")));
  script.field("host name", first, "spec.hostname");
  script.field("subdomain", first, "spec.subdomain");
  script.field("label", first, "metadata.labels.set");
  script.field("owner", first, "metadata.ownerReferences.0.kind");
  script.field("controller", first, "metadata.ownerReferences.0.controller");
  script.field("blocks", first, "metadata.ownerReferences.0.blockOwnerDeletion");
  const auto* labels = first.at("metadata.labels");
  for (const char* label : {"statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index"}) {
    const auto* value = labels->find(label);
    script.note(label, value != nullptr && value->is_string() ? *value->if_string() : "none");
  }
  script.note("has a revision", labels->find("controller-revision-hash") != nullptr);
  const auto counts = [&](std::int64_t replicas, std::int64_t observed) {
    const auto now = script.must(get(kStatefulSets, bench.name("s")));
    return json::get_int(now, "status.replicas").value_or(-1) == replicas &&
           json::get_int(now, "status.observedGeneration").value_or(-1) >= observed;
  };
  script.until("counted", [&] { return counts(2, 1); });
  script.ask("delete one", remove(kPods, bench.name("s-0")));
  const auto is_another = [&] {
    return script.exists(kPods, "s-0") && text_at(script.must(get(kPods, bench.name("s-0"))),
                                                  "metadata.uid") != text_at(first, "metadata.uid");
  };
  script.until("another comes", is_another);
  json::Value image;
  image["spec"]["template"]["spec"]["containers"].push_back(
      json::Object{{"name", "c"}, {"image", "newer"}});
  const auto second = script.must(get(kPods, bench.name("s-1")));
  script.must(merge_patch(kStatefulSets, bench.name("s"), image));
  bench.rest();
  const auto now = script.must(get(kPods, bench.name("s-1")));
  script.note("the template alone changes no pod",
              text_at(now, "metadata.uid") == text_at(second, "metadata.uid"));
  script.must(remove(kPods, bench.name("s-1")));
  script.until("the next one has it", [&] {
    return script.exists(kPods, "s-1") && text_at(script.must(get(kPods, bench.name("s-1"))),
                                                  "spec.containers.0.image") == "newer";
  });
  script.ask("none", scale(kStatefulSets, bench.name("s"), 0));
  script.until("they go",
               [&] { return !script.exists(kPods, "s-0") && !script.exists(kPods, "s-1"); });
  script.until("counted", [&] { return counts(0, 2); });
}

void sets_leave_pods(KubeBench& bench, KubeScript& script) {
  script.must(create(kStatefulSets, bench.ns(), stateful_set("s", 1)));
  script.until("a pod", [&] { return script.exists(kPods, "s-0"); });
  script.ask("let go",
             remove(kStatefulSets, bench.name("s"), {.propagation = kube::Propagation::kOrphan}));
  script.until("the set goes", [&] { return !script.exists(kStatefulSets, "s"); });
  bench.rest();
  script.note("its pod stays", script.exists(kPods, "s-0"));
  script.must(create(kStatefulSets, bench.ns(), stateful_set("s", 1)));
  script.until("is taken by the next", [&] {
    const auto now = script.must(get(kPods, bench.name("s-0")));
    const auto set = script.must(get(kStatefulSets, bench.name("s")));
    return text_at(now, "metadata.ownerReferences.0.uid") == text_at(set, "metadata.uid");
  });
  script.ask("delete", remove(kStatefulSets, bench.name("s")));
  script.until("the pod goes", [&] { return !script.exists(kPods, "s-0"); });
}

// The one pod of a job, or the name of nothing.
std::string pod_of_job(KubeBench& bench, KubeScript& script, const std::string& job) {
  const auto found =
      script.must(list(kPods, bench.ns(), {.selection = {.labels = "of=" + job}, .limit = 10}));
  const auto& items = *found.find("items")->if_array();
  return items.size() == 1 ? text_at(items[0], "metadata.name") : "";
}

void jobs_have_one_pod(KubeBench& bench, KubeScript& script) {
  const auto pod = [&](const std::string& job) { return pod_of_job(bench, script, job); };
  const auto is = [&](const std::string& job, const std::string& type) {
    const auto now = script.must(get(kJobs, bench.name(job)));
    const auto* all = now.at("status.conditions");
    for (const auto& one : all == nullptr ? json::Array() : *all->if_array())
      if (text_at(one, "type") == type && text_at(one, "status") == "True") return true;
    return false;
  };
  const auto phase = [&](const std::string& job, const char* value) {
    script.must(kube::of_part(merge_patch(kPods, bench.name(pod(job)),
                                          json::Object{{"status", json::Object{{"phase", value}}}}),
                              "status"));
  };
  for (const char* job : {"good", "bad", "held"}) {
    script.ask(job, create(kJobs, bench.ns(), once(job)));
    script.until("its pod", [&] { return !pod(job).empty(); });
  }
  const auto first = script.must(get(kPods, bench.name(pod("good"))));
  script.field("owner", first, "metadata.ownerReferences.0.kind");
  script.field("controller", first, "metadata.ownerReferences.0.controller");
  script.note("named after it", text_at(first, "metadata.name").starts_with("good-"));
  phase("good", "Succeeded");
  script.until("is complete", [&] { return is("good", "Complete"); });
  phase("bad", "Failed");
  script.until("has failed", [&] { return is("bad", "Failed"); });
  script.note("its pod stays", !pod("bad").empty());
  script.ask("hold back", merge_patch(kJobs, bench.name("held"),
                                      json::Object{{"spec", json::Object{{"suspend", true}}}}));
  script.until("its pod goes", [&] { return pod("held").empty(); });
  bench.rest();
  script.note("none comes", pod("held").empty());
  script.note("is neither", !is("held", "Complete") && !is("held", "Failed"));
  script.ask("delete", remove(kJobs, bench.name("bad")));
  script.until("the pod goes", [&] { return pod("bad").empty(); });
}

}  // namespace

std::vector<KubeCase> kube_life_cases() {
  return {{"finalizers", finalizers_hold},  {"owners", owners_take_along},
          {"custom-owners", custom_owners}, {"foreground-orphan", foreground_and_orphan},
          {"namespaces", namespaces_end},   {"pods", pods_end},
          {"budgets", budgets_refuse},      {"sets", sets_make_pods},
          {"sets-orphan", sets_leave_pods}, {"jobs", jobs_have_one_pod}};
}

}  // namespace conformance
