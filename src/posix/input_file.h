// A regular file that is read bit by bit; what is read is of one file, whatever is renamed over its
// name meanwhile.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "posix/errors.h"
#include "posix/files.h"

namespace posix {

// Thread-safe after open().
class InputFile {
 public:
  // NotFound: nothing has that name. FailedPrecondition: it is no regular file.
  static base::Result<InputFile> open(std::string path);

  [[nodiscard]] const FileInfo& info() const { return info_; }  // of when it was opened
  // Fewer bytes than `size` only at the end of the file.
  [[nodiscard]] base::Result<std::string> read_at(std::uint64_t offset, size_t size) const;
  // All of `out`. Unavailable if the file ends before that.
  [[nodiscard]] base::Status fill(std::uint64_t offset, std::span<char> out) const;

 private:
  // How much there was of it.
  [[nodiscard]] base::Result<size_t> read_some(std::uint64_t offset, std::span<char> out) const;
  InputFile(Fd fd, std::string path, FileInfo info)
      : fd_(std::move(fd)), path_(std::move(path)), info_(info) {}
  Fd fd_;
  std::string path_;
  FileInfo info_;
};

}  // namespace posix
