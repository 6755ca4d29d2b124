// What a backup and the log behind it make, as the file that a fetch was asked for.
#pragma once

#include <cstdint>
#include <string>

#include "archive/fetch.h"
#include "archive/job.h"
#include "archive/trouble.h"
#include "archive/users.h"
#include "archive/world.h"
#include "posix/scratch_file.h"

namespace archive {

// `log`: records behind the backup in their order, as append_record() wrote them, none missing up
// to `revision` (else Trouble of DataLoss). The file appears when it is whole and was judged again.
Outcome<void> write_merged(const FetchJob& job, const World& world, const Fetched& base,
                           const posix::ScratchFile& log, std::int64_t revision,
                           FetchReport& report);
// Users and roles are no part of the log. `later`: of the log's end.
void note_users(const Fetched& base, std::int64_t of, const UsersMark& later, FetchReport& report);
void note(FetchReport& report, const std::string& what);

}  // namespace archive
