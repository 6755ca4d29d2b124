// A backup and what came behind it, as far as the log is whole: the newest state that is proven.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "archive/fetch.h"
#include "archive/job.h"
#include "archive/log.h"
#include "archive/trouble.h"
#include "archive/users.h"
#include "archive/world.h"

namespace archive {

// The log behind one backup.
struct Tail {
  posix::ScratchFile records;  // in their order, none missing
  std::int64_t revision = 0;   // of their end; the backup's: nothing came
  base::Instant time{};        // nothing else had come by then; without a log, the backup's
  UsersMark users = {};
  std::string left_out = {};  // what ends it before the end of the store's log; empty: nothing
};

// A hole, and a segment that is cut or damaged (read twice), end it and are named. Trouble: the
// store does not answer, or a segment is of a newer program or needs another key. Nobody takes less
// of the log for one of these.
Outcome<Tail> read_tail(const Shelf& shelf, const Entry& entry, const std::string& scratch,
                        const Key* key, const Calls& calls);

// Writes the file if anything came behind the backup; false: it is the backup alone, and is not
// written yet. What is left out becomes a warning.
Outcome<bool> write_latest(const FetchJob& job, const Shelf& shelf, const Entry& entry,
                           const Fetched& base, const World& world, const Calls& calls,
                           FetchReport& report);

}  // namespace archive
