#include "posix/file_limit.h"

#include <sys/resource.h>

#include <cerrno>

#include "posix/errors.h"

namespace posix {

base::Status raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno(errno, "getrlimit");
  if (limit.rlim_cur == limit.rlim_max) return {};
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno(errno, "setrlimit");
  return {};
}

}  // namespace posix
