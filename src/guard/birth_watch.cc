#include "guard/birth_watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace guard {

BirthWatch::BirthWatch(std::string data_dir) : member_dir_(data_dir + "/member") {
  if (!make_dir(data_dir) || !make_dir(member_dir_)) return;
  Fd events(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  struct stat st{};
  if (!events || ::stat(member_dir_.c_str(), &st) != 0 ||
      ::inotify_add_watch(events.get(), member_dir_.c_str(),
                          IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF) < 0)
    return;
  device_ = st.st_dev;
  inode_ = st.st_ino;
  events_ = std::move(events);
}

bool BirthWatch::never_had_log() {
  struct stat st{};
  if (!events_ || ::stat(member_dir_.c_str(), &st) != 0 || st.st_dev != device_ ||
      st.st_ino != inode_)
    return false;
  alignas(inotify_event) std::array<char, 8192> buffer{};
  for (;;) {
    const ssize_t n = ::read(events_.get(), buffer.data(), buffer.size());
    if (n < 0) return errno == EAGAIN;
    for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(n);) {
      inotify_event e{};
      std::memcpy(&e, buffer.data() + at, sizeof e);
      const std::string_view name(buffer.data() + at + sizeof e,
                                  ::strnlen(buffer.data() + at + sizeof e, e.len));
      if ((e.mask & (IN_CREATE | IN_MOVED_TO)) == 0 || name == "wal") return false;
      at += sizeof e + e.len;
    }
  }
}

}  // namespace guard
