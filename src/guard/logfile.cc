#include "guard/logfile.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

namespace guard {

RotatedLog::RotatedLog(std::string path, std::uint64_t limit, int older, bool echo)
    : path_(std::move(path)), limit_(limit), older_(older), echo_(echo) {}

void RotatedLog::open() {
  fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  struct stat st{};
  size_ = fd_ && ::fstat(fd_.get(), &st) == 0 ? static_cast<std::uint64_t>(st.st_size) : 0;
}

void RotatedLog::rotate() {
  for (int i = older_; i > 1; --i)
    (void)std::rename(fmt::format("{}.{}", path_, i - 1).c_str(),
                      fmt::format("{}.{}", path_, i).c_str());
  (void)std::rename(path_.c_str(), (path_ + ".1").c_str());
  fd_ = Fd();
  open();
}

void RotatedLog::write(std::string_view bytes) {
  if (echo_) (void)!::write(STDERR_FILENO, bytes.data(), bytes.size());
  if (!fd_) open();
  if (size_ + bytes.size() > limit_ && size_ > 0) rotate();
  if (!fd_) return;
  const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
  if (n > 0) size_ += static_cast<std::uint64_t>(n);
}

}  // namespace guard
