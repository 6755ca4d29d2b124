// A log file that starts anew when it has reached its size.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "posix/errors.h"

namespace posix {

// Keeps `path` and up to `keep` older ones, "path.1" the newest. Each line goes out in one write
// with O_APPEND, so lines of several processes do not mix. Thread-safe. A failed write is
// reported, the line is lost, and the next one tries again.
class RotatingFile {
 public:
  struct Options {
    std::uint64_t max_bytes = std::uint64_t{16} << 20;
    unsigned keep = 2;
    unsigned mode = 0600;
  };
  RotatingFile(std::string path, const Options& options);

  base::Status append(std::string_view line);  // adds the new-line where it is missing

 private:
  base::Status reopen();
  base::Status rotate();

  const std::string path_;
  const Options options_;
  std::mutex mutex_;  // guards what follows
  Fd fd_;
  std::uint64_t size_ = 0;
};

}  // namespace posix
