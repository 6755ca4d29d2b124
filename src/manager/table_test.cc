#include "manager/table.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace manager {
namespace {

constexpr const char* kRunning = R"([{
"metadata":{"namespace":"default","name":"production-etcd"},
"status":{"phase":"Updating","observedAt":"2026-11-21T12:00:00.000Z","replicas":3,
"readyReplicas":2,"currentVersion":"3.5.12","targetVersion":"3.5.33",
"members":[
{"name":"production-etcd-0","id":"8e9e05c52164694d","role":"leader","version":"3.5.12",
 "healthy":true,"dbSize":21000,"dbInUse":17000},
{"name":"production-etcd-1","id":"91bc3c398fb3c146","role":"follower","version":"3.5.33",
 "healthy":false,"dbSize":1500000,"note":"starts"},
{"name":"production-etcd-2"}],
"operation":{"id":"op-7","kind":"Rollout","step":"restart production-etcd-1",
 "startedAt":"2026-11-21T11:59:50.000Z","deadline":"2026-11-21T12:05:05.000Z"},
"conditions":[
{"type":"Available","status":"True","reason":"QuorumRead","message":"2 of 3"},
{"type":"Degraded","status":"True","reason":"MemberDown","message":"production-etcd-1 starts"},
{"type":"EvenSize","status":"False"}]}}])";

json::Value parsed(const char* text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value.has_value());
  return value ? *value : json::Value();
}

TableOptions at(const char* now, bool details = true) {
  return {*base::parse_rfc3339(now), ".run/state", false, details};
}

TEST(StatusTable, AnUpdateAtAGlance) {
  EXPECT_EQ(
      status_table(parsed(kRunning), at("2026-11-21T12:00:05.250Z")),
      "default/production-etcd  Updating  2/3 ready  etcd 3.5.12 -> 3.5.33  observed 5s ago\n"
      "  MEMBER             ROLE      VERSION  HEALTHY  DB SIZE  IN USE  ID                NOTE\n"
      "  production-etcd-0  leader    3.5.12   yes      21 kB    17 kB   8e9e05c52164694d\n"
      "  production-etcd-1  follower  3.5.33   NO       1.5 MB   -       91bc3c398fb3c146  starts\n"
      "  production-etcd-2  -         -        unknown  -        -       -\n"
      "  operation  Rollout: restart production-etcd-1, for 15s, at most 4m59s more\n"
      "  ! Degraded=True MemberDown: production-etcd-1 starts\n"
      "  ok  Available\n"
      "  next  wait: the operation above is on it\n");
}

TEST(StatusTable, ARowAClusterWhenThereAreMany) {
  EXPECT_EQ(status_table(parsed(kRunning), at("2026-11-21T12:00:05Z", false)),
            "CLUSTER                  PHASE     READY  VERSION           OPERATION"
            "                                                       ATTENTION\n"
            "default/production-etcd  Updating  2/3    3.5.12 -> 3.5.33  Rollout: restart "
            "production-etcd-1, for 15s, at most 5m0s more  Degraded=True\n");
}

TEST(StatusTable, NothingAndRubbishDoNoHarm) {
  EXPECT_EQ(status_table(json::Value(json::Array{}), {}), "no clusters\n");
  EXPECT_EQ(status_table(parsed("7"), {}), "no clusters\n");
  EXPECT_NE(status_table(parsed(R"([{},{"status":{"members":7,"conditions":[1,{}]}},3])"), {}), "");
}

TEST(NextStep, NamesTheCommandWhenApprovalIsNeeded) {
  const auto item = parsed(
      R"({"metadata":{"namespace":"shop","name":"a"},"status":{"conditions":[
      {"type":"Degraded","status":"True"},{"type":"NeedsApproval","status":"True"}]}})");
  EXPECT_EQ(next_step(item, "S"),
            "etcd-operator approve shop/a --state S   (read the message first)");
}

TEST(NextStep, IsEmptyWhenAllIsWell) {
  EXPECT_EQ(next_step(parsed(R"({"status":{"conditions":[
      {"type":"Available","status":"True"},{"type":"Degraded","status":"False"}]}})"),
                      "S"),
            "");
}

TEST(BytesText, ThreeDigitsAtMost) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1000), "1.0 kB");
  EXPECT_EQ(bytes_text(20480), "20 kB");
  EXPECT_EQ(bytes_text(999'900), "1.0 MB");
  EXPECT_EQ(bytes_text(2'100'000'000), "2.1 GB");
}

TEST(EventTable, OneLineAnEvent) {
  EXPECT_EQ(event_table(parsed(R"([{"time":"T","cluster":"default/a","type":"Warning",)"
                               R"("reason":"ScaleUp","message":"m"}])")),
            "TIME  CLUSTER    TYPE     REASON   MESSAGE\n"
            "T     default/a  Warning  ScaleUp  m\n");
}

}  // namespace
}  // namespace manager
