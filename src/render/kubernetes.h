// A cluster's spec and what the record says of its members to the objects of Kubernetes. Pure: what
// is not an argument does not matter. Which objects there are and why: docs/kubernetes-objects.md.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/cluster.h"
#include "base/ids.h"
#include "json/value.h"
#include "render/etcd_args.h"
#include "render/store_access.h"

namespace render {

// What the operator knows of where it runs.
struct KubernetesPlatform {
  std::string operator_image;                                       // brings etcd-guard
  std::string cluster_domain = "cluster.local";                     // of DNS
  std::string default_repository = "gcr.io/etcd-development/etcd";  // operator.etcd.io only
  std::string operator_namespace = "etcd-operator-system";
  bool default_class = true;  // there is a StorageClass for claims that name none
};

// How much a member's volume counts; a label of its claim.
enum class VolumeState { kForming, kMember, kRemoved };
std::string_view name_of(VolumeState state);  // "forming"

// One member as the record has it.
struct KubernetesMember {
  std::string name;  // "c-3"
  api::Version version;
  std::string incarnation, volume;
  int epoch = 0;
  base::ClusterId cluster_id;  // 0: not known yet
  std::string ticket;          // guard/files.h, as text
  std::string template_hash;
  api::TlsMode tls = api::TlsMode::kRequired;  // how it takes clients; peers always use TLS
  VolumeState volume_state = VolumeState::kForming;
  bool voter = false;    // counts for the disruption budget
  bool serving = false;  // clients may be sent to it
  bool running = true;   // false: kept, but stopped
  // A member whose claim is read, and never written, to build this one's data; empty: none.
  std::string survivor = {};
  std::optional<FetchedBackup> fetch = {};
};

// Keys of labels and annotations that are ours alone.
inline constexpr std::string_view kClusterLabel = "operator.etcd.io/cluster";
inline constexpr std::string_view kMemberLabel = "operator.etcd.io/member";
inline constexpr std::string_view kRoleLabel = "operator.etcd.io/role";        // voter, learner
inline constexpr std::string_view kServingLabel = "operator.etcd.io/serving";  // true, false
inline constexpr std::string_view kIncarnationLabel = "operator.etcd.io/incarnation";
inline constexpr std::string_view kVolumeStateLabel = "operator.etcd.io/volume-state";
inline constexpr std::string_view kTicketAnnotation = "operator.etcd.io/ticket";
inline constexpr std::string_view kTemplateAnnotation = "operator.etcd.io/template";
inline constexpr std::string_view kVolumeAnnotation = "operator.etcd.io/volume";
// On the pod of a member that begins from a backup: what its init container is told.
inline constexpr std::string_view kFetchAnnotation = "operator.etcd.io/fetch";
inline constexpr std::string_view kEpochAnnotation = "operator.etcd.io/epoch";
inline constexpr std::string_view kClusterIdAnnotation = "operator.etcd.io/cluster-id";

inline constexpr int kClientPort = 2379, kPeerPort = 2380, kMetricsPort = 2381;
// Inside a member's pod.
inline constexpr std::string_view kMemberDir = "/var/lib/etcd";
inline constexpr std::string_view kSurvivorSnapshot = "/var/lib/etcd/volume/survivor/snapshot.db";
inline constexpr std::string_view kFetchedSnapshot = "/var/lib/etcd-restore/snapshot.db";
inline constexpr std::string_view kEtcdPath = "/usr/local/bin/etcd";
inline constexpr std::string_view kEtcdutlPath = "/usr/local/bin/etcdutl";
inline constexpr std::string_view kEtcdctlPath = "/usr/local/bin/etcdctl";

MemberAddresses kubernetes_addresses(const api::Cluster& cluster, const KubernetesMember& member,
                                     const KubernetesPlatform& platform);
TlsPaths kubernetes_tls_paths(api::TlsMode mode);
// What server and peer certificates must name: a wildcard, so that no new member needs a new one.
std::vector<std::string> certificate_names(const api::Cluster& cluster,
                                           const KubernetesPlatform& platform);
// Label selector of all pods of a cluster, as text: status.selector.
std::string pod_selector(const api::Cluster& cluster);

json::Value headless_service(const api::Cluster& cluster);
// Selects members of that incarnation only: after a recovery nobody reaches the old ones by it.
json::Value client_service(const api::Cluster& cluster, const std::string& incarnation);
json::Value service_account(const api::Cluster& cluster);
// No value: fewer than three members, where a budget would forbid every drain.
std::optional<json::Value> disruption_budget(const api::Cluster& cluster, int live_voters);
std::optional<json::Value> network_policy(const api::Cluster& cluster,
                                          const KubernetesPlatform& platform);
// Whether members have claims of their own: not with EmptyDir, with a claim that the user names, or
// where nothing is asked for and no default class is there.
bool has_claims(const api::ClusterSpec& spec, const KubernetesPlatform& platform);
// Their data end with their pods.
bool is_ephemeral(const api::ClusterSpec& spec, const KubernetesPlatform& platform);
// Precondition: has_claims(). Never owned by anybody: deleting an object must not delete data.
json::Value member_claim(const api::Cluster& cluster, const KubernetesMember& member);
// Its texts by key, not yet in base64; "tls.crt" and "tls.key" must be among them.
json::Value cluster_secret(const api::Cluster& cluster, const std::string& name,
                           const std::map<std::string, std::string>& texts);
// ConfigMap c-record. Never owned by anybody: it lives as long as any volume.
json::Value record_map(const base::ClusterKey& key, const std::string& text);
inline constexpr std::string_view kRecordKey = "record";
// StatefulSet of one replica.
json::Value member_workload(const api::Cluster& cluster, const KubernetesMember& member,
                            const KubernetesPlatform& platform);

}  // namespace render
