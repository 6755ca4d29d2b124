// The objects of one kind as a watch last saw them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "json/value.h"
#include "kube/request.h"

namespace kube {

// Shared: a reader keeps what it was given while the watch goes on.
using Object = std::shared_ptr<const json::Value>;
using Objects = std::map<Name, Object>;

struct Change {
  Name name;
  Object before, after;  // null: it was not there, it is gone
};

// Thread-safe: one thread writes, all may read.
class Store {
 public:
  // `label`: what group() looks up; may be empty.
  explicit Store(std::string label = "") : label_(std::move(label)) {}

  [[nodiscard]] Object find(const Name& name) const;  // null if absent
  [[nodiscard]] std::vector<Object> all() const;
  // Those of a namespace whose label has this value.
  [[nodiscard]] std::vector<Object> group(const std::string& ns, const std::string& value) const;
  [[nodiscard]] size_t size() const;

  // Until the first whole list was seen, an object that is not here is unknown, not absent.
  [[nodiscard]] bool complete() const;
  // When the server last said that this is the state, or what changed in it.
  [[nodiscard]] std::optional<base::Tick> seen_at() const;

  // For the watch. All at once: a reader sees the old set or the new one.
  std::vector<Change> replace(Objects objects, base::Tick now);
  std::optional<Change> put(const Name& name, Object object, base::Tick now);  // null: remove
  void seen(base::Tick now);

 private:
  using Group = std::pair<std::string, std::string>;  // namespace, the label's value
  [[nodiscard]] std::optional<Group> group_of(const Name& name, const Object& object) const;
  void index(const Name& name, const Object& before, const Object& after);

  const std::string label_;
  mutable std::mutex mutex_;  // guards what follows
  Objects objects_;
  std::map<Group, std::set<Name>> groups_;
  bool complete_ = false;
  std::optional<base::Tick> seen_at_;
};

}  // namespace kube
