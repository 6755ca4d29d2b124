#include "posix/place.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "posix/errors.h"
#include "posix/files.h"

namespace posix {

base::Result<std::string> real_path(const std::string& path) {
  std::error_code error;
  auto real = std::filesystem::weakly_canonical(path, error).string();
  if (error) return std::unexpected(from_errno(error.value(), path));
  while (real.size() > 1 && real.back() == '/') real.pop_back();
  return real;
}

base::Fact<bool> is_mount_point(const std::string& folder) {
  struct statx info{};
  if (::statx(AT_FDCWD, folder.c_str(), 0, STATX_BASIC_STATS, &info) != 0) {
    if (errno == ENOENT) return base::Fact<bool>::absent();
    return base::Fact<bool>::unknown(from_errno(errno, "stat " + folder).message);
  }
  if ((info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0)
    return (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  // Before Linux 5.8 a bind mount of the same file system is not seen.
  const auto own = file_info(folder), parent = file_info(folder + "/..");
  if (!own || !parent) return base::Fact<bool>::unknown("cannot look at " + folder);
  return own->device != parent->device || own->inode == parent->inode;
}

}  // namespace posix
