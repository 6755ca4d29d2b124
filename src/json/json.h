// JSON text to values and back.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "json/value.h"

namespace json {

struct Limits {
  size_t depth = 64;
  size_t bytes = size_t{16} << 20;
};

// One document and nothing after it. InvalidArgument "line 3, column 7 (byte 41): …" for text that
// is not JSON or holds a key twice; ResourceExhausted when a limit is passed.
base::Result<Value> parse(std::string_view text, const Limits& limits = {});

enum class Style { kCompact, kPretty };
// Always valid JSON: bytes that are not UTF-8 become U+FFFD, numbers that are not finite null.
std::string print(const Value& value, Style style = Style::kCompact);

}  // namespace json
