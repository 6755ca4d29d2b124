#include "posix/link.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>

#include "posix/errors.h"
#include "posix/files.h"

namespace posix {
namespace {

std::string folder_of(const std::string& name) {
  const auto slash = name.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : name.substr(0, slash);
}

base::Status rename_with(const std::string& from, const std::string& to, unsigned flags,
                         const std::string& what) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0) {
    if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)
      return base::fail(base::Code::kUnimplemented, what + ": its file system cannot do that");
    return fail_errno(errno, what);
  }
  TRY_OK(sync_dir(folder_of(to)));
  return folder_of(from) == folder_of(to) ? base::Status() : sync_dir(folder_of(from));
}

}  // namespace

base::Status link_to(const std::string& target, const std::string& name) {
  std::array<char, PATH_MAX> present{};
  const ssize_t n = ::readlink(name.c_str(), present.data(), present.size());
  if (n >= 0 && std::string_view(present.data(), static_cast<size_t>(n)) == target) return {};
  if (n < 0 && errno == EINVAL)
    return base::fail(base::Code::kAlreadyExists, name + " is there and is no link");
  if (n < 0 && errno != ENOENT) return fail_errno(errno, "read the link " + name);
  const std::string fresh = name + ".new";
  TRY_OK(remove_file(fresh));
  if (::symlink(target.c_str(), fresh.c_str()) != 0) return fail_errno(errno, "link " + fresh);
  return rename(fresh, name);
}

base::Status add_name(const std::string& file, const std::string& name) {
  if (::link(file.c_str(), name.c_str()) != 0)
    return fail_errno(errno, "link " + file + " to " + name);
  return sync_dir(folder_of(name));
}

base::Status exchange(const std::string& one, const std::string& other) {
  return rename_with(one, other, RENAME_EXCHANGE, "exchange " + one + " and " + other);
}

base::Status rename_new(const std::string& from, const std::string& to) {
  return rename_with(from, to, RENAME_NOREPLACE, "rename " + from + " to " + to);
}

}  // namespace posix
