// Writes: versions, conflicts, preconditions, parts of objects.
#include "conformance/kube_api_bench.h"

namespace conformance {
namespace {

using kube::kConfigMaps;
using kube::kEtcdClusters;
using kube::kLeases;
using kube::kStatefulSets;

void creates(KubeBench& bench, KubeScript& script) {
  auto made = script.ask("create", create(kConfigMaps, bench.ns(), config_map("a", {{"k", "1"}})));
  script.note("has a uid", !text_at(made, "metadata.uid").empty());
  script.note("has a version", !version_of(made).empty());
  script.field("generation", made, "metadata.generation");
  script.ask("again", create(kConfigMaps, bench.ns(), config_map("a")));
  script.ask("nowhere", create(kConfigMaps, "there-is-no-such", config_map("a")));
  script.ask("without a name", create(kConfigMaps, bench.ns(), json::Object{}));
  auto with_version = config_map("b");
  with_version["metadata"]["resourceVersion"] = version_of(made);
  script.ask("with a version", create(kConfigMaps, bench.ns(), with_version));
  json::Value generated = json::Object{{"metadata", json::Object{{"generateName", "g-"}}}};
  made = script.ask("with a generated name", create(kConfigMaps, bench.ns(), generated));
  script.note("begins so", text_at(made, "metadata.name").starts_with("g-"));
  script.ask("dry", dry_run(create(kConfigMaps, bench.ns(), config_map("dry"))));
  script.note("which leaves nothing", script.exists(kConfigMaps, "dry"));
  auto with_uid = config_map("u");
  with_uid["metadata"]["uid"] = "11111111-1111-4111-8111-111111111111";
  made = script.ask("with a uid of our own", create(kConfigMaps, bench.ns(), with_uid));
  script.note("which is not taken",
              text_at(made, "metadata.uid") != text_at(with_uid, "metadata.uid"));
  auto with_status = cluster("s", 3);
  with_status["status"]["phase"] = "Made up";
  made = script.ask("with a status", create(kEtcdClusters, bench.ns(), with_status));
  script.field("which is not taken", made, "status.phase");
}

void replaces(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("a");
  const auto first =
      script.must(create(kConfigMaps, bench.ns(), config_map("a", {{"k", "1"}}, {{"l", "v"}})));
  auto next = first;
  next["data"]["k"] = "2";
  const auto second = script.ask("newest", replace(kConfigMaps, name, next));
  script.note("another version", version_of(second) != version_of(first));
  script.ask("stale", replace(kConfigMaps, name, next));
  script.ask("the same again", replace(kConfigMaps, name, second));
  script.note("which changes nothing",
              version_of(script.must(get(kConfigMaps, name))) == version_of(second));
  const auto bare =
      script.ask("without a version", replace(kConfigMaps, name, config_map("a", {{"k", "3"}})));
  script.field("labels are gone", bare, "metadata.labels");
  script.note("uid stays", text_at(bare, "metadata.uid") == text_at(first, "metadata.uid"));
  script.ask("under another name", replace(kConfigMaps, name, config_map("b")));
  script.ask("what is not there", replace(kConfigMaps, bench.name("gone"), config_map("gone")));
  auto foreign = config_map("a");
  foreign["metadata"]["uid"] = "11111111-1111-4111-8111-111111111111";
  script.ask("of another uid", replace(kConfigMaps, name, foreign));
  script.must(create(kEtcdClusters, bench.ns(), cluster("c", 3)));
  script.ask("a custom object without a version",
             replace(kEtcdClusters, bench.name("c"), cluster("c", 5)));
}

// Whose generation is counted, and who may be replaced without a word of what was read.
void kinds(KubeBench& bench, KubeScript& script) {
  json::Value budget = config_map("k");
  budget["spec"]["minAvailable"] = 1;
  budget["spec"]["selector"]["matchLabels"]["a"] = "b";
  json::Value service = config_map("k");
  service["spec"]["clusterIP"] = "None";
  service["spec"]["ports"].push_back(json::Object{{"port", 1}});
  json::Value claim = config_map("k");
  claim["spec"]["accessModes"].push_back("ReadWriteOnce");
  claim["spec"]["resources"]["requests"]["storage"] = "1Gi";
  json::Value policy = config_map("k");
  policy["spec"]["podSelector"] = json::Object();
  const std::pair<kube::Resource, json::Value> all[] = {{kube::kBudgets, budget},
                                                        {kube::kServices, service},
                                                        {kube::kClaims, claim},
                                                        {kube::kNetworkPolicies, policy},
                                                        {kube::kServiceAccounts, config_map("k")},
                                                        {kube::kSecrets, config_map("k")},
                                                        {kStatefulSets, stateful_set("k", 0)},
                                                        {kube::kPods, pod("k")}};
  for (const auto& [resource, object] : all) {
    const std::string plural(resource.plural);
    const auto made = script.ask(plural, create(resource, bench.ns(), object));
    script.field("generation", made, "metadata.generation");
    auto whole = made;
    whole["metadata"] = json::Object{{"name", "k"}, {"labels", json::Object{{"l", "v"}}}};
    script.ask("replace it unread", replace(resource, bench.name("k"), whole));
    script.must(remove(resource, bench.name("k")));
  }
}

void patches(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("a");
  const auto first = script.must(create(kConfigMaps, bench.ns(), config_map("a", {{"k", "1"}})));
  const json::Value two = json::Object{{"data", json::Object{{"k", "2"}}}};
  const auto second = script.ask("merge", merge_patch(kConfigMaps, name, two));
  script.field("took", second, "data.k");
  script.note("nothing new, same version",
              version_of(script.must(merge_patch(kConfigMaps, name, two))) == version_of(second));
  const json::Value three = json::Object{{"data", json::Object{{"k", "3"}}}};
  script.ask("merge, stale",
             merge_patch(kConfigMaps, name, three, {.resource_version = version_of(first)}));
  script.ask("merge, other uid", merge_patch(kConfigMaps, name, three,
                                             {.uid = "11111111-1111-4111-8111-111111111111"}));
  script.ask("merge, this version and uid", merge_patch(kConfigMaps, name, three,
                                                        {.uid = text_at(first, "metadata.uid"),
                                                         .resource_version = version_of(second)}));
  script.ask("null removes",
             merge_patch(kConfigMaps, name, json::Object{{"data", json::Object{{"k", nullptr}}}}));
  script.field("it is gone", script.must(get(kConfigMaps, name)), "data.k");
  const json::Array add{
      json::Object{{"op", "add"}, {"path", "/data"}, {"value", json::Object{{"x", "9"}}}}};
  script.ask("json", json_patch(kConfigMaps, name, add));
  script.ask("json, stale",
             json_patch(kConfigMaps, name, add, {.resource_version = version_of(first)}));
  script.ask("json, other uid",
             json_patch(kConfigMaps, name, add, {.uid = "11111111-1111-4111-8111-111111111111"}));
  const json::Array missing{json::Object{{"op", "remove"}, {"path", "/data/none"}}};
  script.ask("json, nothing to remove", json_patch(kConfigMaps, name, missing));
  script.ask("what is not there", merge_patch(kConfigMaps, bench.name("gone"), two));
  script.ask("dry", dry_run(merge_patch(kConfigMaps, name,
                                        json::Object{{"data", json::Object{{"dry", "1"}}}})));
  script.field("which leaves nothing", script.must(get(kConfigMaps, name)), "data.dry");
}

void parts(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("c");
  const auto made = script.must(create(kEtcdClusters, bench.ns(), cluster("c", 3)));
  script.field("generation", made, "metadata.generation");
  const json::Value both =
      json::Object{{"spec", json::Object{{"size", 5}}},
                   {"status", json::Object{{"phase", "Running"}, {"currentReplicas", 3}}}};
  auto now = script.ask("of the whole", merge_patch(kEtcdClusters, name, both));
  script.field("size", now, "spec.size");
  script.field("status", now, "status.phase");
  script.field("generation", now, "metadata.generation");
  const json::Value other =
      json::Object{{"metadata", json::Object{{"labels", json::Object{{"l", "v"}}}}},
                   {"spec", json::Object{{"size", 7}}},
                   {"status", json::Object{{"phase", "Running"}, {"currentReplicas", 3}}}};
  now = script.ask("of the status", of_part(merge_patch(kEtcdClusters, name, other), "status"));
  script.field("size", now, "spec.size");
  script.field("status", now, "status.phase");
  script.field("labels", now, "metadata.labels");
  script.field("generation", now, "metadata.generation");
  script.ask("of the status, another uid",
             of_part(merge_patch(kEtcdClusters, name, other,
                                 {.uid = "11111111-1111-4111-8111-111111111111"}),
                     "status"));
  const json::Array test{
      json::Object{{"op", "add"}, {"path", "/status/phase"}, {"value", "Failed"}}};
  script.ask("of the status, tested for another uid",
             of_part(json_patch(kEtcdClusters, name, test,
                                {.uid = "11111111-1111-4111-8111-111111111111"}),
                     "status"));
  now = script.ask(
      "of the status, tested",
      of_part(json_patch(kEtcdClusters, name, test, {.uid = text_at(made, "metadata.uid")}),
              "status"));
  script.field("status", now, "status.phase");
  now = script.ask("a label", merge_patch(kEtcdClusters, name,
                                          json::Object{{"metadata", *other.at("metadata")}}));
  script.field("generation", now, "metadata.generation");
  script.field("status stays", now, "status.phase");
  script.ask("scale", scale(kEtcdClusters, name, 1));
  now = script.must(get(kEtcdClusters, name));
  script.field("size", now, "spec.size");
  script.field("generation", now, "metadata.generation");
  script.ask("scale, stale", scale(kEtcdClusters, name, 3, {.resource_version = version_of(made)}));
  auto stale = now;
  stale["metadata"]["resourceVersion"] = version_of(made);
  script.ask("status, stale", of_part(replace(kEtcdClusters, name, stale), "status"));
  script.must(create(kConfigMaps, bench.ns(), config_map("m")));
  script.ask("of what has none",
             of_part(merge_patch(kConfigMaps, bench.name("m"), both), "status"));
  script.ask("no such kind", kube::raw_get("/apis/operator.etcd.io/v9/etcdclusters"));
}

void deletes(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("a");
  const auto first = script.must(create(kConfigMaps, bench.ns(), config_map("a")));
  script.must(merge_patch(kConfigMaps, name, json::Object{{"data", json::Object{{"k", "1"}}}}));
  script.ask("another uid", remove(kConfigMaps, name,
                                   {.expected = {.uid = "11111111-1111-4111-8111-111111111111"}}));
  script.ask("stale",
             remove(kConfigMaps, name, {.expected = {.resource_version = version_of(first)}}));
  script.ask("dry", dry_run(remove(kConfigMaps, name)));
  script.note("which leaves it", script.exists(kConfigMaps, "a"));
  script.ask("this one",
             remove(kConfigMaps, name, {.expected = {.uid = text_at(first, "metadata.uid")}}));
  script.note("it is gone", !script.exists(kConfigMaps, "a"));
  script.ask("again", remove(kConfigMaps, name));
}

void leases(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("l");
  const auto lease = [](const std::string& holder, int transitions) {
    return json::Value(
        json::Object{{"metadata", json::Object{{"name", "l"}}},
                     {"spec", json::Object{{"holderIdentity", holder},
                                           {"leaseDurationSeconds", 15},
                                           {"leaseTransitions", transitions},
                                           {"acquireTime", "2026-01-01T00:00:00.000000Z"},
                                           {"renewTime", "2026-01-01T00:00:00.000000Z"}}}});
  };
  const auto first = script.ask("acquire", create(kLeases, bench.ns(), lease("one", 0)));
  script.field("time as it was given", first, "spec.renewTime");
  script.ask("too late", create(kLeases, bench.ns(), lease("two", 0)));
  auto renewed = first;
  renewed["spec"]["renewTime"] = "2026-01-01T00:00:05.000000Z";
  const auto second = script.ask("renew", replace(kLeases, name, renewed));
  auto stolen = first;
  stolen["spec"]["holderIdentity"] = "two";
  script.ask("take it, from an old look", replace(kLeases, name, stolen));
  stolen = second;
  stolen["spec"]["holderIdentity"] = "two";
  stolen["spec"]["leaseTransitions"] = 1;
  const auto third = script.ask("take it", replace(kLeases, name, stolen));
  script.field("by", third, "spec.holderIdentity");
  script.ask("renew what is lost", replace(kLeases, name, renewed));
  script.ask("without a version", replace(kLeases, name, lease("three", 2)));
}

void sets_scale(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("s");
  script.ask("create", create(kStatefulSets, bench.ns(), stateful_set("s", 0)));
  const auto answer = script.ask("scale", scale(kStatefulSets, name, 2));
  script.field("answer", answer, "spec.replicas");
  script.field("kind", answer, "kind");
  script.field("now", script.must(get(kStatefulSets, name)), "spec.replicas");
  script.ask("less than nothing", scale(kStatefulSets, name, -1));
}

}  // namespace

std::vector<KubeCase> kube_write_cases() {
  return {{"creates", creates}, {"replaces", replaces}, {"kinds", kinds},   {"patches", patches},
          {"parts", parts},     {"deletes", deletes},   {"leases", leases}, {"scale", sets_scale}};
}

}  // namespace conformance
