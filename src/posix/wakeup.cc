#include "posix/wakeup.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <vector>

namespace posix {
namespace {

constexpr base::Duration kSlice{50};  // between two questions whether to stop, if nothing tells us

base::Tick now() {
  return std::chrono::time_point_cast<base::Duration>(std::chrono::steady_clock::now());
}

}  // namespace

base::Result<Wakeup> Wakeup::create() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.open()) return fail_errno(errno, "eventfd");
  return Wakeup(std::move(fd));
}

void Wakeup::notify() const {
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then the descriptor is readable already.
  [[maybe_unused]] const auto n = ::write(fd_.get(), &one, sizeof one);
}

void Wakeup::clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = ::read(fd_.get(), &count, sizeof count);
}

base::Status poll_until(std::initializer_list<PollItem*> items, base::Tick deadline,
                        const std::stop_token& stop) {
  // Out of descriptors a wait is still a wait: callers that repeat it would never rest.
  const auto stopped = Wakeup::create();
  const std::stop_callback on_stop(stop, [&stopped] {
    if (stopped) stopped->notify();
  });
  const std::int64_t longest = stopped ? std::numeric_limits<int>::max() : kSlice.count();
  std::vector<pollfd> fds;
  for (const auto* item : items) fds.push_back({item->fd, item->events, 0});
  if (stopped) fds.push_back({stopped->fd(), POLLIN, 0});
  for (;;) {
    const auto left = std::clamp<std::int64_t>((deadline - now()).count(), 0, longest);
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return fail_errno(errno, "poll");
    if (stopped ? fds.back().revents != 0 : stop.stop_requested())
      return base::fail(base::Code::kCancelled, "stopped");
    if (ready == 0 && now() < deadline) continue;
    if (ready == 0) return base::fail(base::Code::kDeadlineExceeded, "timed out");
    size_t i = 0;
    for (auto* item : items) item->revents = fds[i++].revents;
    return {};
  }
}

base::Tick deadline_in(base::Duration d) {
  return now() + d;
}

}  // namespace posix
