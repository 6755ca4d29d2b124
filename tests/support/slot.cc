#include "support/slot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

namespace support {

std::optional<Slot> Slot::take(const std::string& name, int count) {
  for (int number = 0; number < count; ++number) {
    const auto path = std::filesystem::temp_directory_path() / fmt::format("{}-{}", name, number);
    const int lock = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (lock < 0) continue;  // of another user
    if (::flock(lock, LOCK_EX | LOCK_NB) == 0) return Slot(number, lock);
    ::close(lock);
  }
  return std::nullopt;
}

Slot::Slot(Slot&& other) noexcept : number_(other.number_), lock_(std::exchange(other.lock_, -1)) {}

Slot::~Slot() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace support
