// Writes to one endpoint as applications do, with transactions and leases.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "etcd/api.h"

namespace support {

struct WriteOp {
  std::string key, value = {};
  std::int64_t lease = 0;
  bool remove = false;
  std::string range_end = {};  // of a removal: up to it
};

// For one thread.
class Workload {
 public:
  Workload(const std::string& endpoint, const etcd::Tls& tls);
  ~Workload();
  // In one transaction. The revision of the store behind it.
  base::Result<std::int64_t> write(const std::vector<WriteOp>& ops);
  base::Result<std::int64_t> grant(std::int64_t ttl_seconds);  // gives the lease's id
  base::Result<std::int64_t> revoke(std::int64_t lease);       // gives the revision

 private:
  struct Channel;
  std::unique_ptr<Channel> channel_;
};

}  // namespace support
