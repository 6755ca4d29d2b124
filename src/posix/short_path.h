// A directory held open, under a path of a few bytes: the address of a Unix socket has 108.
#pragma once

#include <string>

#include "base/result.h"
#include "posix/errors.h"

namespace posix {

class ShortPath {
 public:
  static base::Result<ShortPath> of(const std::string& directory);
  // Of this process alone, as long as this object lives; without a slash at its end.
  [[nodiscard]] std::string text() const;

 private:
  explicit ShortPath(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace posix
