// For tests: a disk that is full. While it lives no file of this process grows beyond so many
// bytes.
#pragma once

#include <signal.h>
#include <sys/resource.h>

namespace posix {

class TestFileLimit {
 public:
  explicit TestFileLimit(unsigned long bytes) {
    ::signal(SIGXFSZ, SIG_IGN);  // the write fails instead
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  TestFileLimit(const TestFileLimit&) = delete;
  TestFileLimit& operator=(const TestFileLimit&) = delete;
  ~TestFileLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace posix
