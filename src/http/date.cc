#include "http/date.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace http {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<int> number(std::string_view text, size_t at, size_t size, int least, int most) {
  const auto digits = text.substr(at, size);
  if (!std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  const auto value = base::parse_int(digits);
  if (!value || *value < least || *value > most) return std::nullopt;
  return static_cast<int>(*value);
}

}  // namespace

std::string to_http_date(base::Instant at) {
  const auto day = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(day);
  const auto time = std::chrono::duration_cast<std::chrono::seconds>(at - day).count();
  return fmt::format(
      "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[std::chrono::weekday(day).c_encoding()],
      static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
      static_cast<int>(date.year()), time / 3600, time / 60 % 60, time % 60);
}

std::optional<base::Instant> parse_http_date(std::string_view text) {
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT" ||
      text[7] != ' ' || text[11] != ' ' || text[16] != ' ' || text[19] != ':' || text[22] != ':')
    return std::nullopt;
  const auto month = std::ranges::find(kMonths, text.substr(8, 3));
  const auto day = number(text, 5, 2, 1, 31), year = number(text, 12, 4, 1970, 9999);
  const auto hour = number(text, 17, 2, 0, 23), minute = number(text, 20, 2, 0, 59);
  const auto second = number(text, 23, 2, 0, 60);
  if (month == kMonths.end() || !day || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(*year),
      std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
      std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

std::optional<base::Duration> parse_retry_after(std::string_view text, base::Instant now) {
  constexpr base::Duration kDay = std::chrono::hours(24);
  text = base::trim(text);
  base::Duration wait{};
  if (const auto seconds = base::parse_int(text))
    wait = std::chrono::seconds(std::clamp<std::int64_t>(*seconds, -1, 1'000'000));
  else if (const auto date = parse_http_date(text))
    wait = std::max(*date - now, base::Duration(0));
  else
    return std::nullopt;
  if (wait < base::Duration(0) || wait > kDay) return std::nullopt;
  return wait;
}

}  // namespace http
