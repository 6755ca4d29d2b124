// Symbolic links.
#pragma once

#include <string>

#include "base/result.h"

namespace posix {

// `name` points to `target` afterwards, durably. AlreadyExists if something that is no link has the
// name.
base::Status link_to(const std::string& target, const std::string& name);

}  // namespace posix
