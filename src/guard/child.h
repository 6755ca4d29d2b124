// A child process that dies with its parent.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "guard/disk.h"

namespace guard {

struct Child {
  pid_t pid = 0;
  Fd output;  // its stdout and stderr; non-blocking
};

// Runs argv[0] with argv; the environment is ours without ETCD_*. Descriptors that are not
// close-on-exec are inherited: the lock is one. A failed exec is an exit with 127 and a line that
// begins with kCannotRun.
base::Result<Child> spawn(const std::vector<std::string>& argv);
inline constexpr std::string_view kCannotRun = "etcd-guard cannot run ";

}  // namespace guard
