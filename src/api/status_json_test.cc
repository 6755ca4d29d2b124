#include "api/status_json.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace api {
namespace {

TEST(StatusJson, LeavesOutWhatWasNotObserved) {
  EXPECT_EQ(json::print(to_json(ClusterStatus{})),
            R"({"phase":"Unknown","observedGeneration":0,"replicas":0,"currentReplicas":0,)"
            R"("readyReplicas":0,"memberCount":0,"members":[],"conditions":[]})");
}

TEST(StatusJson, NamesTheLeaderAndRoundsSizesUp) {
  ClusterStatus status;
  status.leader = base::MemberId{0xab};
  MemberStatus member;
  member.name = "c-0";
  member.id = base::MemberId{0xab};
  member.role = Role::kLeader;
  member.healthy = Truth::kTrue;
  member.db_size = 20480;
  member.db_in_use = 99;
  status.members = {member};
  const auto value = to_json(status);
  EXPECT_EQ(*value.at("leader")->if_string(), "c-0");
  EXPECT_EQ(*value.at("leaderID")->if_string(), "ab");
  EXPECT_EQ(*value.at("members.0.dbSize")->as_int(), 21000);
  EXPECT_EQ(*value.at("members.0.dbInUse")->as_int(), 99);
  EXPECT_TRUE(*value.at("members.0.isLeader")->as_bool());
}

TEST(StatusJson, UnknownHealthIsNotCalledSick) {
  ClusterStatus status;
  status.members.push_back({});
  const auto value = to_json(status);
  EXPECT_EQ(value.at("members.0.healthy"), nullptr);
  EXPECT_FALSE(*value.at("members.0.isHealthy")->as_bool());
}

TEST(StatusJson, ConditionsCarryTheObservedGeneration) {
  ClusterStatus status;
  status.observed_generation = 4;
  set_condition(status, {ConditionType::kAvailable, Truth::kTrue, "QuorumRead", "3 of 3", {}},
                base::Instant{});
  const auto value = to_json(status);
  EXPECT_EQ(*value.at("conditions.0.observedGeneration")->as_int(), 4);
  EXPECT_EQ(*value.at("conditions.0.lastTransitionTime")->if_string(), "1970-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace api
