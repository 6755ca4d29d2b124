// errno to our codes, and an owned descriptor.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace posix {

// "<what>: <text of the number>". ENOENT is NotFound; ENOSPC, EDQUOT, EMFILE and the like are
// ResourceExhausted; EACCES, EPERM, EROFS are PermissionDenied; EIO is Unavailable.
base::Error from_errno(int number, std::string_view what);

inline std::unexpected<base::Error> fail_errno(int number, std::string_view what) {
  return std::unexpected(from_errno(number, what));
}

// Closes what it holds.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Writes all of `bytes` to a blocking descriptor; signals do not interrupt it.
base::Status write_fully(int fd, std::string_view bytes, std::string_view what);

}  // namespace posix
