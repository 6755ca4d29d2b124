// The end of a log, and who it is that goes on from there: of a log of any length a few heads are
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "archive/log.h"

namespace archive {

struct LogTail {
  std::optional<LogEntry> sealed = {};  // the last one
  // From here on nothing is missing up to its end; 0: it has no head.
  std::int64_t chain_first = 0;
  std::vector<LogEntry> parts = {};  // all that there are, in order
};

// Unavailable: something is listed and not given.
base::Result<LogTail> read_log_tail(const Shelf& shelf, const Incarnation& incarnation,
                                    const Calls& calls);

}  // namespace archive
