#include "sim/world/kube_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "sim/world/kube_answers.h"

namespace sim {
namespace {

using base::Code;

const std::vector<const kube::Resource*>& resources() {
  static const std::vector<const kube::Resource*> all{&kube::kPods,
                                                      &kube::kServices,
                                                      &kube::kSecrets,
                                                      &kube::kConfigMaps,
                                                      &kube::kServiceAccounts,
                                                      &kube::kClaims,
                                                      &kube::kVolumes,
                                                      &kube::kNodes,
                                                      &kube::kNamespaces,
                                                      &kube::kStatefulSets,
                                                      &kube::kJobs,
                                                      &kube::kBudgets,
                                                      &kube::kNetworkPolicies,
                                                      &kube::kStorageClasses,
                                                      &kube::kLeases,
                                                      &kube::kEvents,
                                                      &kube::kDefinitions,
                                                      &kube::kEtcdClusters,
                                                      &kube::kEtcdBackups,
                                                      &kube::kEtcdRestores,
                                                      &kube::kCoreosClusters,
                                                      &kube::kCoreosBackups,
                                                      &kube::kCoreosRestores};
  return all;
}

std::string unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' && i + 2 < text.size() ? base::parse_hex(text.substr(i + 1, 2))
                                                            : std::nullopt;
    out += byte ? static_cast<char>(*byte) : text[i];
    if (byte) i += 2;
  }
  return out;
}

std::string event_line(std::string_view type, const json::Value& object) {
  return json::print(json::Object{{"type", type}, {"object", object}}) + "\n";
}

}  // namespace

KubeServer::KubeServer(const base::Clock& clock) : clock_(clock) {
  for (const auto* ns : {"default", "kube-system"}) {
    const Key key{"v1/namespaces", {"", ns}};
    commit(key, json::Object{{"apiVersion", "v1"},
                             {"kind", "Namespace"},
                             {"metadata", json::Object{{"name", ns}}}});
  }
}

base::Result<KubeServer::Target> KubeServer::parse(const kube::Request& request) const {
  std::vector<std::string> parts;
  for (const auto part : base::split(std::string_view(request.path).substr(1), '/'))
    parts.push_back(unescape(part));
  const size_t core = parts[0] == "api" ? 1 : 0;
  if ((parts[0] != "api" && parts[0] != "apis") || parts.size() < 4 - core)
    return base::fail(Code::kNotFound, "the server could not find the requested resource");
  const std::string group = core == 1 ? "" : parts[1], version = parts[2 - core];
  size_t at = 3 - core;
  Target target;
  if (parts[at] == "namespaces" && parts.size() > at + 2) {
    target.key.name.ns = parts[at + 1];
    at += 2;
  }
  for (const auto* resource : resources())
    if (resource->group == group && resource->version == version && resource->plural == parts[at])
      target.resource = resource;
  if (target.resource == nullptr || parts.size() > at + 3)
    return base::fail(Code::kNotFound, "the server could not find the requested resource");
  target.key.collection = fmt::format("{}/{}", target.resource->api_version(), parts[at]);
  if (parts.size() > at + 1) target.key.name.name = parts[at + 1];
  if (parts.size() > at + 2) target.part = parts[at + 2];
  return target;
}

kube::Reply KubeServer::send(const kube::Request& request, const kube::Limits& /*limits*/,
                             const std::stop_token& stop) {
  using Lost = kube::Lost;
  if (stop.stop_requested()) return std::unexpected(Lost{{Code::kCancelled, "stopped"}, false});
  if (!request.fault.empty()) return std::unexpected(Lost{{Code::kInternal, request.fault}, false});
  const auto fate = std::ranges::find_if(
      fates_, [&](const auto& item) { return request.what.starts_with(item.first); });
  if (fate == fates_.end()) return answer(request);
  const auto what = fate->second;
  fates_.erase(fate);
  switch (what) {
    case Fate::kLostRequest:
      break;
    case Fate::kLostAnswer:
      static_cast<void>(answer(request));
      break;
    case Fate::kUnavailable:
      return refusal(503, "ServiceUnavailable", "the server is currently unable to handle it");
    case Fate::kTooMany: {
      auto response = refusal(429, "TooManyRequests", "too many requests");
      response.retry_after = "1";
      return response;
    }
  }
  return std::unexpected(Lost{{Code::kUnavailable, "connection reset by peer"}, /*sent=*/true});
}

kube::Response KubeServer::answer(const kube::Request& request) {
  const auto target = parse(request);
  if (!target) return {.status = 404, .body = "404 page not found\n"};
  const auto& key = target->key;
  switch (request.method) {
    case kube::Method::kGet: {
      if (key.name.name.empty()) return list(request, *target);
      const auto it = objects_.find(key);
      if (it == objects_.end())
        return refusal(404, "NotFound",
                       fmt::format("{} \"{}\" not found", target->resource->plural, key.name.name));
      return good(200, it->second);
    }
    case kube::Method::kPost:
      return target->part == "eviction" ? evict(request, *target) : create(request, *target);
    case kube::Method::kPut:
      return change(request, *target);
    case kube::Method::kPatch:
      return request.content_type == "application/apply-patch+yaml" ? apply(request, *target)
                                                                    : change(request, *target);
    case kube::Method::kDelete:
      // Deleting a collection is a thing that we never do.
      return key.name.name.empty() ? refusal(405, "MethodNotAllowed", "no name")
                                   : remove(request, *target);
  }
  return refusal(405, "MethodNotAllowed", "no such method");
}

std::uint64_t KubeServer::shown() const {
  if (lag_ == 0) return version_;
  return lag_ >= events_.size() ? forgotten_ : events_[events_.size() - 1 - lag_].version;
}

KubeServer::State KubeServer::state_at(std::uint64_t version) const {
  State state = old_;
  for (const auto& event : events_) {
    if (event.version > version) break;
    if (event.after.is_null())
      state.erase(event.key);
    else
      state[event.key] = event.after;
  }
  return state;
}

kube::Response KubeServer::list(const kube::Request& request, const Target& target) const {
  auto version = asked(request, "resourceVersion") == "0" ? shown() : version_;
  kube::Name from;
  if (const auto token = asked(request, "continue"); !token.empty()) {
    const auto parts = base::split(token, ':');
    const auto at = base::parse_int(parts[0]);
    if (parts.size() != 3 || !at) return refusal(400, "BadRequest", "continue key is not valid");
    if (!asked(request, "resourceVersion").empty())
      return refusal(400, "BadRequest", "resourceVersion beside continue");
    version = static_cast<std::uint64_t>(*at);
    if (version < forgotten_)
      return refusal(410, "Expired", "The provided continue parameter is too old");
    from = {std::string(parts[1]), std::string(parts[2])};
  }
  const auto limit = base::parse_int(asked(request, "limit")).value_or(0);
  const json::Value nothing = json::Object();
  for (const auto& understood : {matches_labels(nothing, asked(request, "labelSelector")),
                                 matches_fields(nothing, asked(request, "fieldSelector"))})
    if (!understood) return refusal(400, "BadRequest", understood.error().message);
  json::Array items;
  std::string next;
  State then;
  if (version < version_) then = state_at(version);
  const State& state = version < version_ ? then : objects_;
  for (auto it = state.lower_bound(Key{target.key.collection, from}); it != state.end(); ++it) {
    const auto& [key, object] = *it;
    if (key.collection != target.key.collection) break;
    if (key.name <= from) continue;
    if (!target.key.name.ns.empty() && key.name.ns != target.key.name.ns) continue;
    if (!matches_labels(object, asked(request, "labelSelector")).value_or(false) ||
        !matches_fields(object, asked(request, "fieldSelector")).value_or(false))
      continue;
    if (limit > 0 && static_cast<std::int64_t>(items.size()) == limit) {
      const auto& last = items.back();
      next = fmt::format("{}:{}:{}", version, text_at(last, "metadata.namespace"),
                         text_at(last, "metadata.name"));
      break;
    }
    items.push_back(object);
    // Of its own kinds a server does not say in lists what they are.
    if (!is_custom(*target.resource))
      for (const auto* field : {"kind", "apiVersion"}) items.back().if_object()->erase(field);
  }
  json::Value metadata = json::Object{{"resourceVersion", std::to_string(version)}};
  if (!next.empty()) metadata["continue"] = next;
  return good(200, json::Object{{"kind", std::string(target.resource->kind) + "List"},
                                {"apiVersion", target.resource->api_version()},
                                {"metadata", std::move(metadata)},
                                {"items", std::move(items)}});
}

kube::Reply KubeServer::stream(const kube::Request& request, const kube::Limits& /*limits*/,
                               const kube::Sink& sink, const std::stop_token& stop) {
  if (stop.stop_requested())
    return std::unexpected(kube::Lost{{Code::kCancelled, "stopped"}, false});
  const auto target = parse(request);
  if (!target) return kube::Response{.status = 404, .body = "404 page not found\n"};
  const auto asked_version = base::parse_int(asked(request, "resourceVersion"));
  if (asked(request, "watch").empty() || !asked_version || *asked_version <= 0)
    return refusal(500, "", "a watch from a version, and nothing else");
  const auto from = static_cast<std::uint64_t>(*asked_version);
  // The real one waits, without a word, until there is such a version.
  if (from > version_) return kube::Response{.status = 200};
  std::string text;
  if (from < forgotten_)
    text = event_line("ERROR", status_object(410, "Expired", "too old resource version"));
  auto it = from < forgotten_ ? events_.end()
                              : std::ranges::upper_bound(events_, from, {}, &Event::version);
  for (; it != events_.end() && it->version <= shown(); ++it) {
    const auto& event = *it;
    const auto& key = event.key;
    if (key.collection != target->key.collection) continue;
    if (!target->key.name.ns.empty() && key.name.ns != target->key.name.ns) continue;
    const auto in = [&](const json::Value& object) {
      return !object.is_null() &&
             matches_labels(object, asked(request, "labelSelector")).value_or(false) &&
             matches_fields(object, asked(request, "fieldSelector")).value_or(false);
    };
    const bool was = in(event.before), is = in(event.after);
    if (!was && !is) continue;
    // What is gone, or out of the selection, comes with the version of its going.
    auto object = event.after.is_null() ? event.before : event.after;
    object["metadata"]["resourceVersion"] = std::to_string(event.version);
    text += event_line(was && is ? "MODIFIED" : is ? "ADDED" : "DELETED", object);
  }
  if (from >= forgotten_ && asked(request, "allowWatchBookmarks") == "true")
    text += event_line(
        "BOOKMARK",
        json::Object{{"kind", target->resource->kind},
                     {"metadata",
                      json::Object{{"resourceVersion", std::to_string(std::max(from, shown()))}}}});
  if (const auto taken = sink(text); !taken)
    return std::unexpected(kube::Lost{taken.error(), /*sent=*/true});
  return kube::Response{.status = 200};
}

void KubeServer::compact(size_t changes) {
  while (events_.size() > changes) {
    const auto& event = events_.front();
    if (event.after.is_null())
      old_.erase(event.key);
    else
      old_[event.key] = event.after;
    forgotten_ = event.version;
    events_.erase(events_.begin());
  }
}

const json::Value* KubeServer::find(const kube::Resource& resource, const kube::Name& name) const {
  const auto it =
      objects_.find({fmt::format("{}/{}", resource.api_version(), resource.plural), name});
  return it == objects_.end() ? nullptr : &it->second;
}

std::vector<json::Value> KubeServer::all(const kube::Resource& resource,
                                         std::string_view ns) const {
  const auto collection = fmt::format("{}/{}", resource.api_version(), resource.plural);
  std::vector<json::Value> out;
  for (auto it = objects_.lower_bound(Key{collection, {}});
       it != objects_.end() && it->first.collection == collection; ++it)
    if (ns.empty() || it->first.name.ns == ns) out.push_back(it->second);
  return out;
}

bool KubeServer::has_uid(const std::string& ns, const std::string& uid) const {
  return std::ranges::any_of(objects_, [&](const auto& item) {
    // An owner is of the same namespace or of the cluster.
    return text_at(item.second, "metadata.uid") == uid &&
           (item.first.name.ns.empty() || item.first.name.ns == ns);
  });
}

}  // namespace sim
