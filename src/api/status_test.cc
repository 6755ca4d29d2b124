#include "api/status.h"

#include <gtest/gtest.h>

#include "api/conditions.h"

namespace api {
namespace {

base::Instant at(int seconds) {
  return base::Instant(std::chrono::seconds(seconds));
}

TEST(Conditions, TableIsInOrderOfTheEnumAndNamesAreReadBack) {
  const auto table = condition_table();
  ASSERT_EQ(table.size(), static_cast<size_t>(ConditionType::kStale) + 1);
  for (size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(table[i].type), i);
    EXPECT_EQ(parse_condition_type(table[i].name), table[i].type);
    EXPECT_EQ(name_of(table[i].type), table[i].name);
    EXPECT_FALSE(table[i].meaning.empty());
    EXPECT_FALSE(table[i].what_to_do.empty());
  }
  EXPECT_FALSE(parse_condition_type("Ready").has_value());
}

TEST(Conditions, TransitionTimeChangesOnlyWithTheTruth) {
  ClusterStatus status;
  set_condition(status, {ConditionType::kAvailable, Truth::kTrue, "QuorumRead", "ok", {}}, at(1));
  set_condition(status, {ConditionType::kAvailable, Truth::kTrue, "QuorumRead", "still", {}},
                at(2));
  ASSERT_EQ(status.conditions.size(), 1U);
  EXPECT_EQ(status.conditions[0].message, "still");
  EXPECT_EQ(status.conditions[0].last_transition, at(1));
  set_condition(status, {ConditionType::kAvailable, Truth::kUnknown, "Stale", "", {}}, at(3));
  EXPECT_EQ(status.conditions[0].last_transition, at(3));
  EXPECT_EQ(find_condition(status, ConditionType::kDegraded), nullptr);
  EXPECT_EQ(find_condition(status, ConditionType::kAvailable)->reason, "Stale");
}

TEST(Conditions, TruthsAreReadBack) {
  for (const auto truth : {Truth::kFalse, Truth::kTrue, Truth::kUnknown})
    EXPECT_EQ(parse_truth(name_of(truth)), truth);
  EXPECT_FALSE(parse_truth("true").has_value());
}

}  // namespace
}  // namespace api
