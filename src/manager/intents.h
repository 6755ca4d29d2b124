// What is wanted of every cluster, for all threads: the manifests, the commands beside them, and
// their copy on disk.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "manager/intent_source.h"
#include "plan/plan.h"

namespace manager {

// Where the saved intents are kept; the product's writes intent.json. Thread-safe.
class IntentStore {
 public:
  virtual ~IntentStore() = default;
  virtual base::Status save(const base::ClusterKey& key, const SavedIntent& saved) = 0;
};

// What the intent of a cluster is beside the planner's part.
struct IntentView {
  plan::Intent intent;  // its cluster is empty but for the key if there never was a good manifest
  bool known = false;   // there is, or was, a good manifest
  std::string file, conflict;
  std::vector<std::string> warnings;
};

// Thread-safe; all references must outlive it.
class Intents {
 public:
  struct Parts {
    IntentSource::Options source;
    IntentStore& store;
    const base::Clock& clock;
    base::Logger& log;
  };
  explicit Intents(Parts parts) : parts_(parts), source_(parts.source) {}

  void adopt(const base::ClusterKey& key, SavedIntent saved);
  // Known by its data only: neither a manifest nor a saved intent explains it.
  void adopt_unexplained(const base::ClusterKey& key, std::string why);

  // Gives the clusters to look at. What could not be stored is tried again with the next look.
  std::set<base::ClusterKey> take(const base::Result<FolderLook>& look);
  [[nodiscard]] std::optional<base::Tick> next_deadline() const;

  [[nodiscard]] std::set<base::ClusterKey> keys() const;
  // NotFound: neither declared nor known from before.
  [[nodiscard]] base::Result<IntentView> view(const base::ClusterKey& key) const;
  [[nodiscard]] std::vector<std::string> problems() const;
  // Never logged or printed. Unknown: the manifests were never read.
  [[nodiscard]] base::Fact<api::Secret> secret(const base::ClusterKey& key) const;

  // Each is stored before it counts; an error means that nothing changed.
  base::Status pause(const base::ClusterKey& key, bool on);
  base::Status stop(const base::ClusterKey& key, bool on);
  base::Status approve(const base::ClusterKey& key, plan::Approval approval);
  base::Status backup_now(const base::ClusterKey& key);

 private:
  base::Status change(const base::ClusterKey& key, const std::function<void(SavedIntent&)>& edit);
  void store(const base::ClusterKey& key);
  [[nodiscard]] const SavedIntent* commands_of(const base::ClusterKey& key) const;

  const Parts parts_;
  mutable std::mutex mutex_;  // guards all below
  IntentSource source_;
  std::map<base::ClusterKey, SavedIntent> stored_;       // as on disk; its commands are in force
  std::map<base::ClusterKey, std::string> unexplained_;  // why
};

// The hash of what needs a restart, as the host platform renders it.
std::string template_hash_of(const api::ClusterSpec& spec);

}  // namespace manager
