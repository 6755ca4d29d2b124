// From looks at the folder of manifests to what is wanted of each cluster. Pure: the caller lists
// and reads, and says what time it is by a clock that nobody sets. One thread at a time.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/manifest.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "manager/saved_intent.h"
#include "plan/plan.h"

namespace manager {

struct FolderFile {
  std::string name;  // without the folder
  // The content; an error if it could not be read; no value: as it was at the look before, and at
  // the first look at it: written a moment ago and not read yet.
  std::optional<base::Result<std::string>> bytes;
  bool open_to_others = false;  // group or others may read it
};

struct FolderLook {
  std::vector<FolderFile> files;  // the manifests, sorted by name
  size_t other_entries = 0;       // everything else in the folder, dot files too
};

// Is this a name that the folder's reader takes? *.yaml, *.yml, *.json; no dot files.
bool is_manifest_name(std::string_view name);

// What is wanted of one cluster, and what is wrong with the newest words about it.
struct Wanted {
  SavedIntent good;                     // the last good declaration
  std::optional<api::Cluster> cluster;  // it, parsed; none: there never was a good one
  plan::Wish wish = plan::Wish::kPresent;
  std::string problem;   // why the newest text is not in force; empty: it is
  std::string conflict;  // who else claims the name; empty: nobody
  std::vector<std::string> warnings;
  std::optional<base::Tick> vanished_at;
};

class IntentSource {
 public:
  struct Options {
    std::string folder;  // for messages
    base::Duration grace{10'000};
    api::Platform platform = api::Platform::kHost;
  };
  explicit IntentSource(Options options) : options_(std::move(options)) {}

  // What was in force before a restart; before the first look.
  void adopt(const base::ClusterKey& key, SavedIntent saved);

  // Takes one look; an error says that the folder could not be read. Gives the clusters of which
  // something changed.
  std::set<base::ClusterKey> take(const base::Result<FolderLook>& look, base::Tick now);

  [[nodiscard]] const std::map<base::ClusterKey, Wanted>& wanted() const { return wanted_; }
  // Of files and documents that tell no cluster's name.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  // Never logged or printed.
  [[nodiscard]] const std::map<base::ClusterKey, api::Secret>& secrets() const { return secrets_; }
  // Unknown before the first look.
  [[nodiscard]] base::Fact<api::Secret> secret(const base::ClusterKey& key) const;
  // A look is due then even if nothing changes.
  [[nodiscard]] std::optional<base::Tick> next_deadline() const;
  void forget(const base::ClusterKey& key);  // a deleted one whose end was seen

 private:
  struct File {
    std::string bytes;
    api::Manifest manifest;
    std::string problem;  // of the newest read; `manifest` is then the one before it
    bool open_to_others = false;
    bool unread = true;
  };
  struct Claim {
    const std::string* file;
    const File* content;
    const api::Document* document;
  };
  using Claims = std::map<base::ClusterKey, std::vector<Claim>>;

  void read(const FolderLook& look);
  void watch_for_emptiness(const FolderLook& look, base::Tick now);
  Claims collect();
  void collect_secret(const std::string& name, const File& file, const api::Document& document);
  void settle(const base::ClusterKey& key, Wanted& wanted, const std::vector<Claim>& claims,
              base::Tick now);
  void accept(Wanted& wanted, const Claim& claim) const;
  void vanish(Wanted& wanted, base::Tick now) const;
  [[nodiscard]] std::string file_problem(const std::string& name) const;

  const Options options_;
  std::map<std::string, File> files_;
  std::map<base::ClusterKey, Wanted> wanted_;
  std::map<base::ClusterKey, api::Secret> secrets_;
  std::vector<std::string> problems_;
  bool emptied_ = false;                    // all manifests went at once: not believed
  std::optional<base::Tick> last_crowded_;  // when two or more manifests were there last
  std::size_t manifests_before_ = 0;        // at the look before
  bool looked_ = false;
};

// Whether something that a pass or a person would see differs.
bool same(const Wanted& a, const Wanted& b);

}  // namespace manager
