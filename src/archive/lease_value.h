// A lease as etcd's bucket of leases has it; for this module's sources.
#pragma once

#include <cstdint>
#include <string>

namespace archive {

inline std::string lease_value(std::int64_t id, std::int64_t ttl_seconds) {
  std::string out;
  const auto number = [&](char tag, std::int64_t value) {
    out += tag;
    auto left = static_cast<std::uint64_t>(value);
    for (; left >= 0x80; left >>= 7) out += static_cast<char>(left | 0x80);
    out += static_cast<char>(left);
  };
  number('\x08', id);
  number('\x10', ttl_seconds);
  return out;
}

}  // namespace archive
