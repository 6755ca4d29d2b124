// What a user wants of one cluster: one model for both API groups, after defaulting. Plain values;
// the codecs are in cluster_codec.h, the checks in validate.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/version.h"
#include "base/ids.h"
#include "base/time.h"

namespace api {

enum class Group { kOperatorEtcdIo, kCoreOs };

enum class StorageType { kPersistentVolumeClaim, kEmptyDir };
struct Storage {
  bool given =
      false;  // false: the default of DESIGN section 4, condition EphemeralStorage may follow
  StorageType type = StorageType::kPersistentVolumeClaim;
  std::optional<std::string> storage_class;
  std::string access_mode = "ReadWriteOnce";
  std::optional<std::string> claim_name;  // storageSpec.pvcName
  std::optional<std::int64_t> request_bytes, limit_bytes;
};

enum class TlsMode { kRequired, kMigrating, kDisabled };
enum class TlsProvider { kOwn, kUserSecrets, kCertManager, kAuto };
struct Tls {
  TlsMode mode = TlsMode::kRequired;
  TlsProvider provider = TlsProvider::kOwn;
  std::string common_name;
  std::vector<std::string> organizations, dns_names, ip_addresses;
  base::Duration validity = std::chrono::hours(24 * 365);   // of leaves
  std::string issuer_kind, issuer_name;                     // cert-manager
  std::string peer_secret, server_secret, operator_secret;  // user's Secrets
};

struct ObjectLocation {
  std::string kind;  // "s3", "gcs", "abs", "oss", "local", "pvc"
  std::string path, secret, endpoint, region;
  bool force_path_style = false;
  // Of "s3": how its objects are written; empty: as the bucket says.
  std::string object_class, encryption, kms_key;
  std::int64_t volume_bytes = 0;  // of a volume that is to be made; 0: "pvc" names one
  std::string storage_class;
  bool operator==(const ObjectLocation&) const = default;
};
struct Retention {
  int hourly = 0, daily = 0, weekly = 0, monthly = 0;
};
struct Backup {
  bool enabled = true;
  std::optional<ObjectLocation> destination;
  base::Duration interval = std::chrono::seconds(1800);
  base::Duration timeout = std::chrono::minutes(15);
  int max_backups = 0;  // 0: unlimited
  Retention retention;
  std::optional<base::Duration> verify_interval;
  std::string encryption_secret, encryption_key;
  bool continuous = false;
  base::Duration max_lag = std::chrono::seconds(1);
};
struct Restore {
  std::optional<ObjectLocation> source;
  std::string backup_cluster_name;  // the 0.5–0.6 form
  bool required = false;            // wait instead of starting empty
  // As it was at a revision (0: none) or a time; neither: the newest state that is proven.
  std::int64_t to_revision = 0;
  std::optional<base::Instant> to_time;
  std::string backup;    // a certain one by its name in the store, or of whose life the point is
  std::string asked_by;  // "EtcdRestore ns/name" that says all this; empty: the cluster's own block
  std::string refused;   // why that one is not carried out, and what to do; nothing begins then
  std::string request;   // tells one wish from any other; empty: the cluster's own block
  base::Instant asked_at{};  // of that wish
  bool operator==(const Restore&) const = default;
};

enum class OnQuorumLoss { kAutomatic, kApprove, kNever };
enum class OnDataLoss { kApprove, kRestore, kNever };
struct Recovery {
  OnQuorumLoss on_quorum_loss = OnQuorumLoss::kAutomatic;
  OnDataLoss on_data_loss = OnDataLoss::kApprove;
  base::Duration wait = std::chrono::seconds(120);
};

enum class ClaimPolicy { kRetain, kDelete };

struct PodPolicy {  // what only Kubernetes acts on, kept as its JSON text by field path
  std::map<std::string, std::string> labels, annotations, node_selector;
  std::map<std::string, std::string> raw_json;  // "affinity", "tolerations", "resources", …
  std::vector<std::pair<std::string, std::string>> env;
};

struct ClusterSpec {
  int size = 0;
  Version version;
  std::string image_repository;
  bool paused = false, hibernate = false;
  Storage storage;
  Tls tls;
  std::optional<Backup> backup;
  std::optional<Restore> restore;
  Recovery recovery;
  base::Duration repair_timeout = std::chrono::seconds(300);
  ClaimPolicy when_deleted = ClaimPolicy::kRetain, when_scaled = ClaimPolicy::kRetain;
  // Extra flags in the user's order, "--name=value" or "--name"; they replace ours of that name.
  std::vector<std::string> etcd_options;
  PodPolicy pod;
  std::string service_type = "ClusterIP";
  std::map<std::string, std::string> service_annotations;
  bool network_policy = false;
  std::vector<std::string> zones;
};

// One declared cluster with what is said beside the spec.
struct Cluster {
  Group group = Group::kOperatorEtcdIo;
  base::ClusterKey key;
  std::string uid;  // Kubernetes; empty on hosts
  std::int64_t generation = 0;
  std::map<std::string, std::string> labels, annotations;
  ClusterSpec spec;
  std::vector<std::string> fields_not_acted_on;  // set by the user, without effect in this version
};

}  // namespace api
