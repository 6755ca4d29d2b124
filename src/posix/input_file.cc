#include "posix/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

namespace posix {

base::Result<InputFile> InputFile::open(std::string path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.open()) return fail_errno(errno, "open " + path);
  // By its descriptor: the name may be another file's by now.
  TRY(const auto info, file_info(fmt::format("/proc/self/fd/{}", fd.get())));
  if (!info.regular)
    return base::fail(base::Code::kFailedPrecondition, path + " is not a regular file");
  return InputFile(std::move(fd), std::move(path), info);
}

base::Result<size_t> InputFile::read_some(std::uint64_t offset, std::span<char> out) const {
  size_t have = 0;
  while (have < out.size()) {
    const ssize_t n =
        ::pread(fd_.get(), out.data() + have, out.size() - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read " + path_);
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  return have;
}

base::Result<std::string> InputFile::read_at(std::uint64_t offset, size_t size) const {
  std::string bytes(size, '\0');
  TRY(const size_t have, read_some(offset, bytes));
  bytes.resize(have);
  return bytes;
}

base::Status InputFile::fill(std::uint64_t offset, std::span<char> out) const {
  TRY(const size_t have, read_some(offset, out));
  if (have < out.size())
    return base::fail(
        base::Code::kUnavailable,
        fmt::format("{} ends at byte {}, sooner than when it was opened", path_, offset + have));
  return {};
}

}  // namespace posix
