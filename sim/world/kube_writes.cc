// Writes of the fake API server.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "json/json.h"
#include "sim/world/kube_answers.h"
#include "sim/world/kube_server.h"

namespace sim {
namespace {

using base::Code;

constexpr std::array<std::string_view, 7> kNoStatus{"v1/configmaps",
                                                    "v1/secrets",
                                                    "v1/serviceaccounts",
                                                    "coordination.k8s.io/v1/leases",
                                                    "events.k8s.io/v1/events",
                                                    "storage.k8s.io/v1/storageclasses",
                                                    "networking.k8s.io/v1/networkpolicies"};

// The rest counts no generations.
constexpr std::array<std::string_view, 6> kCounted{
    "v1/pods",
    "apps/v1/statefulsets",
    "batch/v1/jobs",
    "policy/v1/poddisruptionbudgets",
    "networking.k8s.io/v1/networkpolicies",
    "apiextensions.k8s.io/v1/customresourcedefinitions"};

bool is_ours(const std::string& collection) {
  return collection.find("etcd.io/") != std::string::npos ||
         collection.find("coreos.com/") != std::string::npos;
}

bool has_generation(const std::string& collection) {
  return is_ours(collection) || std::ranges::find(kCounted, collection) != kCounted.end();
}

// Of a server's own kinds the kind comes first.
json::Value in_order(json::Value object) {
  json::Object out;
  for (const auto* field : {"kind", "apiVersion"})
    if (const auto* value = object.find(field)) out[field] = *value;
  for (const auto& [key, value] : *object.if_object()) out[key] = value;
  return out;
}

// Whose update has to name the version that it is made from.
bool needs_version(const std::string& collection) {
  return is_ours(collection) || collection == "coordination.k8s.io/v1/leases" ||
         collection == "policy/v1/poddisruptionbudgets" ||
         collection == "apiextensions.k8s.io/v1/customresourcedefinitions";
}

bool has_status(const std::string& collection) {
  return std::ranges::find(kNoStatus, collection) == kNoStatus.end();
}

// What a client may not change, or what only another part may.
void keep(json::Value& wanted, const json::Value& current, const std::string& part,
          bool status_apart) {
  for (const auto* field : {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp",
                            "deletionGracePeriodSeconds", "generation", "resourceVersion"}) {
    const auto* old = current.find("metadata")->find(field);
    if (old == nullptr)
      wanted["metadata"].if_object()->erase(field);
    else
      wanted["metadata"][field] = *old;
  }
  if (part == "status") {
    json::Value only = current;
    if (const auto* status = wanted.find("status")) only["status"] = *status;
    wanted = std::move(only);
  } else if (status_apart) {
    wanted.if_object()->erase("status");
    if (const auto* status = current.find("status")) wanted["status"] = *status;
  }
}

// What a change of means a new generation.
json::Value desired(json::Value object) {
  for (const auto* field : {"metadata", "status"}) object.if_object()->erase(field);
  return object;
}

kube::Response conflict(const std::string& message) {
  return refusal(409, "Conflict",
                 "Operation cannot be fulfilled: " + message +
                     "; please apply your changes to the latest version and try again");
}

kube::Response not_found(const kube::Name& name) {
  return refusal(404, "NotFound", fmt::format("\"{}\" not found", name.name));
}

// One name is several owners: what it applied, what it wrote otherwise, and of each part.
std::string owner_of(const kube::Request& request, const std::string& part) {
  const bool applies = request.content_type == "application/apply-patch+yaml";
  return asked(request, "fieldManager") + (applies ? " (apply)" : " (update)") + part;
}

bool selects(const json::Value& budget, const json::Value& pod) {
  const auto* wanted = budget.at("spec.selector.matchLabels");
  const auto* labels = pod.at("metadata.labels");
  if (wanted == nullptr || !wanted->is_object() || labels == nullptr) return false;
  return std::ranges::all_of(*wanted->if_object(), [&](const auto& member) {
    return labels->find(member.key) != nullptr && *labels->find(member.key) == member.value;
  });
}

// Budgets are not asked about what has ended, never began or is on its way out.
bool is_budgeted(const json::Value& pod) {
  return text_at(pod, "status.phase") == "Running" &&
         pod.at("metadata.deletionTimestamp") == nullptr;
}

bool is_ready(const json::Value& pod) {
  const auto* conditions = pod.at("status.conditions");
  return conditions != nullptr && conditions->is_array() &&
         std::ranges::any_of(*conditions->if_array(), [](const json::Value& condition) {
           return text_at(condition, "type") == "Ready" && text_at(condition, "status") == "True";
         });
}

// What an apply lays claim to.
std::map<Path, json::Value> applied(const json::Value& object) {
  auto fields = leaves(object);
  std::erase_if(fields, [](const auto& item) {
    const auto& path = item.first;
    if (path.size() == 1) return path[0] == "apiVersion" || path[0] == "kind";
    return path[0] == "metadata" && path.size() == 2 && path[1] != "ownerReferences" &&
           path[1] != "finalizers";
  });
  return fields;
}

bool is_list_of_none(const json::Value* value) {
  return value == nullptr || !value->is_array() || value->if_array()->empty();
}

}  // namespace

json::Value KubeServer::commit(const Key& key, json::Value after) {
  const auto it = objects_.find(key);
  json::Value before = it == objects_.end() ? json::Value() : it->second;
  ++version_;
  if (!after.is_null()) {
    if (!is_ours(key.collection)) after = in_order(std::move(after));
    auto& metadata = after["metadata"];
    if (before.is_null()) {
      metadata["uid"] = fmt::format("00000000-0000-4000-8000-{:012x}", ++uids_);
      metadata["creationTimestamp"] = base::to_rfc3339(clock_.now()).substr(0, 19) + "Z";
      if (has_generation(key.collection)) metadata["generation"] = 1;
    } else if (has_generation(key.collection) && desired(before) != desired(after)) {
      metadata["generation"] = json::get_int(before, "metadata.generation").value_or(0) + 1;
    }
    metadata["resourceVersion"] = std::to_string(version_);
  }
  events_.push_back({version_, key, before, after});
  if (after.is_null()) {
    objects_.erase(key);
    owned_.erase(key);
    return {};
  }
  objects_[key] = after;
  return after;
}

// Whoever changes a field by a plain write has it from then on.
void KubeServer::own(const Key& key, const std::string& manager, const json::Value& before,
                     const json::Value& after) {
  const auto old = leaves(before), now = leaves(after);
  auto& managers = owned_[key];
  for (const auto& [path, value] : now) {
    if (path[0] == "metadata" && path.size() == 2) continue;
    if (const auto it = old.find(path); it != old.end() && it->second == value) continue;
    for (auto& [name, fields] : managers) fields.erase(path);
    managers[manager][path] = value;
  }
  for (const auto& [path, value] : old)
    if (!now.contains(path))
      for (auto& [name, fields] : managers) fields.erase(path);
}

kube::Response KubeServer::create(const kube::Request& request, const Target& target) {
  auto object = json::parse(request.body);
  if (!object || !object->is_object() || !target.part.empty())
    return refusal(400, "BadRequest", "the body is no object");
  auto& metadata = (*object)["metadata"];
  if (!text_at(*object, "metadata.resourceVersion").empty())
    return refusal(500, "", "resourceVersion should not be set on objects to be created");
  Key key = target.key;
  key.name.name = text_at(*object, "metadata.name");
  if (key.name.name.empty() && !text_at(*object, "metadata.generateName").empty())
    key.name.name = fmt::format("{}{:05x}", text_at(*object, "metadata.generateName"), version_);
  if (key.name.name.empty())
    return refusal(422, "Invalid",
                   "metadata.name: Required value: name or generateName is required");
  if (target.resource->namespaced) {
    const auto ns = objects_.find({"v1/namespaces", {"", key.name.ns}});
    if (ns == objects_.end())
      return refusal(404, "NotFound", fmt::format("namespaces \"{}\" not found", key.name.ns));
    if (ns->second.at("metadata.deletionTimestamp") != nullptr)
      return refusal(403, "Forbidden", "the namespace is being terminated",
                     {json::Object{{"reason", "NamespaceTerminating"}}});
    metadata["namespace"] = key.name.ns;
  }
  if (objects_.contains(key))
    return refusal(409, "AlreadyExists", fmt::format("\"{}\" already exists", key.name.name));
  metadata["name"] = key.name.name;
  for (const auto* field : {"uid", "deletionTimestamp", "creationTimestamp"})
    metadata.if_object()->erase(field);
  if (has_status(key.collection)) object->if_object()->erase("status");
  if (key.collection == "v1/pods") (*object)["status"]["phase"] = "Pending";
  if (!asked(request, "dryRun").empty()) return good(201, *object);
  own(key, owner_of(request, ""), json::Value(), *object);
  return good(201, commit(key, *std::move(object)));
}

// By a merge patch, the one way that our client knows.
kube::Response KubeServer::scale(const kube::Request& request, const Target& target) {
  const bool ours = is_ours(target.key.collection);
  if (!ours && target.key.collection != "apps/v1/statefulsets")
    return refusal(404, "NotFound", "the server could not find the requested resource");
  const auto body = json::parse(request.body).value_or(json::Value());
  const auto replicas = json::get_int(body, "spec.replicas");
  if (!replicas) return refusal(400, "BadRequest", "a scale without replicas");
  if (*replicas < 0) return invalid("spec.replicas", "must be greater than or equal to 0");
  json::Value wanted = objects_.at(target.key);
  wanted["spec"][ours ? "size" : "replicas"] = *replicas;
  for (const auto* field : {"resourceVersion", "uid"})
    if (const auto named = text_at(body, std::string("metadata.") + field); !named.empty())
      wanted["metadata"][field] = named;
  Target whole = target;
  whole.part.clear();
  auto response = update(request, whole, std::move(wanted));
  if (response.status != 200) return response;
  return good(200, json::Object{{"kind", "Scale"},
                                {"apiVersion", "autoscaling/v1"},
                                {"metadata", *json::parse(response.body)->find("metadata")},
                                {"spec", json::Object{{"replicas", *replicas}}}});
}

kube::Response KubeServer::change(const kube::Request& request, const Target& target) {
  const auto it = objects_.find(target.key);
  if (it == objects_.end()) return not_found(target.key.name);
  if (target.part == "scale") return scale(request, target);
  const auto body = json::parse(request.body);
  if (!body) return refusal(400, "BadRequest", body.error().message);
  json::Value wanted = it->second;
  if (request.method == kube::Method::kPut) {
    if (!body->is_object()) return refusal(400, "BadRequest", "the body is no object");
    if (text_at(*body, "metadata.name") != target.key.name.name)
      return refusal(400, "BadRequest", "the name of the object does not match the URL");
    if (needs_version(target.key.collection) && text_at(*body, "metadata.resourceVersion").empty())
      return invalid("metadata.resourceVersion", "must be specified for an update");
    wanted = *body;
  } else if (request.content_type == "application/merge-patch+json") {
    merge_patch(wanted, *body);
  } else if (request.content_type == "application/json-patch+json") {
    auto patched = json_patch(std::move(wanted), *body);
    if (!patched)  // and it does not say what is wrong with it
      return refusal(422, "Invalid",
                     "the server rejected our request due to an error in our request");
    wanted = *std::move(patched);
  } else {
    return refusal(415, "UnsupportedMediaType", request.content_type);
  }
  return update(request, target, std::move(wanted));
}

kube::Response KubeServer::update(const kube::Request& request, const Target& target,
                                  json::Value wanted) {
  const json::Value current = objects_.at(target.key);
  const auto& part = target.part;
  if (part != "" && !(part == "status" && has_status(target.key.collection)))
    return refusal(404, "NotFound", "the server could not find the requested resource");
  if (!wanted.is_object() || wanted.find("metadata") == nullptr)
    return refusal(422, "Invalid", "metadata: Required value");
  const auto version = text_at(wanted, "metadata.resourceVersion");
  if (!version.empty() && version != text_at(current, "metadata.resourceVersion"))
    return conflict("the object has been modified");
  const auto uid = text_at(wanted, "metadata.uid");
  if (!uid.empty() && uid != text_at(current, "metadata.uid")) {
    if (request.method == kube::Method::kPut)
      return conflict("Precondition failed: UID in precondition: " + uid);
    // The status of an object of ours is taken from the patch, and the rest is not looked at.
    if (part != "status" || !is_ours(target.key.collection))
      return invalid("metadata.uid", "field is immutable");
  }
  keep(wanted, current, part, has_status(target.key.collection));
  // Of an object that is going away the finalizers can only become fewer.
  if (current.at("metadata.deletionTimestamp") != nullptr &&
      !is_list_of_none(wanted.at("metadata.finalizers")))
    for (const auto& one : *wanted.at("metadata.finalizers")->if_array()) {
      const auto* old = current.at("metadata.finalizers");
      if (is_list_of_none(old) ||
          std::ranges::find(*old->if_array(), one) == old->if_array()->end())
        return refusal(422, "Invalid", "metadata.finalizers: no new finalizers can be added");
    }
  if (leaves(wanted) == leaves(current) || !asked(request, "dryRun").empty())
    return good(200, wanted);
  own(target.key, owner_of(request, part), current, wanted);
  const bool ends = current.at("metadata.deletionTimestamp") != nullptr &&
                    is_list_of_none(wanted.at("metadata.finalizers")) &&
                    json::get_int(current, "metadata.deletionGracePeriodSeconds").value_or(0) == 0;
  if (!ends) return good(200, commit(target.key, std::move(wanted)));
  commit(target.key, json::Value());
  return good(200, wanted);
}

kube::Response KubeServer::apply(const kube::Request& request, const Target& target) {
  const auto manager = asked(request, "fieldManager");
  const auto body = json::parse(request.body);
  if (!body || !body->is_object()) return refusal(400, "BadRequest", "the body is no object");
  const auto owner = owner_of(request, target.part);
  if (manager.empty()) return invalid("fieldManager", "is required for apply patch");
  if (text_at(*body, "apiVersion").empty() || text_at(*body, "kind") != target.resource->kind)
    return refusal(400, "BadRequest", "invalid object type");
  auto fields = applied(*body);
  const auto it = objects_.find(target.key);
  if (it == objects_.end() && !target.part.empty()) return not_found(target.key.name);
  if (const auto name = text_at(*body, "metadata.name");
      !name.empty() && name != target.key.name.name)
    return refusal(400, "BadRequest", "the name of the object does not match the URL");
  if (it == objects_.end()) {
    if (!text_at(*body, "metadata.uid").empty()) return conflict("uid mismatch: it is not there");
    auto made = *body;
    made["metadata"]["name"] = target.key.name.name;
    auto as_create = request;
    as_create.body = json::print(made);
    Target collection = target;
    collection.key.name.name.clear();
    auto made_so = create(as_create, collection);
    if (owned_.contains(target.key)) owned_[target.key] = {{owner, fields}};
    return made_so;
  }
  auto& managers = owned_[target.key];
  json::Value wanted = it->second;
  json::Array conflicts;
  for (const auto& [path, value] : fields) {
    const auto* present = at_path(wanted, path);
    // An empty object says that it is there, not that nothing is in it.
    const bool is_empty = value.is_object() && present != nullptr && present->is_object();
    const bool same = present != nullptr && (is_empty || *present == value);
    for (const auto& [other, theirs] : managers)
      if (other != owner && !same && theirs.contains(path))
        conflicts.push_back(json::Object{{"reason", "FieldManagerConflict"},
                                         {"message", "conflict with \"" + other + "\""}});
    if (!is_empty) set_path(wanted, path, value);
  }
  if (!conflicts.empty() && asked(request, "force") != "true")
    return refusal(409, "Conflict", "Apply failed with conflicts", std::move(conflicts));
  for (const auto& [path, value] : managers[owner]) {
    // Named again, or a part of it is.
    const bool named = std::ranges::any_of(fields, [&](const auto& item) {
      return item.first.size() >= path.size() &&
             std::equal(path.begin(), path.end(), item.first.begin());
    });
    const bool shared = std::ranges::any_of(managers, [&](const auto& item) {
      return item.first != owner && item.second.contains(path);
    });
    const auto* present = at_path(wanted, path);
    const bool holds_more =
        present != nullptr && present->is_object() && !present->if_object()->empty();
    if (!named && !shared && !holds_more) erase_path(wanted, path);
  }
  for (const auto* field : {"resourceVersion", "uid"})
    if (const auto* named = body->at(std::string("metadata.") + field))
      wanted["metadata"][field] = *named;
  const auto before = managers;
  auto response = update(request, target, std::move(wanted));
  if (response.status != 200 || !asked(request, "dryRun").empty()) {
    owned_[target.key] = before;
  } else if (owned_.contains(target.key)) {
    owned_[target.key][owner] = std::move(fields);
  }
  return response;
}

kube::Response KubeServer::remove(const kube::Request& request, const Target& target) {
  const auto it = objects_.find(target.key);
  if (it == objects_.end()) return not_found(target.key.name);
  const auto options = json::parse(request.body).value_or(json::Value());
  const auto uid = text_at(options, "preconditions.uid");
  if (!uid.empty() && uid != text_at(it->second, "metadata.uid"))
    return conflict("Precondition failed: UID in precondition");
  const auto version = text_at(options, "preconditions.resourceVersion");
  if (!version.empty() && version != text_at(it->second, "metadata.resourceVersion"))
    return conflict("Precondition failed: ResourceVersion in precondition");
  // Options in the body are all that is looked at.
  const bool dry =
      request.body.empty() ? !asked(request, "dryRun").empty() : options.find("dryRun") != nullptr;
  return mark_deleted(target.key, options, dry);
}

kube::Response KubeServer::mark_deleted(const Key& key, const json::Value& options, bool dry) {
  json::Value object = objects_.at(key);
  const auto policy = text_at(options, "propagationPolicy");
  const bool going = object.at("metadata.deletionTimestamp") != nullptr;
  if (!going && (policy == "Foreground" || policy == "Orphan"))
    object["metadata"]["finalizers"].push_back(policy == "Orphan" ? "orphan"
                                                                  : "foregroundDeletion");
  const auto grace = json::get_int(options, "gracePeriodSeconds").value_or(30);
  const bool held = !is_list_of_none(object.at("metadata.finalizers"));
  // A pod that has a node ends when the node says so; a namespace when it is empty.
  const bool waits =
      (key.collection == "v1/pods" && grace > 0 && !text_at(object, "spec.nodeName").empty()) ||
      key.collection == "v1/namespaces";
  if (dry) return good(200, object);
  if (!held && !waits) {
    commit(key, json::Value());
    return good(200, object);
  }
  if (!going) {
    object["metadata"]["deletionTimestamp"] = base::to_rfc3339(clock_.now()).substr(0, 19) + "Z";
    object["metadata"]["deletionGracePeriodSeconds"] = waits ? grace : 0;
    commit(key, object);
  } else if (waits &&
             grace < json::get_int(object, "metadata.deletionGracePeriodSeconds").value_or(0)) {
    object["metadata"]["deletionGracePeriodSeconds"] = grace;
    commit(key, object);
  }
  return good(200, objects_.at(key));
}

kube::Response KubeServer::evict(const kube::Request& request, const Target& target) {
  const auto it = objects_.find(target.key);
  if (it == objects_.end() || target.key.collection != "v1/pods") return not_found(target.key.name);
  const auto body = json::parse(request.body).value_or(json::Value());
  const bool dry = !asked(request, "dryRun").empty();
  for (auto& [key, budget] : objects_) {
    if (key.collection != "policy/v1/poddisruptionbudgets" || key.name.ns != target.key.name.ns ||
        !is_budgeted(it->second) || !selects(budget, it->second))
      continue;
    const auto count = [&](std::string_view field) {
      return json::get_int(budget, "status." + std::string(field)).value_or(0);
    };
    // One that is not ready costs nothing, as long as enough others are.
    if (!is_ready(it->second) && count("desiredHealthy") > 0 &&
        count("currentHealthy") >= count("desiredHealthy"))
      break;
    const auto allowed = count("disruptionsAllowed");
    if (allowed <= 0)
      return refusal(429, "TooManyRequests",
                     "Cannot evict pod as it would violate the pod's disruption budget.",
                     {json::Object{{"reason", "DisruptionBudget"},
                                   {"message", "The disruption budget " + key.name.name +
                                                   " needs more healthy pods"}}});
    if (dry) break;
    auto less = budget;
    less["status"]["disruptionsAllowed"] = allowed - 1;
    commit(key, std::move(less));
    break;
  }
  kube::Request as_delete = request;
  auto options = body.find("deleteOptions") == nullptr ? json::Value(json::Object())
                                                       : *body.find("deleteOptions");
  if (dry) options["dryRun"] = json::Array{"All"};
  as_delete.body = json::print(options);
  auto response = remove(as_delete, target);
  if (response.status == 200)
    return {.status = 201, .body = R"({"kind":"Status","apiVersion":"v1","status":"Success"})"};
  return response;
}

}  // namespace sim
