#include <gtest/gtest.h>

#include <array>

#include "base/backoff.h"
#include "base/base64.h"
#include "base/crc32c.h"
#include "base/fact.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"

namespace base {
namespace {

TEST(Time, Rfc3339RoundTrip) {
  const auto at = parse_rfc3339("2026-11-21T12:34:56.789Z");
  ASSERT_TRUE(at);
  EXPECT_EQ(to_rfc3339(*at), "2026-11-21T12:34:56.789Z");
  EXPECT_EQ(to_rfc3339(*parse_rfc3339("2026-11-21T12:34:56Z")), "2026-11-21T12:34:56.000Z");
}

TEST(Time, Rfc3339RefusesWhatIsNotATime) {
  for (const char* text : {"", "2026", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
                           "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00.Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(Time, DurationsAcceptDays) {
  EXPECT_EQ(*parse_duration("365d"), Duration(365LL * 86'400'000));
  EXPECT_EQ(*parse_duration("1h30m"), Duration(5'400'000));
  EXPECT_EQ(*parse_duration("1.5s"), Duration(1500));
  EXPECT_EQ(*parse_duration("100d12h"), Duration(100LL * 86'400'000 + 43'200'000));
  for (const char* text : {"", "5", "h", "1x", "-1s", "1..5s", "1h 2m", "99999999999999999d"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Time, TextForPeopleHasTwoUnits) {
  EXPECT_EQ(to_text(Duration(450)), "450ms");
  EXPECT_EQ(to_text(Duration(1500)), "1.5s");
  EXPECT_EQ(to_text(Duration(62'000)), "1m2s");
  EXPECT_EQ(to_text(Duration(90'000'000)), "1d1h");
}

TEST(Text, SplitKeepsEmptyParts) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string_view>{"a", "", "b"}));
  EXPECT_EQ(trim("  x \n"), "x");
}

TEST(Text, Crc32cOfTheCheckString) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xE3069283U);
}

TEST(Text, Crc32cIsTheSameInWhateverPieces) {
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += static_cast<char>(i * 37);
  for (std::size_t at = 0; at <= bytes.size(); ++at)
    EXPECT_EQ(crc32c(bytes.substr(at), crc32c(bytes.substr(0, at))), crc32c(bytes)) << at;
  for (std::size_t at = 0; at <= bytes.size(); ++at)
    EXPECT_EQ(crc32c_by_table(bytes.substr(at), 7), crc32c(bytes.substr(at), 7)) << at;
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43U);  // RFC 3720 B.4
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
}

TEST(Text, NearestFindsTyposOnly) {
  constexpr std::array<std::string_view, 2> kNames{"version", "size"};
  EXPECT_EQ(nearest("verison", kNames), "version");
  EXPECT_FALSE(nearest("banana", kNames));
}

TEST(Ids, HexIsAsEtcdctlPrintsIt) {
  EXPECT_EQ(to_text(MemberId{0x8e9e05c52164694d}), "8e9e05c52164694d");
  EXPECT_EQ(parse_hex("8e9e05c52164694d"), 0x8e9e05c52164694dULL);
  EXPECT_FALSE(parse_hex("xyz"));
}

TEST(Fact, UnknownIsNotAbsent) {
  const auto absent = Fact<int>::absent();
  const auto unknown = Fact<int>::unknown("timeout");
  EXPECT_TRUE(absent.is_absent());
  EXPECT_FALSE(unknown.is_absent());
  EXPECT_EQ(unknown.why(), "timeout");
  EXPECT_EQ(*Fact<int>(3), 3);
}

TEST(Backoff, GrowsToItsLimitAndKeepsHalf) {
  const Backoff backoff{Duration(100), Duration(1000)};
  EXPECT_EQ(backoff.wait(0, 7), Duration(0));
  for (unsigned n = 1; n < 70; ++n) {
    const auto wait = backoff.wait(n, n * 7919ULL);
    EXPECT_LE(wait, Duration(1000));
    EXPECT_GE(wait, Duration(50));
  }
}

TEST(Log, ValuesWithSpacesAndQuotesAreQuoted) {
  EXPECT_EQ(to_logfmt({{"a", "b"}, {"c", "d \"e\"\n"}}), "a=b c=\"d \\\"e\\\"\\n\"");
}

TEST(Base64, ThereAndBack) {
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    EXPECT_EQ(decode_base64(encode_base64(text)), text);
  EXPECT_EQ(encode_base64("foob"), "Zm9vYg==");
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(decode_base64(encode_base64(bytes)), bytes);
  EXPECT_EQ(decode_base64(" Zm9v\nYg= =\n"), "foob");
  for (const auto* wrong : {"Z", "Zm9vYg", "Zm9vYg=", "Zm9vYg===", "Zm=v", "Zm9vYh==", "Zm9*", "="})
    EXPECT_FALSE(decode_base64(wrong)) << wrong;
}

}  // namespace
}  // namespace base
