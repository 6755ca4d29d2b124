// A log of bounded size: `path`, then `path`.1 … `path`.N, the oldest last.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "guard/disk.h"

namespace guard {

class RotatedLog {
 public:
  RotatedLog(std::string path, std::uint64_t limit, int older, bool echo = false);
  // What cannot be written is dropped: a full disk must not stop the one who logs.
  void write(std::string_view bytes);

 private:
  void open();
  void rotate();

  std::string path_;
  std::uint64_t limit_, size_ = 0;
  int older_;
  bool echo_;  // to stderr as well
  Fd fd_;
};

}  // namespace guard
