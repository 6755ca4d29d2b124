// A file that is written bit by bit and appears under its name only when it is whole.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "posix/errors.h"

namespace posix {

struct User;

// Without commit() nothing is left of it, and an older file of the name stays as it was.
class OutputFile {
 public:
  static base::Result<OutputFile> create(std::string path, unsigned mode = 0600);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // The owner and the group of the directory become its own, so that who works there can read and
  // replace it. PermissionDenied: it is not ours to give away.
  base::Status give_to_owner_of_dir();
  base::Status give_to(const User& user);
  base::Status write(std::string_view bytes);
  base::Status sync();    // what was written is on the disk; commit() does it as well
  base::Status commit();  // fsync, rename, fsync of the directory; once
  // The same if nothing has its name, which no two writers find; AlreadyExists otherwise.
  // Unimplemented: the file system cannot do that.
  base::Status commit_new();

 private:
  OutputFile(Fd fd, std::string path, std::string temporary);
  Fd fd_;
  std::string path_, temporary_;  // temporary_ is empty when there is nothing to remove
};

}  // namespace posix
