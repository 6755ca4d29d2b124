// An etcd made of a snapshot, alone: no peers, and no clients but us.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "archive/drill_job.h"
#include "base/result.h"
#include "base/time.h"
#include "etcd/api.h"

namespace archive {

// For one thread. A test puts another in its place.
class OfflineEtcd {
 public:
  virtual ~OfflineEtcd() = default;
  // Makes `room`/data of the snapshot. An error says nothing about the snapshot.
  virtual base::Status restore(const std::string& snapshot, const std::string& room,
                               base::Duration time, const std::stop_token& stop) = 0;
  virtual base::Result<std::unique_ptr<etcd::EtcdApi>> start(const std::string& room,
                                                             base::Duration time) = 0;
  // Why it does not run any more; no value: it runs.
  virtual std::optional<std::string> ended() = 0;
  // It has ended when this comes back. Harmless when none runs.
  virtual void stop() = 0;
};

// Real processes, which end with this one however it ends. They listen on sockets in `room` that
// only their owner may open, so that nobody else reads what is in the backup.
// `token` is no other cluster's.
std::unique_ptr<OfflineEtcd> make_offline_etcd(EtcdPrograms programs, std::string token);

}  // namespace archive
