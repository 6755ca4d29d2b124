// The name of a snapshot that is saved to a file: it is given to what was judged good only, and
// what had it before is never lost.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace adm {

// FailedPrecondition: something has the name that is no regular file.
base::Status check_snapshot_name(const std::string& file);
// Where it is streamed to: hidden beside the file, and of no other save.
base::Result<std::string> part_of(const std::string& file);
// The part has the name afterwards, at no moment nothing has. Gives what the file that had it is
// called now, FILE.old or FILE.old-TIME; empty: there was none.
base::Result<std::string> give_snapshot_name(const std::string& part, const std::string& file,
                                             base::Instant now);

}  // namespace adm
