#include "posix/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace posix {

RotatingFile::RotatingFile(std::string path, const Options& options)
    : path_(std::move(path)), options_(options) {}

base::Status RotatingFile::append(std::string_view line) {
  std::string bytes(line);
  if (bytes.empty() || bytes.back() != '\n') bytes += '\n';
  const std::scoped_lock lock(mutex_);
  if (!fd_.open()) TRY_OK(reopen());
  if (size_ > 0 && size_ + bytes.size() > options_.max_bytes) TRY_OK(rotate());
  const auto written = write_fully(fd_.get(), bytes, "write " + path_);
  // After a failure the size is not known any more, and the file may have been removed.
  if (!written)
    fd_.reset();
  else
    size_ += bytes.size();
  return written;
}

base::Status RotatingFile::reopen() {
  fd_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, options_.mode));
  if (!fd_.open()) return fail_errno(errno, "open " + path_);
  struct stat info{};
  if (::fstat(fd_.get(), &info) != 0) return fail_errno(errno, "stat " + path_);
  size_ = static_cast<std::uint64_t>(info.st_size);
  return {};
}

base::Status RotatingFile::rotate() {
  fd_.reset();
  for (unsigned i = options_.keep; i > 0; --i) {
    const auto from = i == 1 ? path_ : path_ + "." + std::to_string(i - 1);
    const auto to = path_ + "." + std::to_string(i);
    if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT)
      return fail_errno(errno, "rename " + from);
  }
  if (options_.keep == 0 && ::unlink(path_.c_str()) != 0 && errno != ENOENT)
    return fail_errno(errno, "remove " + path_);
  return reopen();
}

}  // namespace posix
