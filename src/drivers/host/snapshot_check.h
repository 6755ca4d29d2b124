// Whether the bytes of a snapshot are those that its etcd sent.
#pragma once

#include <string>
#include <string_view>

#include "pki/digest.h"

namespace host {

// Sees a snapshot go by and says at the end whether its own check sum holds.
class SnapshotCheck {
 public:
  void update(std::string_view bytes) {
    tail_.append(bytes);
    if (tail_.size() <= kSumBytes) return;
    sum_.update(std::string_view(tail_).substr(0, tail_.size() - kSumBytes));
    any_ = true;
    tail_.erase(0, tail_.size() - kSumBytes);
  }
  [[nodiscard]] bool holds() { return any_ && tail_.size() == kSumBytes && sum_.finish() == tail_; }

 private:
  static constexpr size_t kSumBytes = 32;  // of the SHA-256 at a snapshot's end
  pki::Sha256 sum_;
  std::string tail_;
  bool any_ = false;
};

}  // namespace host
