#include "api/quantity.h"

#include <gtest/gtest.h>

#include <array>

namespace api {
namespace {

TEST(Quantity, Table) {
  const std::array<std::pair<const char*, std::int64_t>, 16> kRows{{
      {"0", 0},
      {"10Gi", std::int64_t{10} << 30},
      {"1.5Gi", std::int64_t{3} << 29},
      {"512Mi", 512 << 20},
      {"1k", 1000},
      {"1Ki", 1024},
      {"+3M", 3'000'000},
      {"1e3", 1000},
      {"1E3", 1000},
      {"2e+2", 200},
      {"5E", 5'000'000'000'000'000'000},
      {"7Ei", std::int64_t{7} << 60},
      {"0.1k", 100},
      {"500m", 1},  // rounded up, as Kubernetes does
      {"1n", 1},
      {"9223372036854774784", 9'223'372'036'854'774'784},
  }};
  for (const auto& [text, bytes] : kRows) {
    const auto parsed = parse_quantity(text);
    ASSERT_TRUE(parsed.has_value()) << text;
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(Quantity, Refused) {
  for (const char* text :
       {"", "-1", "Gi", "1 Gi", "1gi", "1GiB", "1.2.3", "1e", "1e99", "8Ei", "9223372036854775808",
        "0x10", "1,5Gi", "ten", ".", "1K", "1111111111111111111111111111111"}) {
    const auto parsed = parse_quantity(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_NE(parsed.error().message.find("10Gi"), std::string::npos) << "says what is allowed";
  }
}

TEST(Quantity, Thousandths) {
  EXPECT_EQ(parse_milli_quantity("500m"), 500);
  EXPECT_EQ(parse_milli_quantity("0.5"), 500);
  EXPECT_EQ(parse_milli_quantity("2"), 2000);
  EXPECT_FALSE(parse_milli_quantity("8Ei").has_value());
}

TEST(Quantity, Text) {
  EXPECT_EQ(to_size_text(0), "0");
  EXPECT_EQ(to_size_text(std::int64_t{10} << 30), "10Gi");
  EXPECT_EQ(to_size_text(1536 << 20), "1536Mi");
  EXPECT_EQ(to_size_text(1000), "1000");
}

}  // namespace
}  // namespace api
