#include "posix/short_path.h"

#include <fcntl.h>

#include <cerrno>

namespace posix {

base::Result<ShortPath> ShortPath::of(const std::string& directory) {
  Fd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.open()) return fail_errno(errno, "open " + directory);
  return ShortPath(std::move(fd));
}

std::string ShortPath::text() const {
  return "/proc/self/fd/" + std::to_string(fd_.get());
}

}  // namespace posix
