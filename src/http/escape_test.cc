#include "http/escape.h"

#include <gtest/gtest.h>

#include "http/date.h"

namespace http {
namespace {

TEST(Escape, KeepsOnlyWhatRfc3986LeavesOpen) {
  EXPECT_EQ(escape("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(escape("a b/c+%ä"), "a%20b%2Fc%2B%25%C3%A4");
  EXPECT_EQ(escape("a/b c", "/"), "a/b%20c");
  EXPECT_EQ(escape(std::string_view("\0", 1)), "%00");
}

TEST(Escape, IsUndone) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(unescape(escape(all)), all);
  EXPECT_EQ(unescape("a+b%2f"), "a+b/");
  for (const auto* bad : {"%", "%2", "%zz", "a%0"}) EXPECT_FALSE(unescape(bad)) << bad;
}

TEST(Date, IsWrittenAndRead) {
  const auto at = *base::parse_rfc3339("1994-11-06T08:49:37.000Z");
  EXPECT_EQ(to_http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), at);
  for (const auto* bad : {"", "Sun, 06 Nov 1994 08:49:37", "Sunday, 06-Nov-94 08:49:37 GMT",
                          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                          "Sun, -6 Nov 1994 08:49:37 GMT", "Sun, 06 Xyz 1994 08:49:37 GMT"})
    EXPECT_FALSE(parse_http_date(bad)) << bad;
}

TEST(RetryAfter, IsSecondsOrADate) {
  const auto now = *base::parse_rfc3339("1994-11-06T08:49:37.000Z");
  EXPECT_EQ(parse_retry_after("3", now), base::Duration(3'000));
  EXPECT_EQ(parse_retry_after(" 0 ", now), base::Duration(0));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), base::Duration(60'000));
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:40:37 GMT", now), base::Duration(0));
  for (const auto* bad : {"", "-1", "soon", "86401", "99999999999999"})
    EXPECT_FALSE(parse_retry_after(bad, now)) << bad;
}

}  // namespace
}  // namespace http
