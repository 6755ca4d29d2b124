// What a person asks of a cluster beside its spec.
#pragma once

#include <string>
#include <string_view>

#include "api/cluster.h"

namespace api {

inline constexpr std::string_view kTlsAnnotation = "operator.etcd.io/tls";
inline constexpr std::string_view kApproveAnnotation = "operator.etcd.io/approve";
inline constexpr std::string_view kProtectAnnotation = "operator.etcd.io/protect";
inline constexpr std::string_view kBackupNowAnnotation = "operator.etcd.io/backup-now";
// Each new text brings in new authorities once.
inline constexpr std::string_view kRotateAnnotation = "operator.etcd.io/rotate-authority";

// Empty: it is not there.
inline std::string note_of(const Cluster& cluster, std::string_view annotation) {
  const auto at = cluster.annotations.find(std::string(annotation));
  return at == cluster.annotations.end() ? std::string() : at->second;
}

// Its deletion is refused: it goes on as it was last wanted.
inline bool is_protected(const Cluster& cluster) {
  return cluster.annotations.contains(std::string(kProtectAnnotation)) &&
         note_of(cluster, kProtectAnnotation) != "false";
}

}  // namespace api
