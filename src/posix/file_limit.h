// How many descriptors this process may have open.
#pragma once

#include "base/result.h"

namespace posix {

// As many as a process of ours may give itself: the soft limit becomes the hard one, also for the
// programs started from now on. An error: it stays as it was.
base::Status raise_file_limit();

}  // namespace posix
