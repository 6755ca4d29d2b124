#include "kube/request.h"

#include <fmt/format.h>

#include "http/escape.h"
#include "json/json.h"

namespace kube {
namespace {

constexpr std::string_view kJson = "application/json";

using http::escape;

// A segment that would name something else than one object.
bool is_bad(std::string_view segment) {
  return segment.empty() || segment == "." || segment == ".." ||
         segment.find('/') != std::string_view::npos;
}

Request about(Method method, std::string_view verb, const Resource& resource, std::string_view ns) {
  Request request{.method = method};
  request.path = resource.group.empty()
                     ? fmt::format("/api/{}", resource.version)
                     : fmt::format("/apis/{}/{}", escape(resource.group), escape(resource.version));
  if (!resource.namespaced && !ns.empty())
    request.fault = fmt::format("{} have no namespace, and {} is given", resource.plural, ns);
  if (!ns.empty()) {
    if (is_bad(ns)) request.fault = fmt::format("\"{}\" is no namespace", ns);
    request.path += "/namespaces/" + escape(ns);
  }
  request.path += fmt::format("/{}", resource.plural);
  request.what = fmt::format("{} {}", verb, resource.plural);
  if (!ns.empty()) request.what += fmt::format(" of {}", ns);
  return request;
}

Request about(Method method, std::string_view verb, const Resource& resource, const Name& name) {
  Request request = about(method, verb, resource, name.ns);
  request.what = fmt::format("{} {} {}", verb, resource.plural, name.text());
  if (resource.namespaced && name.ns.empty())
    request.fault = fmt::format("{} are of a namespace, and none is given", resource.plural);
  if (is_bad(name.name)) request.fault = fmt::format("\"{}\" names no object", name.name);
  request.path += "/" + escape(name.name);
  return request;
}

void put(Request& request, std::string_view content_type, const json::Value& body) {
  request.content_type = content_type;
  request.body = json::print(body);
}

void ask(Request& request, std::string_view key, std::string value) {
  if (!value.empty()) request.query.emplace_back(key, std::move(value));
}

void select(Request& request, const Selection& selection) {
  ask(request, "labelSelector", selection.labels);
  ask(request, "fieldSelector", selection.fields);
}

void sign(Request& request) {
  ask(request, "fieldManager", std::string(kFieldManager));
}

// The server fills these in where they are missing, but apply wants them said.
json::Value with_type(const Resource& resource, const json::Value& object) {
  json::Object typed{{"apiVersion", resource.api_version()}, {"kind", resource.kind}};
  if (const auto* members = object.if_object())
    for (const auto& [key, value] : *members) typed[key] = value;
  return typed;
}

std::string_view name_of(Propagation propagation) {
  switch (propagation) {
    case Propagation::kBackground:
      return "Background";
    case Propagation::kForeground:
      return "Foreground";
    case Propagation::kOrphan:
      return "Orphan";
  }
  return "Background";
}

json::Value delete_options(const RemoveOptions& options) {
  json::Value body = json::Object{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}};
  body["propagationPolicy"] = name_of(options.propagation);
  if (options.grace_seconds) body["gracePeriodSeconds"] = *options.grace_seconds;
  if (!options.expected.uid.empty()) body["preconditions"]["uid"] = options.expected.uid;
  if (!options.expected.resource_version.empty())
    body["preconditions"]["resourceVersion"] = options.expected.resource_version;
  return body;
}

}  // namespace

std::string_view name_of(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
  }
  return "GET";
}

std::string Request::target() const {
  std::string text = path;
  char separator = '?';
  for (const auto& [key, value] : query) {
    text += separator;
    text += escape(key) + "=" + escape(value);
    separator = '&';
  }
  return text;
}

Request get(const Resource& resource, const Name& name) {
  return about(Method::kGet, "get", resource, name);
}

Request list(const Resource& resource, std::string_view ns, const ListOptions& options) {
  Request request = about(Method::kGet, "list", resource, ns);
  select(request, options.selection);
  if (options.limit != 0) ask(request, "limit", std::to_string(options.limit));
  ask(request, "continue", options.page);
  // A page belongs to the list that it continues; the server refuses a version beside it.
  if (options.page.empty()) ask(request, "resourceVersion", options.resource_version);
  return request;
}

Request watch(const Resource& resource, std::string_view ns, const WatchOptions& options) {
  Request request = about(Method::kGet, "watch", resource, ns);
  ask(request, "watch", "1");
  ask(request, "allowWatchBookmarks", "true");
  select(request, options.selection);
  ask(request, "resourceVersion", options.resource_version);
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options.timeout).count();
  ask(request, "timeoutSeconds", std::to_string(seconds));
  return request;
}

Request create(const Resource& resource, std::string_view ns, const json::Value& object) {
  Request request = about(Method::kPost, "create", resource, ns);
  if (const auto* name = object.at("metadata.name"); name != nullptr && name->is_string())
    request.what = fmt::format("create {} {}", resource.plural,
                               Name{std::string(ns), *name->if_string()}.text());
  if (resource.namespaced && ns.empty())
    request.fault = fmt::format("{} are of a namespace, and none is given", resource.plural);
  sign(request);
  put(request, kJson, with_type(resource, object));
  return request;
}

Request replace(const Resource& resource, const Name& name, const json::Value& object) {
  Request request = about(Method::kPut, "replace", resource, name);
  sign(request);
  put(request, kJson, with_type(resource, object));
  return request;
}

Request apply(const Resource& resource, const Name& name, const json::Value& object,
              const ApplyOptions& options) {
  Request request = about(Method::kPatch, "apply", resource, name);
  if (options.manager.empty()) request.fault = "apply needs a field manager";
  ask(request, "fieldManager", options.manager);
  if (options.force) ask(request, "force", "true");
  put(request, "application/apply-patch+yaml", with_type(resource, object));
  return request;
}

Request merge_patch(const Resource& resource, const Name& name, json::Value patch,
                    const Expected& expected) {
  Request request = about(Method::kPatch, "patch", resource, name);
  sign(request);
  if (!expected.uid.empty()) patch["metadata"]["uid"] = expected.uid;
  if (!expected.resource_version.empty())
    patch["metadata"]["resourceVersion"] = expected.resource_version;
  put(request, "application/merge-patch+json", patch);
  return request;
}

Request json_patch(const Resource& resource, const Name& name, const json::Array& operations,
                   const Expected& expected) {
  Request request = about(Method::kPatch, "patch", resource, name);
  sign(request);
  json::Array all;
  const auto test = [&](std::string_view path, const std::string& value) {
    if (!value.empty())
      all.emplace_back(json::Object{{"op", "test"}, {"path", path}, {"value", value}});
  };
  test("/metadata/uid", expected.uid);
  test("/metadata/resourceVersion", expected.resource_version);
  all.insert(all.end(), operations.begin(), operations.end());
  put(request, "application/json-patch+json", std::move(all));
  return request;
}

Request remove(const Resource& resource, const Name& name, const RemoveOptions& options) {
  Request request = about(Method::kDelete, "delete", resource, name);
  put(request, kJson, delete_options(options));
  return request;
}

Request evict(const Name& pod, const RemoveOptions& options) {
  Request request = of_part(about(Method::kPost, "evict", kPods, pod), "eviction");
  request.what = fmt::format("evict pods {}", pod.text());
  put(request, kJson,
      json::Object{{"apiVersion", "policy/v1"},
                   {"kind", "Eviction"},
                   {"metadata", json::Object{{"name", pod.name}, {"namespace", pod.ns}}},
                   {"deleteOptions", delete_options(options)}});
  return request;
}

Request scale(const Resource& resource, const Name& name, std::int64_t replicas,
              const Expected& expected) {
  const json::Value patch = json::Object{{"spec", json::Object{{"replicas", replicas}}}};
  return of_part(merge_patch(resource, name, patch, expected), "scale");
}

Request pod_log(const Name& pod, const LogOptions& options) {
  Request request = of_part(about(Method::kGet, "read", kPods, pod), "log");
  ask(request, "container", options.container);
  if (options.previous) ask(request, "previous", "true");
  ask(request, "tailLines", std::to_string(options.tail_lines));
  ask(request, "limitBytes", std::to_string(options.limit_bytes));
  return request;
}

Request raw_get(std::string path) {
  Request request{.method = Method::kGet, .path = std::move(path)};
  request.what = fmt::format("get {}", request.path);
  if (!request.path.starts_with('/')) request.fault = "a path begins with /";
  return request;
}

Request of_part(Request request, std::string_view part) {
  request.path += fmt::format("/{}", part);
  request.what += fmt::format(" ({})", part);
  return request;
}

Request dry_run(Request request) {
  ask(request, "dryRun", "All");
  // A server that is given options in the body of a delete looks at no others: it would delete.
  if (request.method == Method::kDelete) {
    auto options = json::parse(request.body).value_or(json::Object());
    options["dryRun"] = json::Array{"All"};
    request.body = json::print(options);
  }
  request.what += " (dry run)";
  return request;
}

}  // namespace kube
