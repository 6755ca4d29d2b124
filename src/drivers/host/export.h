// A snapshot of what a stopped member's directory holds, all of its log included, where nothing but
// the directory and etcd's program are at hand: in a pod that restores it.
#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>
#include <string>

#include "base/log.h"
#include "base/result.h"
#include "drivers/host/wal_commit.h"
#include "drivers/live/endpoints.h"

namespace host {

struct ExportRequest {
  std::string data;      // only read, as the volume's marker beside it
  std::string copy;      // made, and removed at the end
  std::string snapshot;  // what is made; one that is there already is kept
  std::string etcd;      // of the version that wrote the data
  std::string name;      // the member's
};

// In words, what the snapshot holds at least. DataLoss: the data is damaged.
base::Result<std::string> export_data(const ExportRequest& request, const live::Connect& connect,
                                      base::Logger& log, const std::stop_token& stop);

// Until the etcd that was started alone on a copy of `bytes` leads. Unavailable: another one
// answers on its port, or it `ended`.
base::Status comes_up(etcd::EtcdApi& api, const LogOwner& copy, std::uint64_t bytes,
                      const std::atomic<bool>& ended, const std::stop_token& stop);

}  // namespace host
