// Small text helpers that the standard library lacks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"

namespace base {

std::vector<std::string_view> split(std::string_view text, char separator);  // keeps empty parts
std::string_view trim(std::string_view text);                                // ASCII white space
std::string join(std::span<const std::string> parts, std::string_view separator);
std::optional<std::int64_t> parse_int(std::string_view text);  // whole text, decimal

// The candidate nearest to `word` (edit distance at most a third of its length), for "did you
// mean".
std::optional<std::string> nearest(std::string_view word,
                                   std::span<const std::string_view> candidates);

// The length of the UTF-8 character at the front of `text` (not empty), 0 if the bytes are none.
size_t utf8_length(std::string_view text);

// CRC-32C (Castagnoli), as etcd's write-ahead log and our own files use it; chainable by `crc`.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace base
