// A fake Kubernetes API server: objects with versions, conflicts, lists by page, watches that lag
// and forget, field managers, finalizers, owners. It answers at once and does nothing by itself:
// what controllers do, the levers do. Deviations from the real one: fields of lists are owned as
// one value; objects are not checked against schemas.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "json/value.h"
#include "kube/transport.h"
#include "sim/world/kube_patch.h"

namespace sim {

// For one thread. `clock` must outlive it.
class KubeServer final : public kube::Transport {
 public:
  explicit KubeServer(const base::Clock& clock);

  kube::Reply send(const kube::Request& request, const kube::Limits& limits,
                   const std::stop_token& stop) override;
  // Gives what has happened since, a bookmark, and ends.
  kube::Reply stream(const kube::Request& request, const kube::Limits& limits,
                     const kube::Sink& sink, const std::stop_token& stop) override;

  enum class Fate {
    kLostRequest,  // nothing has happened, and nobody says so
    kLostAnswer,   // it has happened
    kUnavailable,  // 503
    kTooMany       // 429
  };
  // For the next request whose `what` begins so.
  void befall(std::string what, Fate fate) { fates_.emplace_back(std::move(what), fate); }
  void calm() { fates_.clear(); }
  // Watches, and lists of version "0", see the state before the last `changes` changes.
  void lag(size_t changes) { lag_ = changes; }
  // Forgets what was before the last `changes` changes: older versions are gone.
  void compact(size_t changes);
  // One turn of the garbage collector and of the namespaces' controller; false: nothing to do.
  bool collect_garbage();
  // The node's word that a pod which is being deleted has ended.
  void pod_ended(const kube::Name& pod);

  [[nodiscard]] const json::Value* find(const kube::Resource& resource,
                                        const kube::Name& name) const;
  // As they are now; an empty namespace: all of them.
  [[nodiscard]] std::vector<json::Value> all(const kube::Resource& resource,
                                             std::string_view ns = "") const;
  [[nodiscard]] std::uint64_t changes() const { return version_; }

 private:
  struct Key {
    std::string collection;  // "apps/v1/statefulsets"
    kube::Name name;
    auto operator<=>(const Key&) const = default;
  };
  using State = std::map<Key, json::Value>;
  struct Event {
    std::uint64_t version;
    Key key;
    json::Value before, after;  // null: was not there, is gone
  };
  struct Target {  // what a path names
    const kube::Resource* resource = nullptr;
    Key key;  // without a name: the collection
    std::string part;
  };

  base::Result<Target> parse(const kube::Request& request) const;
  kube::Response answer(const kube::Request& request);
  kube::Response create(const kube::Request& request, const Target& target);
  kube::Response change(const kube::Request& request, const Target& target);
  kube::Response scale(const kube::Request& request, const Target& target);
  kube::Response apply(const kube::Request& request, const Target& target);
  kube::Response remove(const kube::Request& request, const Target& target);
  kube::Response evict(const kube::Request& request, const Target& target);
  kube::Response list(const kube::Request& request, const Target& target) const;
  kube::Response update(const kube::Request& request, const Target& target, json::Value wanted);
  kube::Response mark_deleted(const Key& key, const json::Value& options, bool dry);

  json::Value commit(const Key& key, json::Value after);  // null: remove; the object then
  void own(const Key& key, const std::string& manager, const json::Value& before,
           const json::Value& after);
  [[nodiscard]] State state_at(std::uint64_t version) const;
  [[nodiscard]] std::uint64_t shown() const;  // the version that caches have come to
  [[nodiscard]] bool has_uid(const std::string& ns, const std::string& uid) const;
  bool collect_one();

  const base::Clock& clock_;
  State objects_, old_;  // now; when what is remembered begins
  std::vector<Event> events_;
  std::uint64_t version_ = 1, forgotten_ = 1, uids_ = 0;
  size_t lag_ = 0;
  std::map<Key, std::map<std::string, std::map<Path, json::Value>>> owned_;  // by owner
  std::vector<std::pair<std::string, Fate>> fates_;
};

}  // namespace sim
