// A file that is too large to be written in one piece.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "posix/errors.h"

namespace posix {

// Writes beside `path` and gives it its name at the end; dropped before that, nothing is left.
class FileWriter {
 public:
  static base::Result<FileWriter> create(const std::string& path, unsigned mode = 0600);
  FileWriter(FileWriter&& other) noexcept;
  FileWriter& operator=(FileWriter&&) = delete;
  ~FileWriter();

  base::Status append(std::string_view bytes);
  base::Status finish();  // once: fsync, rename, fsync of the directory

 private:
  FileWriter(Fd fd, std::string path, std::string temporary)
      : fd_(std::move(fd)), path_(std::move(path)), temporary_(std::move(temporary)) {}
  Fd fd_;
  std::string path_, temporary_;  // temporary_ is empty once it has its name
};

}  // namespace posix
