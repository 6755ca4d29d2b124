// Ends a wait in poll(2) from another thread or by a stop token.
#pragma once

#include <initializer_list>
#include <stop_token>

#include "base/result.h"
#include "base/time.h"
#include "posix/errors.h"

namespace posix {

// A descriptor that is readable from notify() until clear(). Thread-safe.
class Wakeup {
 public:
  static base::Result<Wakeup> create();
  void notify() const;
  void clear() const;
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  explicit Wakeup(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

struct PollItem {
  int fd = -1;
  short events = 0;   // POLLIN, POLLOUT
  short revents = 0;  // filled in
};
// Waits until an item is ready, the deadline has passed or `stop` was asked. Done: at least one
// item has revents. DeadlineExceeded, Cancelled otherwise.
base::Status poll_until(std::initializer_list<PollItem*> items, base::Tick deadline,
                        const std::stop_token& stop);

// The monotonic "now" plus `d`: where poll_until's deadlines come from.
base::Tick deadline_in(base::Duration d);

}  // namespace posix
