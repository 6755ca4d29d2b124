#include "posix/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace posix {

base::Result<ScratchFile> ScratchFile::create(const std::string& directory) {
  std::string path = directory + "/.scratch-XXXXXX";
  Fd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd.open()) return fail_errno(errno, "create a file in " + directory);
  if (::unlink(path.c_str()) != 0) return fail_errno(errno, "unlink " + path);
  return ScratchFile(std::move(fd), "a scratch file in " + directory);
}

base::Status ScratchFile::append(std::string_view bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                               static_cast<off_t>(size_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int number = errno;
      // Gives the room back; whoever opens path() sees no half of it.
      [[maybe_unused]] const int cut = ::ftruncate(fd_.get(), static_cast<off_t>(size_));
      return fail_errno(number, "write " + what_);
    }
    done += static_cast<size_t>(n);
  }
  size_ += bytes.size();
  return {};
}

base::Status ScratchFile::read(std::uint64_t offset, std::span<char> out) const {
  for (size_t have = 0; have < out.size();) {
    const ssize_t n =
        ::pread(fd_.get(), out.data() + have, out.size() - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read " + what_);
    if (n == 0) return base::fail(base::Code::kUnavailable, what_ + " became shorter");
    have += static_cast<size_t>(n);
  }
  return {};
}

std::string ScratchFile::path() const {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd_.get());
}

}  // namespace posix
