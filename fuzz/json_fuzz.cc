// Any bytes as JSON: no crash, limits hold, and what was read prints and reads back as the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "json/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = json::parse(text, {.depth = 32, .bytes = 65536});
  if (!value) return 0;
  for (const auto style : {json::Style::kCompact, json::Style::kPretty}) {
    const auto again = json::parse(json::print(*value, style));
    if (!again || *again != *value) std::abort();
  }
  static_cast<void>(json::get_string(*value, "a.0.b"));
  return 0;
}
