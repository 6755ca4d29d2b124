// Tells for certain that etcd never made a log in a blank directory: then it has not voted, and its
// first start may be tried again. The kernel queues the events, so that none is missed.
#pragma once

#include <sys/types.h>

#include <string>

#include "guard/disk.h"

namespace guard {

class BirthWatch {
 public:
  // Makes `<data>/member` and watches it.
  explicit BirthWatch(std::string data_dir);
  // True only if it is certain. Ask after etcd has ended.
  [[nodiscard]] bool never_had_log();

 private:
  std::string member_dir_;
  Fd events_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace guard
