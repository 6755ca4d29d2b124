// Numbers for test programs that run side by side: addresses and ports that no two of them share.
#pragma once

#include <optional>
#include <string>

namespace support {

// Holds a number of its own by a lock on a file, which ends with the object or the program. The
// children of the program do not hold it.
class Slot {
 public:
  // The lowest of 0 to count - 1 that nobody holds under this name; none: all are held.
  static std::optional<Slot> take(const std::string& name, int count);
  Slot(Slot&& other) noexcept;
  Slot& operator=(Slot&&) = delete;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot();

  [[nodiscard]] int number() const { return number_; }

 private:
  Slot(int number, int lock) : number_(number), lock_(lock) {}

  int number_, lock_;
};

}  // namespace support
