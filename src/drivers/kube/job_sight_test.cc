#include "drivers/kube/job_sight.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace k8s {
namespace {

json::Value parsed(const std::string& text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value.value_or(json::Value());
}

const char* const kPlain =
    R"({"spec":{"template":{"metadata":{"annotations":{"operator.etcd.io/job-file":"{}"}}}}})";

json::Value job_with(const std::string& condition) {
  return parsed(
      R"({"spec":{"template":{"metadata":{"annotations":{"operator.etcd.io/job-file":"{}"}}}},
                 "status":{"conditions":[{"type":")" +
      condition + R"(","status":"True","reason":"R","message":"m"}]}})");
}

json::Value pod_with(const std::string& state) {
  return parsed(R"({"spec":{"nodeName":"n1"},"status":{"phase":"Running","containerStatuses":[
                 {"name":"sidecar","state":{"terminated":{"message":"no"}}},
                 {"name":"archive","state":)" +
                state + "}]}}");
}

TEST(JobSight, WhatItSaidAtItsEndCountsBeforeEverythingElse) {
  const auto pod =
      pod_with(R"({"terminated":{"exitCode":0,"message":"{\"outcome\":\"failed\"}"}})");
  for (const auto& job : {parsed(kPlain), job_with("Complete"), job_with("Failed")}) {
    const auto sight = judge_job(job, &pod);
    EXPECT_FALSE(sight.running);
    EXPECT_EQ(sight.report, R"({"outcome":"failed"})");
    EXPECT_EQ(sight.file, "{}");
  }
}

TEST(JobSight, OneThatWorksRuns) {
  const auto pod = pod_with(R"({"running":{}})");
  const auto sight = judge_job(parsed(kPlain), &pod);
  EXPECT_TRUE(sight.running);
  EXPECT_TRUE(sight.started);
  EXPECT_EQ(sight.held_up, "");
}

TEST(JobSight, ADecisionEndsItWhateverItsPodSays) {
  const auto pod = pod_with(R"({"running":{}})");
  for (const auto* type : {"Failed", "FailureTarget", "Complete", "SuccessCriteriaMet"}) {
    const auto sight = judge_job(job_with(type), &pod);
    EXPECT_FALSE(sight.running) << type;
    EXPECT_EQ(sight.report, "");
    EXPECT_NE(sight.ended.find("R m"), std::string::npos) << sight.ended;
    EXPECT_FALSE(judge_job(job_with(type), nullptr).running);
  }
  EXPECT_TRUE(judge_job(job_with("Suspended"), &pod).running);
}

TEST(JobSight, WhatKeepsItFromBeginningIsTold) {
  auto pod = parsed(R"({"status":{"phase":"Pending","conditions":[{"type":"PodScheduled",
      "status":"False","message":"0/3 nodes are available"}]}})");
  auto sight = judge_job(parsed(kPlain), &pod);
  EXPECT_TRUE(sight.running);
  EXPECT_FALSE(sight.started);
  EXPECT_NE(sight.held_up.find("0/3 nodes"), std::string::npos) << sight.held_up;
  pod = pod_with(R"({"waiting":{"reason":"ImagePullBackOff","message":"no such image"}})");
  EXPECT_NE(judge_job(parsed(kPlain), &pod).held_up.find("no such image"), std::string::npos);
  // A volume that cannot be mounted shows in events only.
  pod = pod_with(R"({"waiting":{"reason":"ContainerCreating"}})");
  sight = judge_job(parsed(kPlain), &pod);
  EXPECT_EQ(sight.held_up, "");
  EXPECT_FALSE(sight.started);
  EXPECT_FALSE(judge_job(parsed(kPlain), nullptr).started);
}

TEST(JobSight, OneThatWasGivenUpIsOverWhenItsPodIsToldToEnd) {
  const auto job = parsed(
      R"({"metadata":{"annotations":{"operator.etcd.io/given-up":"no Secret"}},
          "spec":{"suspend":true}})");
  auto pod = pod_with(R"({"waiting":{"reason":"ContainerCreating"}})");
  EXPECT_TRUE(judge_job(job, &pod).running);
  pod["metadata"]["deletionTimestamp"] = "2026-11-22T03:15:00Z";
  auto sight = judge_job(job, &pod);
  EXPECT_FALSE(sight.running);
  EXPECT_EQ(sight.ended, "no Secret");
  sight = judge_job(job, nullptr);
  EXPECT_FALSE(sight.running);
}

TEST(JobSight, AnEndWithoutAReportIsToldInKubernetesWords) {
  auto pod = pod_with(R"({"terminated":{"exitCode":137,"reason":"OOMKilled","message":""}})");
  auto sight = judge_job(parsed(kPlain), &pod);
  EXPECT_FALSE(sight.running);
  EXPECT_NE(sight.ended.find("OOMKilled"), std::string::npos) << sight.ended;
  pod = parsed(R"({"status":{"phase":"Failed","reason":"Evicted","message":"ephemeral storage"}})");
  sight = judge_job(parsed(kPlain), &pod);
  EXPECT_FALSE(sight.running);
  EXPECT_NE(sight.ended.find("Evicted ephemeral storage"), std::string::npos) << sight.ended;
}

}  // namespace
}  // namespace k8s
