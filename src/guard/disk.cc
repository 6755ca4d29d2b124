#include "guard/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "guard/files.h"

namespace guard {
namespace {

namespace fs = std::filesystem;

base::Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error("write", errno));
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

base::Error errno_error(std::string_view what, int number) {
  base::Code code = base::Code::kUnavailable;
  // ENOTDIR is not absence: something stands where a directory should be.
  if (number == ENOENT) code = base::Code::kNotFound;
  if (number == EACCES || number == EPERM || number == EROFS) code = base::Code::kPermissionDenied;
  if (number == ENOSPC || number == EDQUOT || number == EMFILE)
    code = base::Code::kResourceExhausted;
  std::array<char, 128> buffer{};
  return {code, fmt::format("{}: {}", what, strerror_r(number, buffer.data(), buffer.size()))};
}

std::string parent_of(const std::string& path) {
  return fs::path(path).parent_path().string();
}

base::Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::unexpected(errno_error("open " + path, errno));
  std::string out;
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno_error("read " + path, errno));
    if (n == 0) return out;
    out.append(buffer.data(), static_cast<std::size_t>(n));
    if (out.size() > limit)
      return base::fail(base::Code::kDataLoss, fmt::format("{}: over {} bytes", path, limit));
  }
}

base::Status write_file(const std::string& path, std::string_view bytes, Last last) {
  const std::string tmp = path + ".tmp";
  {
    const Fd fd(::open(tmp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return std::unexpected(errno_error("create " + tmp, errno));
    if (auto s = write_all(fd.get(), bytes); !s) return std::unexpected(s.error().in(tmp));
    if (last == Last::kForGood && ::fsync(fd.get()) != 0)
      return std::unexpected(errno_error("fsync " + tmp, errno));
  }
  if (::rename(tmp.c_str(), path.c_str()) != 0)
    return std::unexpected(errno_error("rename " + tmp, errno));
  return last == Last::kForGood ? sync_dir(parent_of(path)) : base::Status{};
}

base::Status overwrite_file(const std::string& path, std::string_view bytes) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return std::unexpected(errno_error("open " + path, errno));
  if (auto s = write_all(fd.get(), bytes); !s) return std::unexpected(s.error().in(path));
  return {};
}

base::Result<std::vector<std::string>> list_dir(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), &::closedir);
  if (!dir) return std::unexpected(errno_error("list " + path, errno));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* e = ::readdir(dir.get())) {
    const std::string_view name(static_cast<const char*>(e->d_name));
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return std::unexpected(errno_error("list " + path, errno));
  std::ranges::sort(names);
  return names;
}

base::Status make_dir(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return std::unexpected(errno_error("mkdir " + path, errno));
}

base::Status sync_dir(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return std::unexpected(errno_error("fsync " + path, errno));
  return {};
}

base::Status sync_filesystem_of(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) != 0) return std::unexpected(errno_error("sync " + path, errno));
  return {};
}

base::Status rename_durably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return std::unexpected(errno_error("rename " + from, errno));
  return sync_dir(parent_of(to));
}

base::Status remove_tree(const std::string& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec) return std::unexpected(errno_error("remove " + path, ec.value()));
  return {};
}

bool exists(const std::string& path) {
  struct stat st{};
  return ::lstat(path.c_str(), &st) == 0;
}

std::string place_at(const std::string& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st) == 0) return place_text({st.st_dev, st.st_ino});
  return errno == ENOENT ? std::string(kNoPlace) : std::string();
}

bool has_files(const std::string& path) {
  std::error_code ec;
  if (fs::symlink_status(path, ec).type() == fs::file_type::not_found) return false;
  fs::recursive_directory_iterator it(path, ec);
  if (ec) return true;
  for (const fs::recursive_directory_iterator end; it != end; it.increment(ec)) {
    if (ec) return true;
    if (it->symlink_status(ec).type() != fs::file_type::directory || ec) return true;
  }
  return static_cast<bool>(ec);
}

}  // namespace guard
