// Where a path leads.
#pragma once

#include <string>

#include "base/fact.h"
#include "base/result.h"

namespace posix {

// Absolute, links resolved as far as it exists, without a slash at the end.
base::Result<std::string> real_path(const std::string& path);

// Whether a file system is mounted there. Absent: there is nothing of that name.
base::Fact<bool> is_mount_point(const std::string& folder);

}  // namespace posix
