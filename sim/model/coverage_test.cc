#include "sim/model/coverage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace sim::model {
namespace {

Counts everything() {
  Counts out = no_tally();
  std::ranges::fill(out.of, 1);
  return out;
}

TEST(Coverage, RunsAddUp) {
  Counts first = no_tally();
  count(first, Kind::kKillEtcd);
  auto both = parse_coverage(coverage_text(first));
  ASSERT_TRUE(both) << both.error().text();
  count(*both, Kind::kKillEtcd);
  count(*both, Rule::kW);
  const std::string text = coverage_text(*both);
  EXPECT_NE(text.find("step KillEtcd 2\n"), std::string::npos);
  EXPECT_NE(text.find("rule W 1\n"), std::string::npos);
}

TEST(Coverage, AFileOfAnotherBuildIsRefused) {
  EXPECT_FALSE(parse_coverage("step NoSuchStep 3\n"));
  EXPECT_FALSE(parse_coverage("step KillEtcd\n"));
  EXPECT_FALSE(parse_coverage("step KillEtcd many\n"));
}

TEST(Coverage, AZeroFails) {
  EXPECT_TRUE(lacks_of(everything(), {}).empty());
  Counts counts = everything();
  counts.of.front() = 0;
  ASSERT_EQ(lacks_of(counts, {}).size(), 1U);
  EXPECT_EQ(lacks_of(counts, {}).front(), "never exercised: step Pass");
}

TEST(Coverage, AListedNameMustBeThereAndMustNotBeMet) {
  constexpr std::array<Unreachable, 1> kPass{{{"step", "Pass", "a test"}}};
  Counts counts = everything();
  EXPECT_EQ(lacks_of(counts, kPass).size(), 1U);
  counts.of.front() = 0;
  EXPECT_TRUE(lacks_of(counts, kPass).empty());
  constexpr std::array<Unreachable, 1> kUnknown{{{"reason", "NoSuchReason", "a test"}}};
  EXPECT_EQ(lacks_of(everything(), kUnknown).size(), 1U);
}

}  // namespace
}  // namespace sim::model
