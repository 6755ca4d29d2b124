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
// The part has the name afterwards, at no moment nothing has, and whatever had it is kept, also
// when others give the same name at the same time. Says what the file that had it is called now,
// FILE.old or FILE.old-TIME, or the part when neither could be had; empty: there was none. A kill
// in the midst may leave it under the part's name, too. An error: the part is removed.
base::Result<std::string> give_snapshot_name(const std::string& part, const std::string& file,
                                             base::Instant now);

}  // namespace adm
