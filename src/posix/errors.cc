#include "posix/errors.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace posix {

using base::Code;

base::Error from_errno(int number, std::string_view what) {
  Code code = Code::kInternal;
  switch (number) {
    case ENOENT:
    case ESRCH:  // also of a file under /proc whose process ends while it is read
      code = Code::kNotFound;
      break;
    case EEXIST:
      code = Code::kAlreadyExists;
      break;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EFBIG:
      code = Code::kResourceExhausted;
      break;
    case EACCES:
    case EPERM:
    case EROFS:
      code = Code::kPermissionDenied;
      break;
    case ENAMETOOLONG:
    case EINVAL:
    case ELOOP:
      code = Code::kInvalidArgument;
      break;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case EXDEV:
    case EBUSY:
    case ENOEXEC:
    case ETXTBSY:
      code = Code::kFailedPrecondition;
      break;
    case EIO:
    case EAGAIN:
    case ESTALE:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EADDRINUSE:
      code = Code::kUnavailable;
      break;
    case ETIMEDOUT:
      code = Code::kDeadlineExceeded;
      break;
    default:
      break;
  }
  return {code, fmt::format("{}: {}", what, std::generic_category().message(number))};
}

void Fd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

base::Status write_fully(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, what);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace posix
