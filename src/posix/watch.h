// Tells that something in one directory has changed; what, the caller reads for itself.
#pragma once

#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "posix/errors.h"
#include "posix/wakeup.h"

namespace posix {

// Level-based: changes between two waits are one kChanged, and none is lost. A directory that is
// absent, removed or replaced is watched again once it is there, and that is a change too. One
// thread waits; wake() is for all.
class DirWatch {
 public:
  enum class Event { kChanged, kTimeout, kWoken, kStopped };

  static base::Result<DirWatch> open(std::string directory);
  base::Result<Event> wait(base::Duration timeout, const std::stop_token& stop);
  void wake() const { wakeup_.notify(); }

 private:
  DirWatch(std::string directory, Fd inotify, Wakeup wakeup)
      : directory_(std::move(directory)),
        inotify_(std::move(inotify)),
        wakeup_(std::move(wakeup)) {}
  bool arm();             // false: the directory is absent
  bool drain();           // true: there were events
  bool replaced() const;  // the name is another directory now, or none

  std::string directory_;
  Fd inotify_;
  Wakeup wakeup_;
  int watch_ = -1;  // -1: not watching
  unsigned long long inode_ = 0, device_ = 0;
};

}  // namespace posix
