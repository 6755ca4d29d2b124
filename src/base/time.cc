#include "base/time.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace base {
namespace {

// Reads exactly `digits` digits at the front of `text`; no value if they are not there.
std::optional<int> take_digits(std::string_view& text, size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<double> unit_ms(std::string_view unit) {
  static constexpr std::array<std::pair<std::string_view, double>, 7> kUnits{
      {{"ns", 1e-6}, {"us", 1e-3}, {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}}};
  for (const auto& [name, ms] : kUnits)
    if (name == unit) return ms;
  return std::nullopt;
}

}  // namespace

std::string to_rfc3339(Instant at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

Result<Instant> parse_rfc3339(std::string_view text) {
  const std::string_view whole = text;
  const auto bad = [&] {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is not a UTC time such as 2026-11-21T12:00:00Z", whole));
  };
  const auto year = take_digits(text, 4);
  const bool d1 = take_char(text, '-');
  const auto month = take_digits(text, 2);
  const bool d2 = take_char(text, '-');
  const auto day = take_digits(text, 2);
  const bool t = take_char(text, 'T');
  const auto hour = take_digits(text, 2);
  const bool c1 = take_char(text, ':');
  const auto minute = take_digits(text, 2);
  const bool c2 = take_char(text, ':');
  const auto second = take_digits(text, 2);
  if (!year || !month || !day || !hour || !minute || !second || !d1 || !d2 || !t || !c1 || !c2)
    return bad();
  int ms = 0;
  if (take_char(text, '.')) {
    int scale = 100;
    size_t digits = 0;
    for (auto d = take_digits(text, 1); d; d = take_digits(text, 1), ++digits) {
      ms += *d * scale;
      scale /= 10;
    }
    if (digits == 0) return bad();
  }
  if (!take_char(text, 'Z') || !text.empty()) return bad();
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return bad();
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + Duration(ms);
}

std::string to_text(Duration d) {
  const auto ms = d.count();
  if (ms < 0) return "-" + to_text(-d);
  if (ms < 1000) return fmt::format("{}ms", ms);
  const auto s = ms / 1000;
  if (s < 60 && ms % 1000 == 0) return fmt::format("{}s", s);
  if (s < 60) return fmt::format("{}.{}s", s, ms % 1000 / 100);
  if (s < 3600) return fmt::format("{}m{}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{}m", s / 3600, s % 3600 / 60);
  return fmt::format("{}d{}h", s / 86400, s % 86400 / 3600);
}

Result<Duration> parse_duration(std::string_view text) {
  const std::string_view whole = text;
  const auto bad = [&] {
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is not a duration such as 90s, 1h30m or 365d", whole));
  };
  if (text.empty()) return bad();
  if (text == "0") return Duration(0);
  double total = 0;
  while (!text.empty()) {
    double value = 0;
    double scale = 0;
    size_t digits = 0;
    while (!text.empty() && ((text.front() >= '0' && text.front() <= '9') || text.front() == '.')) {
      if (text.front() == '.') {
        if (scale != 0) return bad();
        scale = 1;
      } else {
        value = value * 10 + (text.front() - '0');
        scale *= 10;
        ++digits;
      }
      text.remove_prefix(1);
    }
    if (digits == 0) return bad();
    if (scale != 0) value /= scale;
    const size_t end = text.find_first_of("0123456789.");
    const auto ms = unit_ms(text.substr(0, end));
    if (!ms) return bad();
    total += value * *ms;
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
  }
  // A century is far beyond any setting and far below overflow.
  if (!(total <= 3.2e12)) return bad();
  return Duration(static_cast<std::int64_t>(total));
}

}  // namespace base
