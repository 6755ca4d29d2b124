// When something was last changed, as nobody can set it.
#pragma once

#include <string>

#include "base/result.h"
#include "base/time.h"

namespace posix {

// Of a directory: when an entry came or went, or its own name or mode changed. Unlike the time of
// modification, a copy does not bring it along.
base::Result<base::Instant> changed_at(const std::string& path);

}  // namespace posix
