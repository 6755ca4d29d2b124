// Symbolic links, second names of a file, and names that are given without replacing anything.
#pragma once

#include <string>

#include "base/result.h"

namespace posix {

// `name` points to `target` afterwards, durably. AlreadyExists if something that is no link has the
// name.
base::Status link_to(const std::string& target, const std::string& name);
// A second name of the same file, durably; never replaces one. A symbolic link is not followed.
base::Status add_name(const std::string& file, const std::string& name);
// Each has what the other had, at once and durably; both are of one directory. NotFound: one of
// them is not there. Unimplemented: the file system cannot do that.
base::Status exchange(const std::string& one, const std::string& other);
// A rename that never replaces: AlreadyExists. Unimplemented: the file system can only replace.
base::Status rename_new(const std::string& from, const std::string& to);

}  // namespace posix
