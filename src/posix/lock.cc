#include "posix/lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>

#include <cerrno>

namespace posix {
namespace {

constexpr int kTries = 50;  // one a millisecond

int flock_retry(int fd, int operation) {
  int done = ::flock(fd, operation);
  while (done != 0 && errno == EINTR) done = ::flock(fd, operation);
  return done;
}

}  // namespace

base::Result<FileLock> FileLock::try_lock(const std::string& path, unsigned mode) {
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd.open()) return fail_errno(errno, "open " + path);
  for (int i = 0; i < kTries; ++i) {
    if (flock_retry(fd.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(fd));
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock " + path);
    ::poll(nullptr, 0, 1);
  }
  return base::fail(base::Code::kFailedPrecondition, path + " is locked by another process");
}

base::Status FileLock::inherit() {
  if (::fcntl(fd_.get(), F_SETFD, 0) != 0) return fail_errno(errno, "fcntl of a lock");
  return {};
}

base::Fact<bool> is_locked(const std::string& path) {
  using Fact = base::Fact<bool>;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.open())
    return errno == ENOENT ? Fact::absent() : Fact::unknown(from_errno(errno, path).message);
  if (flock_retry(fd.get(), LOCK_SH | LOCK_NB) == 0) return false;  // closing drops it
  if (errno == EWOULDBLOCK) return true;
  return Fact::unknown(from_errno(errno, "lock " + path).message);
}

}  // namespace posix
