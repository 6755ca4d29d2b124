// What the fuzzers share: a property that does not hold ends the program with its name, and a check
// sum that a mutation cannot guess is put under it.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"

namespace fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// The same text with a last line "crc …" that fits it, in place of one that it may have.
inline std::string sealed(std::string_view text) {
  std::string body(text.substr(0, text.rfind("\ncrc ") + 1));
  if (body.empty()) body = std::string(text) + "\n";
  return body + fmt::format("crc {:08x}\n", base::crc32c(body));
}

}  // namespace fuzz
