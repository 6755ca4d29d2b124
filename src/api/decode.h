// The two groups' shapes to the one model. Used by parse_manifest; a driver that reads objects from
// an API server uses it too.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "api/fields.h"
#include "api/objects.h"
#include "api/problem.h"

namespace api {

// The newest version without known faults of the line that most users run; for CoreOS objects,
// which may leave the version out.
inline constexpr std::string_view kDefaultVersion = "3.5.33";
inline constexpr std::string_view kCoreOsRepository = "quay.io/coreos/etcd";
inline constexpr int kMaxSize = 9;

struct Metadata {
  base::ClusterKey key;
  std::string uid;
  std::int64_t generation = 0;
  std::map<std::string, std::string> labels, annotations;
};

// `root` is the whole document. Each reports what is wrong; the result counts only if nothing is.
Metadata decode_metadata(Fields& root);
Cluster decode_operator_cluster(Fields& root);
Cluster decode_coreos_cluster(Fields& root);
BackupRequest decode_backup_request(Fields& root, Group group);
RestoreRequest decode_restore_request(Fields& root, Group group);
Secret decode_secret(Fields& root);

// Parts of both groups' specs.
void decode_common(Fields& spec, ClusterSpec& into);  // size, paused, recovery, repair, …
std::optional<Backup> decode_backup(Fields& spec, Group group);
std::optional<Restore> decode_restore(Fields& spec, const std::optional<Backup>& backup);
// One of s3, gcs, abs, oss, local, pvc among the fields; no value: none is there.
std::optional<ObjectLocation> decode_location(Fields& fields);
void decode_resources(Fields& pod, PodPolicy& into);
void decode_claim(Fields& claim, Storage& into);  // a PersistentVolumeClaimSpec
void decode_static_tls(Fields& tls, Tls& into);
void keep_raw(Fields& fields, std::string_view name, PodPolicy& into);
void decode_tls_annotation(const Metadata& metadata, Report& report, ClusterSpec& into);
void check_labels(Fields& fields, std::string_view name,
                  const std::map<std::string, std::string>& labels, bool coreos);
void check_annotation_keys(Fields& fields, std::string_view name,
                           const std::map<std::string, std::string>& annotations);
void check_annotations(const Metadata& metadata, Report& report);
Version decode_version(Fields& spec, std::string_view fallback);
// A Secret's name or empty.
std::string decode_secret_name(Fields& fields, std::string_view name);

}  // namespace api
