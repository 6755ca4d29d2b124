// Advisory locks on files, which the kernel drops when the last holder has ended.
#pragma once

#include <string>

#include "base/fact.h"
#include "base/result.h"
#include "posix/errors.h"

namespace posix {

// An exclusive flock(2), held until this object and every process that inherited the descriptor are
// gone.
class FileLock {
 public:
  // Makes the file if it is absent. FailedPrecondition if another process holds the lock; tries for
  // 50 ms, so that a passing is_locked() does not count as a holder.
  static base::Result<FileLock> try_lock(const std::string& path, unsigned mode = 0600);

  [[nodiscard]] int fd() const { return fd_.get(); }  // closed on exec unless inherit() was called
  base::Status inherit();                             // children get the descriptor, and the lock

 private:
  explicit FileLock(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

// Absent: there is no such file. Takes and drops a shared lock, which no holder notices.
base::Fact<bool> is_locked(const std::string& path);

}  // namespace posix
