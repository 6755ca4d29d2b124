// What controllers of the real server's side do with objects that nobody wants any more.
#include <algorithm>

#include "sim/world/kube_answers.h"
#include "sim/world/kube_server.h"

namespace sim {
namespace {

const json::Array& owners(const json::Value& object) {
  static const json::Array none;
  const auto* list = object.at("metadata.ownerReferences");
  return list == nullptr || !list->is_array() ? none : *list->if_array();
}

bool is_owned_by(const json::Value& object, const std::string& uid) {
  return std::ranges::any_of(
      owners(object), [&](const json::Value& owner) { return text_at(owner, "uid") == uid; });
}

bool holds(const json::Value& object, std::string_view finalizer) {
  const auto* list = object.at("metadata.finalizers");
  return object.at("metadata.deletionTimestamp") != nullptr && list != nullptr &&
         list->is_array() &&
         std::ranges::find(*list->if_array(), json::Value(finalizer)) != list->if_array()->end();
}

bool is_going(const json::Value& object) {
  return object.at("metadata.deletionTimestamp") != nullptr;
}

}  // namespace

bool KubeServer::collect_garbage() {
  bool any = false;
  while (collect_one()) any = true;
  return any;
}

// One change, because each one moves the map that is walked over.
bool KubeServer::collect_one() {
  const auto let_go = [&](const Key& key, std::string_view finalizer) {
    json::Value object = objects_.at(key);
    auto* list = object["metadata"]["finalizers"].if_array();
    std::erase(*list, json::Value(finalizer));
    // A pod whose node has to end it stays.
    const bool last = list->empty() &&
                      json::get_int(object, "metadata.deletionGracePeriodSeconds").value_or(0) == 0;
    commit(key, last ? json::Value() : std::move(object));
    return true;
  };
  const State now = objects_;
  for (const auto& [key, object] : now) {
    const auto uid = text_at(object, "metadata.uid");
    if (key.collection == "v1/namespaces" && is_going(object)) {
      bool empty = true;
      for (const auto& [inner, held] : now) {
        if (inner.name.ns != key.name.name) continue;
        empty = false;
        if (is_going(held)) continue;
        mark_deleted(inner, json::Object{{"propagationPolicy", "Background"}}, false);
        return true;
      }
      if (empty) {
        commit(key, json::Value());
        return true;
      }
    }
    for (const bool orphan : {true, false}) {
      const std::string_view finalizer = orphan ? "orphan" : "foregroundDeletion";
      if (!holds(object, finalizer)) continue;
      bool left = false;
      for (const auto& [inner, dependent] : now) {
        if (!is_owned_by(dependent, uid)) continue;
        left = true;
        if (orphan) {
          auto freed = dependent;
          std::erase_if(*freed["metadata"]["ownerReferences"].if_array(),
                        [&](const json::Value& owner) { return text_at(owner, "uid") == uid; });
          if (owners(freed).empty()) freed["metadata"].if_object()->erase("ownerReferences");
          commit(inner, std::move(freed));
          return true;
        }
        if (is_going(dependent)) continue;
        mark_deleted(inner, json::Object{{"propagationPolicy", "Foreground"}}, false);
        return true;
      }
      if (!left) return let_go(key, finalizer);
    }
    // Gone only when all its owners are.
    if (owners(object).empty() || is_going(object)) continue;
    const bool orphaned = std::ranges::none_of(owners(object), [&](const json::Value& owner) {
      return has_uid(key.name.ns, text_at(owner, "uid"));
    });
    if (!orphaned) continue;
    mark_deleted(key, json::Object{{"propagationPolicy", "Background"}}, false);
    return true;
  }
  return false;
}

void KubeServer::pod_ended(const kube::Name& pod) {
  const Key key{"v1/pods", pod};
  const auto it = objects_.find(key);
  if (it == objects_.end() || !is_going(it->second)) return;
  const auto* finalizers = it->second.at("metadata.finalizers");
  if (finalizers != nullptr && finalizers->is_array() && !finalizers->if_array()->empty()) return;
  commit(key, json::Value());
}

}  // namespace sim
