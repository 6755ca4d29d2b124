#include "render/rbac.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/text.h"

namespace render {
namespace {

using enum Reach;

constexpr std::string_view kOwn = "operator.etcd.io";
constexpr std::string_view kCoreOs = "etcd.database.coreos.com";
constexpr std::string_view kKinds = "etcdclusters etcdbackups etcdrestores";
constexpr std::string_view kWhole = "get list watch create patch delete";

constexpr std::array kTable{
    Permission{kClusters, kOwn, kKinds, "get list watch patch",
               "what is declared; patch removes an approval that was used and a finalizer"},
    Permission{kClusters, kOwn, "etcdclusters/status etcdbackups/status etcdrestores/status",
               "patch", "what was seen is told"},
    Permission{kClusters, kOwn,
               "etcdclusters/finalizers etcdbackups/finalizers etcdrestores/finalizers", "update",
               "owner references that block the owner's deletion"},
    Permission{kClusters, kCoreOs, kKinds, "get list watch patch",
               "what is declared; patch removes an approval that was used and a finalizer"},
    Permission{kClusters, kCoreOs, "etcdclusters/status etcdbackups/status etcdrestores/status",
               "patch", "what was seen is told"},
    Permission{kClusters, kCoreOs,
               "etcdclusters/finalizers etcdbackups/finalizers etcdrestores/finalizers", "update",
               "owner references that block the owner's deletion"},
    Permission{kClusters, "apps", "statefulsets", kWhole, "one for each member"},
    Permission{kClusters, "", "pods", "get list watch patch delete",
               "facts of members; labels and tickets of living pods; a member without a quorum to "
               "guard is restarted by deletion"},
    Permission{kClusters, "", "pods/eviction", "create",
               "a planned stop, so that it and a drain cannot both take a member"},
    Permission{kClusters, "", "persistentvolumeclaims", kWhole, "the members' volumes"},
    Permission{kClusters, "", "services", "get list watch create patch",
               "the members' names, the clients' address; they go with their owner"},
    Permission{kClusters, "", "serviceaccounts", "get create patch", "an account without rights"},
    Permission{kClusters, "", "configmaps", "get create patch delete",
               "the record of each cluster; patch carries the version that was read"},
    Permission{kClusters, "", "secrets", "get create patch",
               "certificates; fetched by name, never listed; they go with their owner"},
    Permission{kClusters, "policy", "poddisruptionbudgets", kWhole, "drains keep the quorum"},
    Permission{kClusters, "networking.k8s.io", "networkpolicies", "get create patch delete",
               "spec.networkPolicy"},
    Permission{kClusters, "batch", "jobs", kWhole, "backups, restores, drills, the continuous log"},
    Permission{kClusters, "events.k8s.io", "events", "list create patch",
               "the story of each cluster; why a pod cannot be made"},
    Permission{kOwnNamespace, "coordination.k8s.io", "leases", "get create update",
               "one active operator"},
    Permission{kWholeCluster, "", "nodes persistentvolumes", "get list watch",
               "zones, nodes that are down for good, volumes that are gone"},
    Permission{kWholeCluster, "apiextensions.k8s.io", "customresourcedefinitions", "get",
               "no act while an older schema is served, which would drop fields",
               "etcdclusters.operator.etcd.io etcdbackups.operator.etcd.io "
               "etcdrestores.operator.etcd.io etcdclusters.etcd.database.coreos.com "
               "etcdbackups.etcd.database.coreos.com etcdrestores.etcd.database.coreos.com"},
};

json::Array words(std::string_view text) {
  json::Array out;
  for (const auto word : base::split(text, ' ')) out.emplace_back(word);
  return out;
}

std::string_view name_of(Reach reach) {
  switch (reach) {
    case kOwnNamespace:
      return "its own namespace";
    case kClusters:
      return "the clusters' namespaces";
    case kWholeCluster:
      return "of no namespace";
  }
  std::unreachable();
}

}  // namespace

std::span<const Permission> permissions() {
  return kTable;
}

json::Array rules_of(Reach reach) {
  json::Array out;
  for (const auto& line : kTable) {
    if (line.reach != reach) continue;
    json::Object rule{{"apiGroups", json::Array{json::Value(line.group)}},
                      {"resources", words(line.resources)},
                      {"verbs", words(line.verbs)}};
    if (!line.names.empty()) rule["resourceNames"] = words(line.names);
    out.emplace_back(std::move(rule));
  }
  return out;
}

std::string permissions_page() {
  std::string out =
      "# Permissions on Kubernetes\n\nGenerated from `src/render/rbac.cc`; do not edit.\n\n"
      "A namespaced operator has no rights on what is of no namespace: it does not see nodes and "
      "volumes, so a lost quorum waits for an approval where proof would have been enough.\n\n"
      "| Where | Group | Resources | Verbs | Why |\n| --- | --- | --- | --- | --- |\n";
  for (const auto& line : kTable)
    out +=
        fmt::format("| {} | {} | {} | {} | {} |\n", name_of(line.reach),
                    line.group.empty() ? "core" : line.group, line.resources, line.verbs, line.why);
  return out;
}

}  // namespace render
