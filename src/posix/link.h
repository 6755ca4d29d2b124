// Symbolic links, and second names of a file.
#pragma once

#include <string>

#include "base/result.h"

namespace posix {

// `name` points to `target` afterwards, durably. AlreadyExists if something that is no link has the
// name.
base::Status link_to(const std::string& target, const std::string& name);
// A second name of the same file, durably; never replaces one. A symbolic link is not followed.
base::Status add_name(const std::string& file, const std::string& name);

}  // namespace posix
