#include "kube/store.h"

namespace kube {

Object Store::find(const Name& name) const {
  const std::scoped_lock lock(mutex_);
  const auto it = objects_.find(name);
  return it == objects_.end() ? nullptr : it->second;
}

std::vector<Object> Store::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Object> out;
  out.reserve(objects_.size());
  for (const auto& [name, object] : objects_) out.push_back(object);
  return out;
}

std::vector<Object> Store::group(const std::string& ns, const std::string& value) const {
  const std::scoped_lock lock(mutex_);
  std::vector<Object> out;
  if (const auto it = groups_.find({ns, value}); it != groups_.end())
    for (const auto& name : it->second) out.push_back(objects_.at(name));
  return out;
}

size_t Store::size() const {
  const std::scoped_lock lock(mutex_);
  return objects_.size();
}

bool Store::complete() const {
  const std::scoped_lock lock(mutex_);
  return complete_;
}

std::optional<base::Tick> Store::seen_at() const {
  const std::scoped_lock lock(mutex_);
  return seen_at_;
}

std::optional<Store::Group> Store::group_of(const Name& name, const Object& object) const {
  if (label_.empty() || object == nullptr) return std::nullopt;
  const auto* labels = object->at("metadata.labels");  // the label's own name has dots
  const auto* value = labels == nullptr ? nullptr : labels->find(label_);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return Group(name.ns, *value->if_string());
}

void Store::index(const Name& name, const Object& before, const Object& after) {
  const auto from = group_of(name, before), to = group_of(name, after);
  if (from == to) return;
  if (from) {
    const auto it = groups_.find(*from);
    it->second.erase(name);
    if (it->second.empty()) groups_.erase(it);
  }
  if (to) groups_[*to].insert(name);
}

std::vector<Change> Store::replace(Objects objects, base::Tick now) {
  const std::scoped_lock lock(mutex_);
  std::vector<Change> changes;
  for (const auto& [name, before] : objects_)
    if (!objects.contains(name)) changes.push_back({name, before, nullptr});
  for (auto& [name, after] : objects) {
    const auto it = objects_.find(name);
    if (it == objects_.end())
      changes.push_back({name, nullptr, after});
    else if (*it->second != *after)
      changes.push_back({name, it->second, after});
  }
  for (const auto& change : changes) index(change.name, change.before, change.after);
  objects_ = std::move(objects);
  complete_ = true;
  seen_at_ = now;
  return changes;
}

std::optional<Change> Store::put(const Name& name, Object object, base::Tick now) {
  const std::scoped_lock lock(mutex_);
  seen_at_ = now;
  const auto it = objects_.find(name);
  Change change{name, it == objects_.end() ? nullptr : it->second, object};
  if (change.before == nullptr && object == nullptr) return std::nullopt;
  if (change.before != nullptr && object != nullptr && *change.before == *object)
    return std::nullopt;
  index(name, change.before, object);
  if (object == nullptr)
    objects_.erase(it);
  else
    objects_[name] = std::move(object);
  return change;
}

void Store::seen(base::Tick now) {
  const std::scoped_lock lock(mutex_);
  seen_at_ = now;
}

}  // namespace kube
