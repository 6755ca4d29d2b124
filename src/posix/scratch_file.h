// A file without a name: written once, read at any place, gone with its object or its process.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "posix/errors.h"

namespace posix {

// Reading is thread-safe while nobody writes.
class ScratchFile {
 public:
  static base::Result<ScratchFile> create(const std::string& directory);

  // All of it or, if it fails, nothing: the next bytes go where these would have gone.
  base::Status append(std::string_view bytes);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // All of `out`. Precondition: within size().
  [[nodiscard]] base::Status read(std::uint64_t offset, std::span<char> out) const;
  // Under which other processes of this user can open it while this object lives.
  [[nodiscard]] std::string path() const;

 private:
  ScratchFile(Fd fd, std::string what) : fd_(std::move(fd)), what_(std::move(what)) {}
  Fd fd_;
  std::string what_;
  std::uint64_t size_ = 0;
};

}  // namespace posix
