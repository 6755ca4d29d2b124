#include "drivers/kube/stores.h"

#include <algorithm>
#include <array>

#include "kube/resource.h"

namespace k8s {

std::vector<Stores::Watched> Stores::watched(const std::string& ns) {
  std::vector<Watched> out;
  const auto add = [&](const kube::Resource& resource, kube::Store& store,
                       std::string_view label = render::kClusterLabel) {
    kube::WatchTarget target{.resource = resource};
    if (resource.namespaced) {
      target.ns = ns;
      target.selection.labels = label;
    }
    out.push_back({std::move(target), &store});
  };
  for (const auto& [resource, store] :
       {std::pair(&kube::kEtcdClusters, &own), std::pair(&kube::kCoreosClusters, &coreos)})
    out.push_back({kube::WatchTarget{.resource = *resource, .ns = ns}, store, true});
  for (const auto kind : {RequestKind::kBackup, RequestKind::kRestore})
    for (const auto group : {api::Group::kOperatorEtcdIo, api::Group::kCoreOs}) {
      auto& made = requests.emplace_back(kind, group);
      out.push_back(
          {kube::WatchTarget{.resource = resource_of(kind, group), .ns = ns}, &made.store});
    }
  add(kube::kStatefulSets, sets);
  add(kube::kPods, pods);
  add(kube::kClaims, claims);
  add(kube::kServices, services);
  add(kube::kBudgets, budgets);
  add(kube::kJobs, jobs, render::kJobOfLabel);
  add(kube::kPods, job_pods, render::kJobOfLabel);
  if (sees_volumes) {
    add(kube::kVolumes, volumes);
    add(kube::kNodes, nodes);
  }
  return out;
}

bool Stores::complete() const {
  const std::array all{&own, &coreos, &sets, &pods, &claims, &services, &budgets, &jobs, &job_pods};
  return std::ranges::all_of(all, [](const auto* store) { return store->complete(); }) &&
         (!sees_volumes || (volumes.complete() && nodes.complete()));
}

bool Stores::requests_complete() const {
  return !requests.empty() &&
         std::ranges::all_of(requests, [](const auto& of) { return of.store.complete(); });
}

base::Fact<kube::Object> find(const kube::Store& store, const kube::Name& name) {
  using Found = base::Fact<kube::Object>;
  const bool complete = store.complete();
  if (auto object = store.find(name)) return object;
  return complete ? Found::absent() : Found::unknown("its objects were not listed yet");
}

std::optional<base::ClusterKey> cluster_of(const kube::Name& name, const json::Value& object) {
  const auto* labels = object.at("metadata.labels");  // the label's own name has dots
  for (const auto key : {render::kClusterLabel, render::kJobOfLabel})
    if (const auto* value = labels == nullptr ? nullptr : labels->find(key);
        value != nullptr && value->is_string())
      return base::ClusterKey{name.ns, *value->if_string()};
  return std::nullopt;
}

}  // namespace k8s
