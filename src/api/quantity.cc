#include "api/quantity.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"

namespace api {
namespace {

using base::Code;

std::optional<long double> factor_of(std::string_view suffix) {
  static constexpr std::array<std::pair<std::string_view, long double>, 16> kUnits{{
      {"", 1.0L},
      {"n", 1e-9L},
      {"u", 1e-6L},
      {"m", 1e-3L},
      {"k", 1e3L},
      {"M", 1e6L},
      {"G", 1e9L},
      {"T", 1e12L},
      {"P", 1e15L},
      {"E", 1e18L},
      {"Ki", 0x1p10L},
      {"Mi", 0x1p20L},
      {"Gi", 0x1p30L},
      {"Ti", 0x1p40L},
      {"Pi", 0x1p50L},
      {"Ei", 0x1p60L},
  }};
  for (const auto& [name, factor] : kUnits)
    if (name == suffix) return factor;
  // "e3" and "E-2" are exponents; a bare "E" was exa above.
  if (suffix.size() < 2 || suffix.size() > 4 || (suffix[0] != 'e' && suffix[0] != 'E'))
    return std::nullopt;
  suffix.remove_prefix(suffix[1] == '+' ? 2 : 1);
  const auto exponent = base::parse_int(suffix);
  if (!exponent || *exponent > 18 || *exponent < -9) return std::nullopt;
  return std::pow(10.0L, static_cast<long double>(*exponent));
}

// `text` times `scale`, rounded up.
base::Result<std::int64_t> parse_scaled(std::string_view text, long double scale) {
  const auto bad = [&](std::string_view why) {
    return base::fail(
        Code::kInvalidArgument,
        fmt::format("'{}' {}; write for example 10Gi, 512Mi or 500m", text.substr(0, 40), why));
  };
  std::string_view rest = text;
  if (rest.starts_with('-')) return bad("is negative");
  if (rest.starts_with('+')) rest.remove_prefix(1);
  long double value = 0, place = 1;
  bool point = false;
  size_t digits = 0, used = 0;
  for (; used < rest.size(); ++used) {
    const char c = rest[used];
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      ++digits;
      if (digits > 30) return bad("has too many digits");
      value = value * 10 + static_cast<long double>(c - '0');
      if (point) place *= 10;
    } else {
      break;
    }
  }
  const auto factor = factor_of(rest.substr(used));
  if (digits == 0 || !factor) return bad("is not a quantity");
  // Division by the decimal places first would make 0.1 inexact before it is scaled.
  const long double scaled = value * *factor * scale / place;
  constexpr long double kEpsilon = 1e-10L;  // what rounding may have added to a whole number
  const long double whole = std::ceil(scaled - kEpsilon);
  if (!(whole < 0x1p63L)) return bad("is too large");
  return static_cast<std::int64_t>(whole);
}

}  // namespace

base::Result<std::int64_t> parse_quantity(std::string_view text) {
  return parse_scaled(text, 1);
}

base::Result<std::int64_t> parse_milli_quantity(std::string_view text) {
  return parse_scaled(text, 1000);
}

std::string to_size_text(std::int64_t bytes) {
  static constexpr std::array<std::string_view, 7> kUnits{"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return fmt::format("{}{}", bytes, kUnits[unit]);
}

}  // namespace api
