#include "api/version.h"

#include <gtest/gtest.h>

#include <array>

namespace api {
namespace {

TEST(Version, LeadingVIsOptional) {
  EXPECT_EQ(parse_version("3.5.12")->text(), "3.5.12");
  EXPECT_EQ(parse_version("v3.5.12")->text(), "3.5.12");
  EXPECT_EQ(parse_version("v3.6.0-rc.1")->text(), "3.6.0-rc.1");
  EXPECT_EQ(*parse_version("v3.5.12"), *parse_version("3.5.12"));
}

TEST(Version, OrderIsSemver) {
  constexpr std::array kAscending{
      "3.4.45", "3.5.0-alpha", "3.5.0-alpha.0", "3.5.0-beta", "3.5.0-rc.2", "3.5.0-rc.11", "3.5.0",
      "3.5.2",  "3.5.12",      "3.6.0-alpha.0", "3.6.0",      "3.10.0",     "4.0.0"};
  for (size_t i = 0; i < kAscending.size(); ++i)
    for (size_t j = 0; j < kAscending.size(); ++j)
      EXPECT_EQ(*parse_version(kAscending[i]) < *parse_version(kAscending[j]), i < j)
          << kAscending[i] << " and " << kAscending[j];
}

TEST(Version, SameMinor) {
  EXPECT_TRUE(parse_version("3.5.12")->same_minor(*parse_version("3.5.33")));
  EXPECT_FALSE(parse_version("3.5.12")->same_minor(*parse_version("3.6.12")));
}

TEST(Version, RefusesWhatIsNoVersionAndSaysWhatIs) {
  for (const auto* text : {"",
                           "v",
                           "latest",
                           "3",
                           "3.5",
                           "3.5.12.1",
                           "3.05.1",
                           "3.5.x",
                           " 3.5.12",
                           "3.5.12 ",
                           "-3.5.12",
                           "3.5.-1",
                           "3.5.12-",
                           "3.5.12-rc..1",
                           "3.5.12-01",
                           "3.5.12-r\xc3\xa9",
                           "V3.5.12",
                           "vv3.5.12",
                           "3.5.99999999999999999999",
                           "3.5.12+build"}) {
    const auto version = parse_version(text);
    ASSERT_FALSE(version.has_value()) << text;
    EXPECT_EQ(version.error().code, base::Code::kInvalidArgument);
    EXPECT_NE(version.error().message.find("3.5.12 or v3.5.12"), std::string::npos);
  }
  EXPECT_FALSE(parse_version(std::string(100'000, '1')).has_value());
}

}  // namespace
}  // namespace api
