#include "posix/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "posix/errors.h"
#include "posix/output_file.h"
#include "posix/users.h"

namespace posix {
namespace {

using base::Code;

std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_not_of('/');
  const size_t at = slash == std::string::npos ? std::string::npos : path.rfind('/', slash);
  if (at == std::string::npos) return ".";
  return at == 0 ? "/" : path.substr(0, at);
}

std::string temporary_for(const std::string& path) {
  static std::atomic<unsigned> counter{0};
  const size_t slash = path.rfind('/');
  const size_t name = slash == std::string::npos ? 0 : slash + 1;
  return fmt::format("{}.{}.tmp-{}-{}", path.substr(0, name), path.substr(name), ::getpid(),
                     counter.fetch_add(1));
}

base::Status sync_fd(int fd, const std::string& path) {
  while (::fsync(fd) != 0)
    if (errno != EINTR) return fail_errno(errno, "fsync " + path);
  return {};
}

}  // namespace

base::Result<std::string> read_file(const std::string& path, size_t limit) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.open()) return fail_errno(errno, "open " + path);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno(errno, "stat " + path);
  if (S_ISDIR(info.st_mode)) return fail_errno(EISDIR, "read " + path);
  // A pipe or a device could block for ever or never end.
  if (!S_ISREG(info.st_mode))
    return base::fail(Code::kFailedPrecondition, path + " is not a regular file");
  std::string bytes;
  std::array<char, 65536> buffer{};
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read " + path);
    if (n == 0) return bytes;
    bytes.append(buffer.data(), static_cast<size_t>(n));
    if (bytes.size() > limit)
      return base::fail(Code::kResourceExhausted,
                        fmt::format("{} is larger than {} bytes", path, limit));
  }
}

base::Status write_atomic(const std::string& path, std::string_view bytes, unsigned mode) {
  TRY(auto file, OutputFile::create(path, mode));
  TRY_OK(file.write(bytes));
  return file.commit();
}

base::Status write_in_place(const std::string& path, std::string_view bytes) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (!fd.open()) return fail_errno(errno, "open " + path);
  return write_fully(fd.get(), bytes, "write " + path);
}

base::Status write_new(const std::string& path, std::string_view bytes, unsigned mode) {
  TRY(auto file, OutputFile::create(path, mode));
  TRY_OK(file.write(bytes));
  return file.commit_new();
}

base::Status make_dirs(const std::string& path, unsigned mode) {
  if (path.empty()) return base::fail(Code::kInvalidArgument, "a directory without a name");
  if (::mkdir(path.c_str(), mode) == 0) return sync_dir(parent_of(path));
  if (errno == ENOENT) {
    const auto parent = parent_of(path);
    if (parent == path) return fail_errno(ENOENT, "mkdir " + path);
    TRY_OK(make_dirs(parent, mode));
    if (::mkdir(path.c_str(), mode) == 0) return sync_dir(parent);
  }
  if (errno != EEXIST) return fail_errno(errno, "mkdir " + path);
  TRY(const auto info, file_info(path));
  if (!info.directory)
    return base::fail(Code::kFailedPrecondition, path + " is there, but it is no directory");
  return {};
}

base::Status rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return fail_errno(errno, fmt::format("rename {} to {}", from, to));
  TRY_OK(sync_dir(parent_of(to)));
  if (parent_of(from) != parent_of(to)) return sync_dir(parent_of(from));
  return {};
}

base::Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return sync_dir(parent_of(path));
  if (errno == ENOENT) return {};
  return fail_errno(errno, "remove " + path);
}

base::Status remove_tree(const std::string& path) {
  std::error_code error;
  const auto removed = std::filesystem::remove_all(path, error);
  if (error) return std::unexpected(from_errno(error.value(), "remove " + path));
  return removed == 0 ? base::Status() : sync_dir(parent_of(path));
}

base::Status sync_dir(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.open()) return fail_errno(errno, "open " + path);
  return sync_fd(fd.get(), path);
}

base::Result<std::vector<std::string>> list_dir(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), &::closedir);
  if (dir == nullptr) return fail_errno(errno, "open " + path);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    // Safe on a stream that nobody else has.
    const dirent* entry = ::readdir(dir.get());  // NOLINT(concurrency-mt-unsafe)
    if (entry == nullptr && errno != 0) return fail_errno(errno, "list " + path);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

base::Fact<bool> exists(const std::string& path) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT) return false;
  return base::Fact<bool>::unknown(from_errno(errno, "stat " + path).message);
}

base::Result<FileInfo> file_info(const std::string& path, bool follow) {
  struct stat info{};
  if ((follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info)) != 0)
    return fail_errno(errno, "stat " + path);
  FileInfo out;
  out.regular = S_ISREG(info.st_mode);
  out.directory = S_ISDIR(info.st_mode);
  out.symlink = S_ISLNK(info.st_mode);
  out.mode = info.st_mode & 07777U;
  out.owner = info.st_uid;
  out.size = static_cast<std::uint64_t>(info.st_size);
  out.inode = info.st_ino;
  out.device = info.st_dev;
  out.modified = base::Instant(std::chrono::duration_cast<base::Duration>(
      std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec)));
  return out;
}

base::Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs info{};
  if (::statvfs(path.c_str(), &info) != 0) return fail_errno(errno, "statvfs " + path);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

OutputFile::OutputFile(Fd fd, std::string path, std::string temporary)
    : fd_(std::move(fd)), path_(std::move(path)), temporary_(std::move(temporary)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, std::string())) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

base::Result<OutputFile> OutputFile::create(std::string path, unsigned mode) {
  auto temporary = temporary_for(path);
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.open()) return fail_errno(errno, "create " + temporary);
  OutputFile file(std::move(fd), std::move(path), std::move(temporary));
  if (::fchmod(file.fd_.get(), mode) != 0) return fail_errno(errno, "chmod " + file.temporary_);
  return file;
}

base::Status OutputFile::give_to_owner_of_dir() {
  const auto dir = parent_of(path_);
  struct stat of_dir{}, own{};
  if (::stat(dir.c_str(), &of_dir) != 0) return fail_errno(errno, "stat " + dir);
  if (::fstat(fd_.get(), &own) != 0) return fail_errno(errno, "stat " + temporary_);
  if (own.st_uid == of_dir.st_uid) return {};
  if (::fchown(fd_.get(), of_dir.st_uid, of_dir.st_gid) == 0) return {};
  return fail_errno(
      errno, fmt::format("give {} to the owner of its folder, uid {}", path_, of_dir.st_uid));
}

base::Status OutputFile::give_to(const User& user) {
  if (::fchown(fd_.get(), user.uid, user.gid) == 0) return {};
  return fail_errno(errno, fmt::format("give {} to user {}", path_, user.name));
}

base::Status OutputFile::write(std::string_view bytes) {
  return write_fully(fd_.get(), bytes, "write " + temporary_);
}

base::Status OutputFile::sync() {
  return sync_fd(fd_.get(), temporary_);
}

base::Status OutputFile::commit_new() {
  TRY_OK(sync());
  // Neither replaces a name, so two writers cannot both succeed.
  int number = ::link(temporary_.c_str(), path_.c_str()) == 0 ? 0 : errno;
  const bool no_links = number == EPERM || number == EOPNOTSUPP || number == ENOSYS;
  if (no_links)
    number =
        ::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0
            ? 0
            : errno;
  ::unlink(std::exchange(temporary_, std::string()).c_str());
  if (no_links && (number == EINVAL || number == EOPNOTSUPP || number == ENOSYS))
    return base::fail(Code::kUnimplemented,
                      fmt::format("create {}: its file system can only replace", path_));
  if (number != 0) return fail_errno(number, "create " + path_);
  return sync_dir(parent_of(path_));
}

base::Status OutputFile::commit() {
  TRY_OK(sync());
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    return fail_errno(errno, "rename " + temporary_ + " to " + path_);
  temporary_.clear();
  return sync_dir(parent_of(path_));
}

}  // namespace posix
