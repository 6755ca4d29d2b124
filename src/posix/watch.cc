#include "posix/watch.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace posix {
namespace {

// A renamed parent or a mount on top gives no event; the name is looked at this often.
constexpr base::Duration kRecheck{1000};
constexpr base::Duration kAbsentRecheck{200};

constexpr unsigned kMask = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                           IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

}  // namespace

base::Result<DirWatch> DirWatch::open(std::string directory) {
  Fd inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.open()) return fail_errno(errno, "inotify");
  TRY(auto wakeup, Wakeup::create());
  DirWatch watch(std::move(directory), std::move(inotify), std::move(wakeup));
  watch.arm();
  return watch;
}

bool DirWatch::arm() {
  if (watch_ >= 0) ::inotify_rm_watch(inotify_.get(), watch_);
  watch_ = ::inotify_add_watch(inotify_.get(), directory_.c_str(), kMask);
  struct stat info{};
  if (watch_ >= 0 && ::stat(directory_.c_str(), &info) == 0) {
    inode_ = info.st_ino;
    device_ = info.st_dev;
  }
  return watch_ >= 0;
}

bool DirWatch::drain() {
  alignas(inotify_event) std::array<char, 16384> buffer{};
  bool any = false;
  while (::read(inotify_.get(), buffer.data(), buffer.size()) > 0) any = true;
  return any;
}

bool DirWatch::replaced() const {
  struct stat info{};
  if (::stat(directory_.c_str(), &info) != 0) return errno == ENOENT || errno == ENOTDIR;
  return info.st_ino != inode_ || info.st_dev != device_;
}

base::Result<DirWatch::Event> DirWatch::wait(base::Duration timeout, const std::stop_token& stop) {
  const auto deadline = deadline_in(timeout);
  for (;;) {
    if (watch_ < 0 && arm()) {
      drain();
      return Event::kChanged;
    }
    PollItem events{inotify_.get(), POLLIN, 0};
    PollItem woken{wakeup_.fd(), POLLIN, 0};
    const auto slice = deadline_in(watch_ < 0 ? kAbsentRecheck : kRecheck);
    const auto ready = poll_until({&events, &woken}, std::min(deadline, slice), stop);
    if (!ready && ready.error().code == base::Code::kCancelled) return Event::kStopped;
    if (!ready && ready.error().code != base::Code::kDeadlineExceeded)
      return std::unexpected(ready.error());
    if (woken.revents != 0) {
      wakeup_.clear();
      return Event::kWoken;
    }
    const bool changed = events.revents != 0 && drain();
    if (watch_ >= 0 && replaced()) {
      arm();
      drain();
      return Event::kChanged;
    }
    if (changed) return Event::kChanged;
    if (deadline_in(base::Duration(0)) >= deadline) return Event::kTimeout;
  }
}

}  // namespace posix
