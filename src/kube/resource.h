// The kinds of objects that we read and write, as the API server names them.
#pragma once

#include <string>
#include <string_view>

namespace kube {

// The texts are literals.
struct Resource {
  std::string_view group, version, plural, kind;
  bool namespaced = true;

  [[nodiscard]] std::string api_version() const {
    return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
  }
  bool operator==(const Resource&) const = default;
};

inline constexpr Resource kPods{"", "v1", "pods", "Pod"};
inline constexpr Resource kServices{"", "v1", "services", "Service"};
inline constexpr Resource kSecrets{"", "v1", "secrets", "Secret"};
inline constexpr Resource kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Resource kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr Resource kClaims{"", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"};
inline constexpr Resource kVolumes{"", "v1", "persistentvolumes", "PersistentVolume", false};
inline constexpr Resource kNodes{"", "v1", "nodes", "Node", false};
inline constexpr Resource kNamespaces{"", "v1", "namespaces", "Namespace", false};
inline constexpr Resource kStatefulSets{"apps", "v1", "statefulsets", "StatefulSet"};
inline constexpr Resource kJobs{"batch", "v1", "jobs", "Job"};
inline constexpr Resource kBudgets{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"};
inline constexpr Resource kNetworkPolicies{"networking.k8s.io", "v1", "networkpolicies",
                                           "NetworkPolicy"};
inline constexpr Resource kStorageClasses{"storage.k8s.io", "v1", "storageclasses", "StorageClass",
                                          false};
inline constexpr Resource kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Resource kEvents{"events.k8s.io", "v1", "events", "Event"};
inline constexpr Resource kDefinitions{"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                                       "CustomResourceDefinition", false};
inline constexpr Resource kEtcdClusters{"operator.etcd.io", "v1alpha1", "etcdclusters",
                                        "EtcdCluster"};
inline constexpr Resource kEtcdBackups{"operator.etcd.io", "v1alpha1", "etcdbackups", "EtcdBackup"};
inline constexpr Resource kEtcdRestores{"operator.etcd.io", "v1alpha1", "etcdrestores",
                                        "EtcdRestore"};
inline constexpr Resource kCoreosClusters{"etcd.database.coreos.com", "v1beta2", "etcdclusters",
                                          "EtcdCluster"};
inline constexpr Resource kCoreosBackups{"etcd.database.coreos.com", "v1beta2", "etcdbackups",
                                         "EtcdBackup"};
inline constexpr Resource kCoreosRestores{"etcd.database.coreos.com", "v1beta2", "etcdrestores",
                                          "EtcdRestore"};

}  // namespace kube
