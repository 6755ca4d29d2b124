// Reads: lists, pages, selectors, watches.
#include "conformance/kube_api_bench.h"
#include "json/json.h"

namespace conformance {
namespace {

using kube::kConfigMaps;
using kube::kPods;

std::string names(const json::Value& list) {
  std::string out;
  const auto* items = list.at("items");
  if (items == nullptr || !items->is_array()) return "none";
  for (const auto& item : *items->if_array()) out += text_at(item, "metadata.name") + " ";
  return out;
}

void lists(KubeBench& bench, KubeScript& script) {
  for (const char* name : {"b", "a", "d", "c"})
    script.must(create(
        kConfigMaps, bench.ns(),
        config_map(name, {},
                   {{"late", name > std::string("b") ? "yes" : "no"}, {name, "x"}, {"of", "us"}})));
  // A real one has a map of its own in every namespace.
  const auto ask = [&](const std::string& labels) {
    const kube::ListOptions options{.selection = {.labels = "of=us" + labels}};
    script.note("of=us" + labels,
                names(script.ask("list", list(kConfigMaps, bench.ns(), options))));
  };
  for (const char* labels : {"", ",late=yes", ",late!=yes", ",late in (yes,no)",
                             ",late notin (yes)", ",a", ",!a", ",a,late=no"})
    ask(labels);
  const auto all = script.ask("kind", list(kConfigMaps, bench.ns(), {}));
  script.field("kind", all, "kind");
  script.field("version of the group", all, "apiVersion");
  script.note("has a version", !version_of(all).empty());
  script.note("items say what they are", all.at("items.0.kind") != nullptr);
  for (const char* fields : {"metadata.name=c", "metadata.name!=c"})
    script.note(fields, names(script.ask(
                            "list", list(kConfigMaps, bench.ns(),
                                         {.selection = {.labels = "of=us", .fields = fields}}))));
  script.ask("no such field", list(kConfigMaps, bench.ns(), {.selection = {.fields = "data.k=1"}}));
  script.ask("no selector", list(kConfigMaps, bench.ns(), {.selection = {.labels = "a in"}}));
  const kube::Selection events{.fields = "regarding.kind=Pod,regarding.name=a,reason=x"};
  script.ask("fields of events", list(kube::kEvents, bench.ns(), {.selection = events}));
  script.ask("of a pod's node",
             list(kPods, bench.ns(), {.selection = {.fields = "spec.nodeName=n"}}));
  script.note("an empty namespace", names(script.ask("list", list(kPods, "there-is-no-such", {}))));
}

void pages(KubeBench& bench, KubeScript& script) {
  for (const char* name : {"a", "b", "c", "d", "e"})
    script.must(create(kConfigMaps, bench.ns(), config_map(name, {}, {{"of", "us"}})));
  const kube::Selection us{.labels = "of=us"};
  const auto first =
      script.ask("two", list(kConfigMaps, bench.ns(), {.selection = us, .limit = 2}));
  script.note("names", names(first));
  const auto token = text_at(first, "metadata.continue");
  script.note("there is more", !token.empty());
  script.must(create(kConfigMaps, bench.ns(), config_map("bb", {}, {{"of", "us"}})));
  script.must(remove(kConfigMaps, bench.name("d")));
  const auto rest = script.ask(
      "the rest", list(kConfigMaps, bench.ns(), {.selection = us, .limit = 9, .page = token}));
  script.note("names, as they were", names(rest));
  script.note("of the same version", version_of(rest) == version_of(first));
  script.field("it ends", rest, "metadata.continue");
  script.ask("no such page", list(kConfigMaps, bench.ns(), {.page = "nonsense"}));
  bench.compact();
  const auto late = list(kConfigMaps, bench.ns(), {.selection = us, .limit = 9, .page = token});
  // A server learns of a compaction a little later.
  script.until("it is forgotten",
               [&] { return bench.transport().send(late, {}, {})->status != 200; });
  script.ask("of a forgotten version", late);
}

void watches(KubeBench& bench, KubeScript& script) {
  const auto start = version_of(script.must(list(kConfigMaps, bench.ns(), {})));
  const auto a = bench.name("a");
  script.must(create(kConfigMaps, bench.ns(), config_map("a", {{"k", "1"}}, {{"l", "in"}})));
  script.must(merge_patch(kConfigMaps, a, json::Object{{"data", json::Object{{"k", "2"}}}}));
  const auto relabel = [&](json::Value value) {
    return merge_patch(
        kConfigMaps, a,
        json::Object{
            {"metadata", json::Object{{"labels", json::Object{{"l", std::move(value)}}}}}});
  };
  script.must(relabel("out"));
  script.must(create(kConfigMaps, bench.ns(), config_map("b", {}, {{"l", "out"}})));
  const auto middle = script.must(relabel("in"));
  script.must(remove(kConfigMaps, a));
  script.must(create(kConfigMaps, bench.ns(), config_map("c", {}, {{"l", "in"}})));
  const kube::Selection us{.labels = "l"}, in{.labels = "l=in"}, c{.fields = "metadata.name=c"};
  constexpr base::Duration kShort{5'000};
  const auto from = [&](const kube::Selection& selection, const std::string& version) {
    return kube::WatchOptions{
        .selection = selection, .resource_version = version, .timeout = kShort};
  };
  script.events("all", kConfigMaps, from(us, start), 7);
  script.events("in the selection", kConfigMaps, from(in, start), 6);
  script.events("from the middle", kConfigMaps, from(us, version_of(middle)), 2);
  script.events("by field", kConfigMaps, from(c, start), 1);
  bench.compact();
  // Of a kind that the server learned of late: else its memory reaches back to the beginning.
  script.events("too old", kube::kEtcdClusters, from({}, bench.forgotten_version()), 1);
  script.events("no version", kConfigMaps, from(us, "soon"), 1);
  script.events("of the future", kConfigMaps, from(us, "99999999999"), 1);
}

// Our watcher counts on these: what is gone comes as it last was, with a version of its own.
void deletions(KubeBench& bench, KubeScript& script) {
  const auto made = script.must(create(kConfigMaps, bench.ns(), config_map("a", {{"k", "1"}})));
  script.must(remove(kConfigMaps, bench.name("a")));
  std::string text;
  const auto sink = [&](std::string_view bytes) -> base::Status {
    text += bytes;
    if (text.find('\n') != std::string::npos)  // a bookmark may come before the end, or not
      return base::fail(base::Code::kCancelled, "enough");
    return {};
  };
  const kube::WatchOptions options{.resource_version = version_of(made),
                                   .timeout = base::Duration(5'000)};
  const auto reply =
      bench.transport().stream(watch(kConfigMaps, bench.ns(), options), {}, sink, {});
  const auto event = json::parse(text.substr(0, text.find('\n')));
  if (!event) throw std::runtime_error("no event");
  script.field("type", *event, "type");
  script.field("content", *event, "object.data.k");
  script.field("kind", *event, "object.kind");
  script.note("a later version",
              text_at(*event, "object.metadata.resourceVersion") != version_of(made));
}

}  // namespace

std::vector<KubeCase> kube_read_cases() {
  return {{"lists", lists}, {"pages", pages}, {"watches", watches}, {"deletions", deletions}};
}

}  // namespace conformance
