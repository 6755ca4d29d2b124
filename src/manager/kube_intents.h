// From the objects that declare clusters on Kubernetes to what is wanted of each. Pure: the caller
// watches, and says what time it is. One thread at a time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/cluster.h"
#include "base/ids.h"
#include "base/time.h"
#include "drivers/kube/platform.h"
#include "manager/intents.h"

namespace manager {

// While it is on an object, Kubernetes keeps that object until its members and volumes are gone.
inline constexpr std::string_view kFinalizer = "operator.etcd.io/cluster";

// One object that declares a cluster.
struct Declaration {
  api::Group group = api::Group::kOperatorEtcdIo;
  base::ClusterKey key;
  std::string uid, version;  // of the object
  std::int64_t generation = 0;
  std::string created;
  std::vector<std::string> finalizers;
  std::optional<base::Instant> deleted_at;
  std::optional<api::Cluster> good;  // the last good one, as far as this process saw one
  std::string problem;               // why the newest text is not in force; empty: it is
  std::string conflict;              // who has its name; empty: it has
  std::vector<std::string> warnings;

  [[nodiscard]] bool has_finalizer() const;
  // By its policy more than its own objects goes with it, or it is protected.
  [[nodiscard]] bool needs_finalizer() const;
  // What its status is written to.
  [[nodiscard]] api::Cluster about() const;
  [[nodiscard]] IntentView view(base::Instant now) const;
};

class KubeIntents {
 public:
  // Members of this name belong to the object of that uid.
  using Holds = std::function<bool(const base::ClusterKey&, const std::string& uid)>;

  // Takes everything that is declared. Gives the clusters of which something changed.
  std::set<base::ClusterKey> take(const std::vector<k8s::Declared>& declared, const Holds& holds);

  [[nodiscard]] std::set<base::ClusterKey> keys() const;
  // The one that has the name; null: nobody has.
  [[nodiscard]] const Declaration* holder(const base::ClusterKey& key) const;
  // Those that want the name too.
  [[nodiscard]] std::vector<const Declaration*> losers(const base::ClusterKey& key) const;

 private:
  struct Id {
    base::ClusterKey key;
    api::Group group = api::Group::kOperatorEtcdIo;
    auto operator<=>(const Id&) const = default;
  };
  static bool read(const k8s::Declared& declared, Declaration& into);
  void settle_names(const Holds& holds, std::set<base::ClusterKey>& changed);

  std::map<Id, Declaration> all_;
  bool contested_ = false;  // two want one name, and who has it may change with what holds it
};

// The hash of what needs a restart, as Kubernetes renders it.
std::string kube_template_hash(const api::ClusterSpec& spec);

}  // namespace manager
