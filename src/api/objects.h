// The objects beside a cluster that a manifest may hold.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/cluster.h"
#include "base/ids.h"
#include "base/time.h"

namespace api {

// Values are bytes as decoded. They are never printed, logged or put into an error.
struct Secret {
  base::ClusterKey key;  // of the Secret itself
  std::string type;
  std::map<std::string, std::string> data;
};

// EtcdBackup: one backup, or one every `interval`.
struct BackupRequest {
  Group group = Group::kOperatorEtcdIo;
  base::ClusterKey key;
  std::string cluster_name;            // operator.etcd.io
  std::vector<std::string> endpoints;  // either may be empty, not both
  std::string client_tls_secret;
  std::optional<ObjectLocation> destination;
  base::Duration timeout = std::chrono::seconds(60);
  base::Duration interval{};  // 0: once
  int max_backups = 0;        // 0: unlimited
};

// EtcdRestore.
struct RestoreRequest {
  Group group = Group::kOperatorEtcdIo;
  base::ClusterKey key;
  std::string cluster_name;  // the cluster that is made or replaced
  std::optional<ObjectLocation> source;
  std::int64_t to_revision = 0;  // 0: the newest
  std::optional<base::Instant> to_time;
  bool in_place = false;  // over a cluster that has begun, too
};

}  // namespace api
