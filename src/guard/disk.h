// Files of the guard: read whole, written whole and renamed, with fsync where it must last.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace guard {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

// The error of errno: full disks and quotas are ResourceExhausted, ENOENT is NotFound.
base::Error errno_error(std::string_view what, int number);

base::Result<std::string> read_file(const std::string& path, std::size_t limit);
enum class Last { kUntilReboot, kForGood };
base::Status write_file(const std::string& path, std::string_view bytes, Last last);
// In place, for a file that is mounted and so cannot be replaced; not durable.
base::Status overwrite_file(const std::string& path, std::string_view bytes);
base::Result<std::vector<std::string>> list_dir(const std::string& path);  // sorted names
base::Status make_dir(const std::string& path);                            // there already is fine
base::Status rename_durably(const std::string& from, const std::string& to);
base::Status remove_tree(const std::string& path);  // not there is fine; follows no link
base::Status sync_dir(const std::string& path);
base::Status sync_filesystem_of(const std::string& path);
[[nodiscard]] bool exists(const std::string& path);
// For Verdict::volume; empty if it cannot be told.
[[nodiscard]] std::string place_at(const std::string& path);
// Whether there is anything but empty directories; an unreadable one counts.
[[nodiscard]] bool has_files(const std::string& path);
[[nodiscard]] std::string parent_of(const std::string& path);

}  // namespace guard
