// Server-side apply: who owns what.
#include "conformance/kube_api_bench.h"

namespace conformance {
namespace {

using kube::kConfigMaps;
using kube::kEtcdClusters;

const kube::ApplyOptions kPolite{.force = false};
const kube::ApplyOptions kOther{.manager = "other", .force = false};
const kube::ApplyOptions kOtherByForce{.manager = "other", .force = true};

void makes(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("a");
  const auto first =
      script.ask("what is not there", apply(kConfigMaps, name, config_map("a", {{"x", "1"}})));
  const auto again =
      script.ask("the same", apply(kConfigMaps, name, config_map("a", {{"x", "1"}})));
  script.note("same version", version_of(first) == version_of(again));
  const auto next =
      script.ask("more", apply(kConfigMaps, name, config_map("a", {{"x", "1"}, {"y", "2"}})));
  script.note("same version", version_of(first) == version_of(next));
  const auto less = script.ask("less", apply(kConfigMaps, name, config_map("a", {{"y", "2"}})));
  script.field("x", less, "data.x");
  script.field("y", less, "data.y");
  script.ask("dry", dry_run(apply(kConfigMaps, name, config_map("a", {{"z", "3"}}))));
  const auto now = script.must(get(kConfigMaps, name));
  script.field("y", now, "data.y");
  script.field("z", now, "data.z");
  auto typed = config_map("a");
  typed["kind"] = "Secret";
  script.ask("another kind", apply(kConfigMaps, name, typed));
  script.ask("another name", apply(kConfigMaps, name, config_map("b")));
  auto nobody = apply(kConfigMaps, name, config_map("a"));
  std::erase_if(nobody.query, [](const auto& item) { return item.first == "fieldManager"; });
  script.ask("by nobody", nobody);
  script.ask("nowhere", apply(kConfigMaps, {"there-is-no-such", "a"}, config_map("a")));
  auto stale = config_map("a", {{"y", "5"}});
  stale["metadata"]["resourceVersion"] = version_of(first);
  script.ask("stale", apply(kConfigMaps, name, stale));
  auto absent = config_map("never");
  absent["metadata"]["uid"] = "11111111-1111-4111-8111-111111111111";
  script.ask("what is gone, by its uid", apply(kConfigMaps, bench.name("never"), absent));
}

void conflicts(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("a");
  const auto with = [&](json::Object data) { return config_map("a", std::move(data)); };
  script.must(apply(kConfigMaps, name, with({{"x", "1"}, {"y", "1"}})));
  script.ask("another's field", apply(kConfigMaps, name, with({{"x", "2"}}), kOther));
  script.ask("with its own value", apply(kConfigMaps, name, with({{"x", "1"}}), kOther));
  script.ask("now both have it", apply(kConfigMaps, name, with({{"x", "3"}, {"y", "1"}}), kPolite));
  auto now = script.ask("by force", apply(kConfigMaps, name, with({{"x", "2"}}), kOtherByForce));
  script.field("x", now, "data.x");
  // It is theirs now: no longer naming it does not remove it.
  now = script.ask("we let go", apply(kConfigMaps, name, with({{"y", "1"}}), kPolite));
  script.field("x", now, "data.x");
  now = script.ask("they let go", apply(kConfigMaps, name, with({}), kOther));
  script.field("x", now, "data.x");
  script.field("y", now, "data.y");
}

void plain_writes(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("a");
  const auto with = [&](json::Object data) { return config_map("a", std::move(data)); };
  script.must(apply(kConfigMaps, name, with({{"x", "1"}, {"y", "1"}})));
  const json::Value foreign =
      json::Object{{"data", json::Object{{"foreign", "9"}, {"y", "changed"}}}};
  script.ask("a patch", merge_patch(kConfigMaps, name, foreign));
  script.ask("which owns what it changed",
             apply(kConfigMaps, name, with({{"x", "1"}, {"y", "1"}}), kPolite));
  auto now = script.ask("by force", apply(kConfigMaps, name, with({{"x", "1"}, {"y", "1"}})));
  script.field("y", now, "data.y");
  script.field("foreign", now, "data.foreign");
  script.ask("what the patch made", apply(kConfigMaps, name, with({{"foreign", "8"}}), kPolite));
  const json::Value gone = json::Object{{"data", json::Object{{"x", nullptr}}}};
  script.must(merge_patch(kConfigMaps, name, gone));
  now = script.ask("what was taken away comes back",
                   apply(kConfigMaps, name, with({{"x", "1"}, {"y", "1"}}), kPolite));
  script.field("x", now, "data.x");
}

void maps(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("a");
  script.must(apply(kConfigMaps, name, config_map("a", {}, {{"ours", "1"}})));
  const json::Value label =
      json::Object{{"metadata", json::Object{{"labels", json::Object{{"theirs", "1"}}},
                                             {"annotations", json::Object{{"note", "n"}}}}}};
  script.must(merge_patch(kConfigMaps, name, label));
  auto now = script.ask("labels of both",
                        apply(kConfigMaps, name, config_map("a", {}, {{"ours", "2"}}), kPolite));
  script.field("ours", now, "metadata.labels.ours");
  script.field("theirs", now, "metadata.labels.theirs");
  script.field("note", now, "metadata.annotations.note");
  now = script.ask("without ours", apply(kConfigMaps, name, config_map("a"), kPolite));
  script.field("ours", now, "metadata.labels.ours");
  script.field("theirs", now, "metadata.labels.theirs");
}

void status(KubeBench& bench, KubeScript& script) {
  const auto name = bench.name("c");
  script.must(apply(kEtcdClusters, name, cluster("c", 3)));
  const auto with = [](json::Object fields) {
    return json::Value(
        json::Object{{"metadata", json::Object{{"name", "c"}}}, {"status", std::move(fields)}});
  };
  auto now = script.ask(
      "of the status", of_part(apply(kEtcdClusters, name, with({{"phase", "Running"}})), "status"));
  script.field("size", now, "spec.size");
  script.field("phase", now, "status.phase");
  now = script.ask("of the rest", apply(kEtcdClusters, name, cluster("c", 5)));
  script.field("size", now, "spec.size");
  script.field("phase", now, "status.phase");
  now = script.ask("another word of the status",
                   of_part(apply(kEtcdClusters, name, with({{"currentReplicas", 3}})), "status"));
  script.field("size", now, "spec.size");
  script.field("phase", now, "status.phase");
  script.ask("of what is not there",
             of_part(apply(kEtcdClusters, bench.name("none"), with({{"phase", "x"}})), "status"));
}

}  // namespace

std::vector<KubeCase> kube_apply_cases() {
  return {{"apply-makes", makes},
          {"apply-conflicts", conflicts},
          {"apply-plain-writes", plain_writes},
          {"apply-maps", maps},
          {"apply-status", status}};
}

}  // namespace conformance
