// What both benches share: a case's notes, and its objects.
#include "conformance/kube_api_bench.h"

#include <fmt/format.h>

#include "json/json.h"
#include "kube/answer.h"

namespace conformance {
namespace {

kube::Response sent(KubeBench& bench, const kube::Request& request) {
  auto reply = bench.transport().send(request, {}, {});
  if (!reply) throw std::runtime_error(request.what + ": " + reply.error().error.message);
  return *std::move(reply);
}

}  // namespace

json::Value KubeScript::ask(const std::string& what, const kube::Request& request) {
  const auto response = sent(bench_, request);
  auto object = kube::judge(request, response);
  if (object) {
    note(what, std::to_string(response.status));
    return *std::move(object);
  }
  const auto& failure = object.error();
  note(what, fmt::format("{} {} {}", failure.status, failure.reason, base::name_of(failure.code)));
  return {};
}

json::Value KubeScript::must(const kube::Request& request) {
  auto object = kube::judge(request, sent(bench_, request));
  if (!object) throw std::runtime_error(object.error().text());
  return *std::move(object);
}

bool KubeScript::exists(const kube::Resource& resource, const std::string& name) {
  return sent(bench_, get(resource, bench_.name(name))).status == 200;
}

void KubeScript::field(const std::string& what, const json::Value& object,
                       const std::string& path) {
  const auto* value = object.at(path);
  note(what, value == nullptr ? "none" : json::print(*value));
}

void KubeScript::events(const std::string& what, const kube::Resource& resource,
                        const kube::WatchOptions& options, size_t count) {
  std::string rest;
  size_t seen = 0;
  const auto sink = [&](std::string_view bytes) -> base::Status {
    rest += bytes;
    for (size_t end = 0; seen < count && (end = rest.find('\n')) != std::string::npos;) {
      const auto event = json::parse(rest.substr(0, end));
      rest.erase(0, end + 1);
      if (!event) throw std::runtime_error("an event is no JSON");
      const auto type = text_at(*event, "type");
      if (type == "BOOKMARK") continue;
      ++seen;
      const auto* code = event->at("object.code");
      note(what, type + " " + (code != nullptr ? json::print(*code) + " " : "") +
                     text_at(*event, code != nullptr ? "object.reason" : "object.metadata.name"));
    }
    if (seen >= count) return base::fail(base::Code::kCancelled, "enough");
    return {};
  };
  const auto request = watch(resource, bench_.ns(), options);
  const auto reply = bench_.transport().stream(request, {}, sink, {});
  if (reply && (reply->status < 200 || reply->status > 299)) {
    const auto failure = kube::failure_of(request, *reply);
    note(what,
         fmt::format("{} {} {}", failure.status, failure.reason, base::name_of(failure.code)));
  } else if (seen < count) {
    note(what, fmt::format("only {} events", seen));
  }
}

std::string text_at(const json::Value& object, const std::string& path) {
  return json::get_string(object, path).value_or("");
}

std::string version_of(const json::Value& object) {
  return text_at(object, "metadata.resourceVersion");
}

json::Value config_map(const std::string& name, json::Object data, json::Object labels) {
  json::Value object = json::Object{{"metadata", json::Object{{"name", name}}}};
  if (!data.empty()) object["data"] = std::move(data);
  if (!labels.empty()) object["metadata"]["labels"] = std::move(labels);
  return object;
}

json::Value cluster(const std::string& name, int size) {
  return json::Object{{"metadata", json::Object{{"name", name}}},
                      {"spec", json::Object{{"size", size}, {"version", "3.5.33"}}}};
}

json::Value pod(const std::string& name, json::Object labels, const std::string& node) {
  json::Value object = config_map(name, {}, std::move(labels));
  if (!node.empty()) object["spec"]["nodeName"] = node;
  object["spec"]["containers"].push_back(json::Object{{"name", "c"}, {"image", "none"}});
  return object;
}

json::Value stateful_set(const std::string& name, int replicas) {
  json::Value object = config_map(name);
  object["spec"]["replicas"] = replicas;
  object["spec"]["serviceName"] = "s";
  object["spec"]["updateStrategy"]["type"] = "OnDelete";
  object["spec"]["podManagementPolicy"] = "Parallel";
  object["spec"]["selector"]["matchLabels"]["set"] = name;
  object["spec"]["template"]["metadata"]["labels"]["set"] = name;
  object["spec"]["template"]["spec"]["containers"].push_back(
      json::Object{{"name", "c"}, {"image", "none"}});
  return object;
}

json::Value owned_by(json::Value object, const json::Value& owner, bool blocks) {
  json::Object reference{{"apiVersion", text_at(owner, "apiVersion")},
                         {"kind", text_at(owner, "kind")},
                         {"name", text_at(owner, "metadata.name")},
                         {"uid", text_at(owner, "metadata.uid")}};
  if (blocks) reference["blockOwnerDeletion"] = true;
  object["metadata"]["ownerReferences"].push_back(std::move(reference));
  return object;
}

}  // namespace conformance
