#include "posix/writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "posix/files.h"

namespace posix {

base::Result<FileWriter> FileWriter::create(const std::string& path, unsigned mode) {
  std::string temporary = path + ".partial";
  TRY_OK(remove_file(temporary));
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!fd.open()) return fail_errno(errno, "create " + temporary);
  return FileWriter(std::move(fd), path, std::move(temporary));
}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})) {}

FileWriter::~FileWriter() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

base::Status FileWriter::append(std::string_view bytes) {
  return write_fully(fd_.get(), bytes, "write " + temporary_);
}

base::Status FileWriter::finish() {
  while (::fsync(fd_.get()) != 0)
    if (errno != EINTR) return fail_errno(errno, "fsync " + temporary_);
  fd_.reset();
  TRY_OK(rename(temporary_, path_));
  temporary_.clear();
  return {};
}

}  // namespace posix
