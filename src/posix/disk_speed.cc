#include "posix/disk_speed.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "posix/errors.h"
#include "posix/files.h"
#include "posix/process.h"

namespace posix {
namespace {

constexpr size_t kBytes = 2048;

base::Status write_all(int fd, const std::string& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "write");
    done += static_cast<size_t>(n);
  }
  if (::fdatasync(fd) != 0) return fail_errno(errno, "fdatasync");
  return {};
}

}  // namespace

base::Result<std::vector<std::int64_t>> measure_fsync(const std::string& folder, int count,
                                                      base::Duration deadline,
                                                      const std::stop_token& stop) {
  using Clock = std::chrono::steady_clock;
  const std::string name = folder + "/.disk-speed-" + std::to_string(own_pid());
  const Fd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.open()) return fail_errno(errno, "make " + name);
  // Without a name nothing is left of it, however this ends.
  TRY_OK(remove_file(name));
  const std::string bytes(kBytes, 'x');
  const auto until = Clock::now() + deadline;
  std::vector<std::int64_t> out;
  for (int i = 0; i < count && Clock::now() < until && !stop.stop_requested(); ++i) {
    const auto before = Clock::now();
    TRY_OK(write_all(fd.get(), bytes));
    out.push_back(
        std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - before).count());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace posix
