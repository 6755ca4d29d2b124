#include "api/upgrade_path.h"

#include <gtest/gtest.h>

#include <array>

#include "api/hazards.h"

namespace api {
namespace {

Version v(std::string_view text) {
  return *parse_version(text);
}

std::string way_of(const StepAnswer& answer) {
  std::string out;
  for (const auto& version : answer.way) out += (out.empty() ? "" : " ") + version.text();
  return out;
}

struct Row {
  const char *from, *to, *cluster;
  bool allowed;
  StepKind kind;
  const char* way;
};

TEST(UpgradePath, Table) {
  using enum StepKind;
  const std::array kRows{
      Row{"3.5.12", "3.5.12", "3.5.0", true, kSame, "3.5.12"},
      Row{"3.5.12", "3.5.33", "3.5.0", true, kPatchUp, "3.5.33"},
      Row{"3.5.33", "3.5.12", "3.5.0", true, kPatchDown, "3.5.12"},
      Row{"3.5.32", "3.6.16", "3.5.0", true, kMinorUp, "3.6.16"},
      Row{"3.5.33", "3.6.16", "3.5.0", true, kMinorUp, "3.6.16"},
      Row{"3.5.12", "3.6.16", "3.5.0", false, kMinorUp, "3.5.33 3.6.16"},
      Row{"3.5.31", "3.6.0", "3.5.0", false, kMinorUp, "3.5.33 3.6.0"},
      Row{"3.5.33", "3.7.3", "3.5.0", false, kMinorUp, "3.6.16 3.7.3"},
      Row{"3.5.12", "3.7.3", "3.5.0", false, kMinorUp, "3.5.33 3.6.16 3.7.3"},
      Row{"3.4.23", "3.5.12", "3.4.0", true, kMinorUp, "3.5.12"},
      Row{"3.4.23", "3.6.16", "3.4.0", false, kMinorUp, "3.5.33 3.6.16"},
      Row{"3.4.23", "3.7.3", "3.4.0", false, kMinorUp, "3.5.33 3.6.16 3.7.3"},
      Row{"3.6.10", "3.7.3", "3.6.0", false, kMinorUp, "3.6.16 3.7.3"},
      Row{"3.6.11", "3.7.3", "3.6.0", true, kMinorUp, "3.7.3"},
      // Putting the version back before the flip is an abort, after it a downgrade.
      Row{"3.6.16", "3.5.33", "3.5.0", true, kAbort, "3.5.33"},
      Row{"3.6.16", "3.5.33", "3.6.0", false, kDowngrade, ""},
      Row{"3.7.3", "3.5.33", "3.7.0", false, kDowngrade, ""},
      Row{"3.5.33", "3.4.45", "3.5.0", false, kDowngrade, ""},
      Row{"3.5.33", "3.5.1", "3.5.0", false, kUnknown, ""},
      Row{"3.4.23", "3.5.0", "3.4.0", false, kUnknown, ""},
      Row{"3.7.3", "3.8.0", "3.7.0", false, kUnknown, ""},
      Row{"3.3.9", "3.4.45", "3.3.0", false, kUnknown, ""},
  };
  for (const auto& row : kRows) {
    const auto answer = check_step(v(row.from), v(row.to), {.cluster_version = v(row.cluster)});
    SCOPED_TRACE(std::string(row.from) + " -> " + row.to + ": " + answer.text());
    EXPECT_EQ(answer.allowed, row.allowed);
    EXPECT_EQ(name_of(answer.kind), name_of(row.kind));
    EXPECT_EQ(way_of(answer), row.way);
    EXPECT_EQ(answer.reason.empty(), row.allowed);
  }
}

TEST(UpgradePath, EveryStepOfAWayIsAllowed) {
  for (const char* from : {"3.4.0", "3.4.23", "3.5.3", "3.5.12", "3.5.32", "3.6.0", "3.6.11"})
    for (const char* to : {"3.5.40", "3.6.0", "3.6.16", "3.7.0", "3.7.3"}) {
      if (v(to) < v(from)) continue;
      Version at = v(from);
      for (const auto& next : check_step(at, v(to)).way) {
        const auto step = check_step(at, next);
        EXPECT_TRUE(step.allowed) << from << " -> " << to << " at " << at.text() << ": "
                                  << step.text();
        at = next;
      }
      EXPECT_EQ(at, v(to));
    }
}

TEST(UpgradePath, UnknownClusterVersionNeverAllowsTheWayDown) {
  const auto answer = check_step(v("3.6.16"), v("3.5.33"));
  EXPECT_FALSE(answer.allowed);
  EXPECT_EQ(answer.kind, StepKind::kUnknown);
}

TEST(UpgradePath, DowngradeByEtcdItselfFrom36On) {
  StepFacts facts{.cluster_version = v("3.6.0"), .downgrade_enabled = true};
  EXPECT_TRUE(check_step(v("3.6.16"), v("3.5.33"), facts).allowed);
  facts.cluster_version = v("3.7.0");
  EXPECT_FALSE(check_step(v("3.7.3"), v("3.5.33"), facts).allowed) << "one minor at a time";
  facts.cluster_version = v("3.5.0");
  EXPECT_FALSE(check_step(v("3.5.33"), v("3.4.45"), facts).allowed);
}

TEST(UpgradePath, RefusalNamesReasonAndWay) {
  const auto answer = check_step(v("3.5.12"), v("3.6.16"));
  EXPECT_EQ(
      answer.text(),
      "3.6 may follow 3.5.32 or later only: before it promotions of learners were not kept in "
      "the v3 store; the way: 3.5.33, then 3.6.16");
}

TEST(UpgradePath, AdviceIsOfTheTarget) {
  EXPECT_FALSE(check_step(v("3.5.12"), v("3.5.13")).advice.empty());
  EXPECT_TRUE(check_step(v("3.5.12"), v("3.5.33")).advice.empty());
}

TEST(Hazards, RowsAreWellFormedAndNewestVersionsAreClean) {
  for (const auto& hazard : hazard_table()) {
    EXPECT_TRUE(parse_version(hazard.below).has_value());
    EXPECT_TRUE(hazard.from.empty() || v(hazard.from) < v(hazard.below));
    EXPECT_FALSE(hazard.what.empty());
    EXPECT_FALSE(hazard.source.empty());
  }
  for (const char* version : {"3.5.33", "3.6.16", "3.7.3"})
    EXPECT_FALSE(has_hazard(v(version), HazardAction::kAdvise)) << version;
}

TEST(Hazards, Lookups) {
  EXPECT_TRUE(has_hazard(v("3.5.2"), HazardAction::kForbid));
  EXPECT_FALSE(has_hazard(v("3.5.3"), HazardAction::kForbid));
  EXPECT_TRUE(has_hazard(v("3.5.5"), HazardAction::kNoDefragment));
  EXPECT_FALSE(has_hazard(v("3.4.23"), HazardAction::kNoDefragment));
  EXPECT_TRUE(has_hazard(v("3.5.12"), HazardAction::kNoUpdateOfLearner));
  EXPECT_TRUE(has_hazard(v("3.6.11"), HazardAction::kNoUpdateOfLearner));
  EXPECT_FALSE(has_hazard(v("3.6.12"), HazardAction::kNoUpdateOfLearner));
  EXPECT_TRUE(has_hazard(v("3.4.23"), HazardAction::kAddOnlyWhenAllUp));
  EXPECT_FALSE(has_hazard(v("3.5.33"), HazardAction::kAddOnlyWhenAllUp));
  EXPECT_FALSE(check_version(v("3.5.12")).has_value());
}

}  // namespace
}  // namespace api
