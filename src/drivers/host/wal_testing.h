// For tests of this module.
#pragma once

#include <cstdint>
#include <string>

#include "base/text.h"

namespace host::testing {

// A log as etcd writes it, by a second hand: what the product reads, it has not written.
struct Log {
  std::string bytes;
  std::uint32_t crc = 0;

  static std::string varint(std::uint64_t v) {
    std::string out;
    do {
      out += static_cast<char>((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
      v >>= 7;
    } while (v != 0);
    return out;
  }
  void record(char type, const std::string& data) {
    if (type != 4) crc = base::crc32c(data, crc);
    std::string r = std::string("\x08") + type + "\x10" + varint(crc);
    if (type != 4) r += "\x1a" + varint(data.size()) + data;
    const size_t pad = (8 - r.size() % 8) % 8;
    std::string head(8, '\0');
    for (size_t i = 0; i < 7; ++i) head[i] = static_cast<char>((r.size() >> (8 * i)) & 0xff);
    if (pad != 0) head[7] = static_cast<char>(0x80 | pad);
    bytes += head + r + std::string(pad, '\0');
  }
  void begin() {
    record(4, "");
    record(1, "\x08\x01\x10\x02");
  }
  void entry(std::uint64_t term, std::uint64_t index) {
    record(2, std::string("\x08") + '\0' + "\x10" + varint(term) + "\x18" + varint(index) +
                  "\x22\x05hello");
  }
  void snapshot(std::uint64_t term, std::uint64_t index) {
    record(5, "\x08" + varint(index) + "\x10" + varint(term));
  }
  void state(std::uint64_t term, std::uint64_t vote, std::uint64_t commit) {
    record(3, "\x08" + varint(term) + "\x10" + varint(vote) + "\x18" + varint(commit));
  }
};

}  // namespace host::testing
