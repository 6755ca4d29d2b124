// Dates as HTTP writes them: "Sun, 06 Nov 1994 08:49:37 GMT".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace http {

std::string to_http_date(base::Instant at);
// No value: another form, or no such day.
std::optional<base::Instant> parse_http_date(std::string_view text);

// Retry-After, in seconds or as a date; no value where it is neither or longer than a day.
std::optional<base::Duration> parse_retry_after(std::string_view text, base::Instant now);

}  // namespace http
