// A regular file that is read bit by bit; what is read is of one file, whatever is renamed over its
// name meanwhile.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "posix/errors.h"
#include "posix/files.h"

namespace posix {

class InputFile {
 public:
  // NotFound: nothing has that name. FailedPrecondition: it is no regular file.
  static base::Result<InputFile> open(std::string path);

  [[nodiscard]] const FileInfo& info() const { return info_; }  // of when it was opened
  // Fewer bytes than `size` only at the end of the file.
  [[nodiscard]] base::Result<std::string> read_at(std::uint64_t offset, size_t size) const;

 private:
  InputFile(Fd fd, std::string path, FileInfo info)
      : fd_(std::move(fd)), path_(std::move(path)), info_(info) {}
  Fd fd_;
  std::string path_;
  FileInfo info_;
};

}  // namespace posix
