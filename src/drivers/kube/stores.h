// What is watched: our objects by their cluster label, volumes and nodes whole. No Secrets, and no
// records: those are read when they are needed.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/fact.h"
#include "base/ids.h"
#include "drivers/kube/requests.h"
#include "kube/store.h"
#include "kube/watcher.h"
#include "render/kubernetes.h"
#include "render/store_jobs.h"

namespace k8s {

// Thread-safe, as its parts are.
struct Stores {
  kube::Store own{""}, coreos{""};  // the cluster objects of both groups
  kube::Store sets{std::string(render::kClusterLabel)};
  kube::Store pods{std::string(render::kClusterLabel)};
  kube::Store claims{std::string(render::kClusterLabel)};
  kube::Store services{std::string(render::kClusterLabel)};
  kube::Store budgets{std::string(render::kClusterLabel)};
  kube::Store jobs{std::string(render::kJobOfLabel)};      // that work with stores of backups
  kube::Store job_pods{std::string(render::kJobOfLabel)};  // of these
  kube::Store volumes{""};
  kube::Store nodes{""};
  struct OfRequests {
    RequestKind kind;
    api::Group group;
    kube::Store store{""};
  };
  std::deque<OfRequests> requests;  // a store for each kind and group

  // False: without rights on what is of no namespace, the last two stay empty and incomplete.
  bool sees_volumes = true;

  struct Watched {
    kube::WatchTarget target;
    kube::Store* store = nullptr;
    bool declares = false;  // its objects are clusters
  };
  // An empty namespace: all.
  std::vector<Watched> watched(const std::string& ns);
  // Without the requests: no cluster waits for them.
  [[nodiscard]] bool complete() const;
  [[nodiscard]] bool requests_complete() const;
};

// Absent only if the store has seen a whole list; never a null object.
base::Fact<kube::Object> find(const kube::Store& store, const kube::Name& name);

// "shop/c" of an object that carries a label of ours; no value: it does not.
std::optional<base::ClusterKey> cluster_of(const kube::Name& name, const json::Value& object);

}  // namespace k8s
