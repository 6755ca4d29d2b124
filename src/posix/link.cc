#include "posix/link.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "posix/errors.h"
#include "posix/files.h"

namespace posix {

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
  const auto slash = name.rfind('/');
  return sync_dir(slash == std::string::npos ? "." : slash == 0 ? "/" : name.substr(0, slash));
}

}  // namespace posix
