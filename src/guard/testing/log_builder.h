// Writes a log's bytes as etcd does, and reads bytes from memory: for tests and fuzzers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/text.h"
#include "guard/wal.h"

namespace guard::testing {

class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() override { return bytes_.size(); }
  std::optional<std::size_t> read(std::uint64_t offset, std::span<char> out) override {
    if (offset >= bytes_.size()) return 0;
    return bytes_.substr(static_cast<std::size_t>(offset)).copy(out.data(), out.size());
  }

 private:
  std::string_view bytes_;
};

inline std::string varint(std::uint64_t v) {
  std::string out;
  for (; v >= 0x80; v >>= 7) out += static_cast<char>(v | 0x80);
  return out + static_cast<char>(v);
}
inline std::string number(unsigned field, std::uint64_t v) {
  return varint(field << 3) + varint(v);
}
inline std::string bytes_of(unsigned field, const std::string& v) {
  return varint(field << 3 | 2) + varint(v.size()) + v;
}

// Writes a log as etcd does: records padded to 8 bytes, a running check sum.
class LogBuilder {
 public:
  std::string out;
  std::uint32_t crc = 0;

  void record(std::uint64_t type, const std::string& data) {
    if (type != 4) crc = base::crc32c(data, crc);
    std::string body = number(1, type) + number(2, crc);
    if (!data.empty()) body += bytes_of(3, data);
    const std::size_t padding = (8 - body.size() % 8) % 8;
    std::uint64_t head = body.size();
    if (padding != 0) head |= std::uint64_t{0x80 | padding} << 56;
    for (int i = 0; i < 8; ++i) out += static_cast<char>(head >> (8 * i));
    out += body + std::string(padding, '\0');
  }
  void head(std::uint64_t member = 0xa, std::uint64_t cluster = 0xc) {
    record(4, "");
    record(1, number(1, member) + number(2, cluster));
  }
  void entry(std::uint64_t term, std::uint64_t index, const std::string& data = "x") {
    record(2, number(1, 0) + number(2, term) + number(3, index) + bytes_of(4, data));
  }
  void state(std::uint64_t term, std::uint64_t commit) {
    record(3, number(1, term) + number(2, 1) + number(3, commit));
  }
  void snapshot(std::uint64_t term, std::uint64_t index) {
    record(5, number(1, index) + number(2, term));
  }
};

}  // namespace guard::testing
