#include "posix/users.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "posix/errors.h"

namespace posix {
namespace {

using base::Code;

constexpr size_t kBuffer = size_t{1} << 16;
constexpr int kGroups = 4096;

template <class Look>
base::Result<User> find(const std::string& what, const Look& look) {
  struct passwd entry{};
  struct passwd* found = nullptr;
  std::string buffer(kBuffer, '\0');
  const int number = look(entry, buffer, &found);
  if (number != 0 && number != ENOENT && number != ESRCH)
    return fail_errno(number, "look for user " + what);
  if (found == nullptr)
    return base::fail(Code::kNotFound, fmt::format("this host has no user {}", what));
  User out{entry.pw_name, entry.pw_uid, entry.pw_gid};
  out.groups.resize(kGroups);
  int count = kGroups;
  if (::getgrouplist(entry.pw_name, entry.pw_gid, out.groups.data(), &count) < 0)
    return base::fail(Code::kResourceExhausted,
                      fmt::format("user {} is in more than {} groups", what, kGroups));
  out.groups.resize(static_cast<size_t>(count));
  return out;
}

// The raw calls are of the calling thread alone; it keeps what it becomes.
int become(const User& user) {
  if (::syscall(SYS_setgroups, user.groups.size(), user.groups.data()) != 0 ||
      ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) != 0 ||
      ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) != 0)
    return errno;
  return 0;
}

int try_access(const std::string& path, int mode) {
  return ::access(path.c_str(), mode) == 0 ? 0 : errno;
}

std::optional<Obstacle> look_along(const std::string& path, int mode) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const std::string folder = path.substr(0, slash);
    if (const int number = try_access(folder, X_OK); number != 0)
      return Obstacle{folder, from_errno(number, folder), true};
  }
  if (const int number = try_access(path, mode); number != 0)
    return Obstacle{path, from_errno(number, path), false};
  return std::nullopt;
}

base::Status add_mode(const std::string& path, unsigned bits) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, "stat " + path);
  if ((info.st_mode & bits) == bits) return {};
  if (::chmod(path.c_str(), (info.st_mode & 07777U) | bits) == 0) return {};
  return fail_errno(errno, "chmod " + path);
}

int mode_of(Access access) {
  switch (access) {
    case Access::kRead:
      return R_OK;
    case Access::kRun:
      return R_OK | X_OK;
    case Access::kChange:
      return R_OK | W_OK;
  }
  return R_OK;
}

}  // namespace

base::Result<User> find_user(const std::string& name) {
  return find(name, [&](auto& entry, auto& buffer, auto** found) {
    return ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), found);
  });
}

base::Result<User> find_user(unsigned uid) {
  return find(std::to_string(uid), [&](auto& entry, auto& buffer, auto** found) {
    return ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), found);
  });
}

bool is_root() {
  return ::geteuid() == 0;
}

base::Status give_to(const User& user, const std::string& path, bool follow) {
  struct stat info{};
  if ((follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info)) != 0)
    return fail_errno(errno, "stat " + path);
  if (info.st_uid == user.uid) return {};
  if (::fchownat(AT_FDCWD, path.c_str(), user.uid, user.gid, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0)
    return {};
  return fail_errno(errno, fmt::format("give {} to user {}", path, user.name));
}

base::Status let_pass(const std::string& folder) {
  return add_mode(folder, 0111);
}

base::Status let_read(const std::string& file) {
  return add_mode(file, 0444);
}

base::Result<std::optional<Obstacle>> find_obstacle(const User& user, const std::string& path,
                                                    Access access) {
  if (!path.starts_with('/'))
    return base::fail(Code::kInvalidArgument, path + " is not an absolute path");
  std::optional<Obstacle> out;
  int failed = 0;
  std::thread([&] {
    failed = become(user);
    if (failed == 0) out = look_along(path, mode_of(access));
  }).join();
  if (failed != 0) return fail_errno(failed, "act as user " + user.name);
  return out;
}

}  // namespace posix
