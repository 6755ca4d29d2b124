// Digests as raw bytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace pki {

std::string sha1(std::string_view bytes);    // 20 bytes; only where a format demands it
std::string sha256(std::string_view bytes);  // 32 bytes
std::string md5(std::string_view bytes);     // 16 bytes; only where a protocol demands it
std::string hmac_sha256(std::string_view key, std::string_view text);  // 32 bytes
std::string to_hex(std::string_view bytes);  // lower case, two digits a byte

// For data that comes in parts.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::string_view bytes);
  std::string finish();  // once

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pki
