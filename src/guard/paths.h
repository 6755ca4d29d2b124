// Where a member's files are; the layout is part of the contract in guard/files.h.
#pragma once

#include <string>

namespace guard {

struct Paths {
  std::string member;  // absolute

  [[nodiscard]] std::string ticket() const { return member + "/ticket"; }
  [[nodiscard]] std::string state() const { return member + "/state"; }
  [[nodiscard]] std::string verdict() const { return member + "/verdict"; }
  [[nodiscard]] std::string lock() const { return member + "/member.lock"; }
  [[nodiscard]] std::string logs() const { return member + "/log"; }
  [[nodiscard]] std::string volume() const { return member + "/volume"; }
  [[nodiscard]] std::string marker() const { return volume() + "/marker"; }
  [[nodiscard]] std::string data() const { return volume() + "/data"; }
  [[nodiscard]] std::string stale() const { return volume() + "/stale"; }
  [[nodiscard]] std::string restoring() const { return volume() + "/restoring"; }
};

}  // namespace guard
