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

// Where the saved intents are kept; the product's is intent.json. Thread-safe.
class IntentStore {
 public:
  virtual ~IntentStore() = default;
  // NotFound: nothing is stored. Any other error: what is stored is unknown.
  virtual base::Result<SavedIntent> load(const base::ClusterKey& key) = 0;
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

  // There is data of this cluster; before the first look. What was wanted of it when it was last
  // looked after is in the store, or nothing explains it.
  void learn(const base::ClusterKey& key);

  // Gives the clusters to look at. What could not be stored is tried again with the next look.
  std::set<base::ClusterKey> take(const base::Result<FolderLook>& look);
  [[nodiscard]] std::optional<base::Tick> next_deadline() const;

  // Its deletion was carried out: nothing is known of it any more but what is stored. False: it, or
  // something that is wrong with it, was declared meanwhile, and it goes on.
  bool forget(const base::ClusterKey& key);

  [[nodiscard]] std::set<base::ClusterKey> keys() const;
  // NotFound: neither declared nor known from before.
  [[nodiscard]] base::Result<IntentView> view(const base::ClusterKey& key) const;
  [[nodiscard]] std::vector<std::string> problems() const;
  // Never logged or printed. Unknown: the manifests were never read.
  [[nodiscard]] base::Fact<api::Secret> secret(const base::ClusterKey& key) const;

  // Each is stored before it counts; an error means that nothing changed. FailedPrecondition, among
  // others: what was commanded before cannot be read, and is not overwritten.
  base::Status pause(const base::ClusterKey& key, bool on);
  base::Status stop(const base::ClusterKey& key, bool on);
  base::Status approve(const base::ClusterKey& key, plan::Approval approval);
  base::Status backup_now(const base::ClusterKey& key);
  // Takes the place of a wish that was not begun.
  base::Status restore(const base::ClusterKey& key, api::Restore wish);

 private:
  base::Status change(const base::ClusterKey& key, const std::function<void(SavedIntent&)>& edit);
  void store(const base::ClusterKey& key);
  bool recall(const base::ClusterKey& key);
  bool recall_declared(std::set<base::ClusterKey>& changed);
  void tell(const std::set<base::ClusterKey>& changed) const;
  [[nodiscard]] const SavedIntent* commands_of(const base::ClusterKey& key) const;

  const Parts parts_;
  mutable std::mutex mutex_;  // guards all below
  IntentSource source_;
  std::map<base::ClusterKey, SavedIntent> stored_;  // as on disk; its commands are in force
  // Of what the disk holds something that cannot be read: why. What was commanded is unknown.
  std::map<base::ClusterKey, std::string> unread_;
  std::set<base::ClusterKey> unexplained_;  // known by their data only
};

// The hash of what needs a restart, as the host platform renders it.
std::string template_hash_of(const api::ClusterSpec& spec);

}  // namespace manager
