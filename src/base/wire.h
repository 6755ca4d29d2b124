// Protobuf's wire format, read field by field from untrusted bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace base {

class WireReader {
 public:
  struct Field {
    std::uint64_t number = 0;
    std::uint64_t value = 0;  // of a varint or a fixed number
    std::string_view bytes;   // of a length-delimited field
  };

  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  // No value at the end, or at the first byte that is wrong: then bad() is true.
  std::optional<Field> next() {
    if (rest_.empty() || bad_) return std::nullopt;
    Field f;
    const auto tag = varint();
    if (!tag || *tag >> 3 == 0) return fail();
    f.number = *tag >> 3;
    switch (*tag & 7) {
      case 0: {
        const auto v = varint();
        if (!v) return fail();
        f.value = *v;
        return f;
      }
      case 1:
      case 5: {
        const std::size_t n = (*tag & 7) == 1 ? 8 : 4;
        if (rest_.size() < n) return fail();
        for (std::size_t i = n; i-- > 0;)
          f.value = f.value << 8 | static_cast<unsigned char>(rest_[i]);
        rest_.remove_prefix(n);
        return f;
      }
      case 2: {
        const auto n = varint();
        if (!n || *n > rest_.size()) return fail();
        f.bytes = rest_.substr(0, static_cast<std::size_t>(*n));
        rest_.remove_prefix(static_cast<std::size_t>(*n));
        return f;
      }
      default:
        return fail();
    }
  }
  [[nodiscard]] bool bad() const { return bad_; }

 private:
  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }
  std::optional<Field> fail() {
    bad_ = true;
    return std::nullopt;
  }

  std::string_view rest_;
  bool bad_ = false;
};

}  // namespace base
