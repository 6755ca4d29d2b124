#include "posix/change_time.h"

#include <sys/stat.h>

#include <cerrno>

#include "posix/errors.h"

namespace posix {

base::Result<base::Instant> changed_at(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, "stat " + path);
  return base::Instant(std::chrono::duration_cast<base::Duration>(
      std::chrono::seconds(info.st_ctim.tv_sec) + std::chrono::nanoseconds(info.st_ctim.tv_nsec)));
}

}  // namespace posix
