// How long a disk takes to make a small write durable, which is what etcd waits for with each
// write.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace posix {

// Writes of 2 KiB, each followed by fdatasync, into a file of its own in `folder`, which is gone
// afterwards. Sorted, in microseconds; fewer than `count` when the deadline passes before.
base::Result<std::vector<std::int64_t>> measure_fsync(const std::string& folder, int count,
                                                      base::Duration deadline,
                                                      const std::stop_token& stop);

}  // namespace posix
