// Where the bytes of a database come from: a file, or a string in tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "posix/input_file.h"

namespace bolt {

// Reads may come from two threads at a time.
class Source {
 public:
  virtual ~Source() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
  // All of `out`, or an error that is not the content's: Unavailable and the like, never DataLoss.
  // Precondition: within size().
  [[nodiscard]] virtual base::Status read(std::uint64_t offset, std::span<char> out) const = 0;
};

// The string must outlive it.
class StringSource final : public Source {
 public:
  explicit StringSource(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  [[nodiscard]] base::Status read(std::uint64_t offset, std::span<char> out) const override {
    if (offset > bytes_.size() || bytes_.size() - offset < out.size())
      return base::fail(base::Code::kInternal, "a read beyond the end");
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }

 private:
  std::string_view bytes_;
};

class FileSource final : public Source {
 public:
  static base::Result<FileSource> open(const std::string& path) {
    TRY(auto file, posix::InputFile::open(path));
    return FileSource(std::move(file));
  }
  [[nodiscard]] std::uint64_t size() const override { return file_.info().size; }
  [[nodiscard]] base::Status read(std::uint64_t offset, std::span<char> out) const override {
    return file_.fill(offset, out);
  }

 private:
  explicit FileSource(posix::InputFile file) : file_(std::move(file)) {}
  posix::InputFile file_;
};

}  // namespace bolt
