#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "json/json.h"
#include "manager/restore_request.h"

namespace manager {
namespace {

const base::ClusterKey kCluster{"default", "c"};
const base::Instant kBegan = *base::parse_rfc3339("2026-11-22T00:00:00Z");

k8s::DeclaredRequest object(const std::string& name, int hour, bool in_place,
                            const std::string& status = "") {
  const auto at = base::to_rfc3339(kBegan + std::chrono::hours(hour));
  const auto text = R"({"metadata": {"namespace": "default", "name": ")" + name + R"(", "uid": ")" +
                    name + R"(", "generation": 2, "creationTimestamp": ")" + at +
                    R"("}, "spec": {"clusterName": "c", "restoreInPlace": )" +
                    (in_place ? "true" : "false") + R"(, "s3": {"path": "b", "awsSecret": "s"}})" +
                    (status.empty() ? "" : R"(, "status": )" + status) + "}";
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return {k8s::RequestKind::kRestore, api::Group::kOperatorEtcdIo,
          std::make_shared<json::Value>(value ? *value : json::Value())};
}

// What is told of it, for a cluster that began at kBegan and whose record has this.
api::RestoreRequestStatus told(const k8s::DeclaredRequest& declared,
                               const plan::InPlaceRecord& in_place) {
  engine::Report report;
  plan::Record& record = report.plan.record;
  record.formation = plan::Formation::kLatched;
  record.bootstrapped_at = kBegan;
  record.in_place = in_place;
  record.restore.location = "s3://b/default/c/i1/full-900";
  record.restore.revision = 900;
  const auto text = read_request(declared);
  const auto* wish = std::get_if<api::RestoreRequest>(&text.object);
  EXPECT_NE(wish, nullptr) << text.problem;
  if (wish == nullptr) return {};
  return judge_restore(text.id, *wish, text.created, {true, "", &report});
}

plan::InPlaceRecord at(plan::InPlace stage) {
  plan::InPlaceRecord out;
  out.request = "r/2";
  out.stage = stage;
  out.safety = "s3://b/default/c/i1/full-950";
  out.told = "its words";
  return out;
}

TEST(InPlaceRequest, TheOldestThatSaysSoAndIsNotOverIsAsked) {
  const auto done = R"({"succeeded": true, "observedGeneration": 2})";
  EXPECT_FALSE(in_place_for(kCluster, {object("a", 1, false), object("b", 2, true, done)}));
  const auto asked = in_place_for(kCluster, {object("d", 4, true), object("a", 1, false),
                                             object("b", 2, true, done), object("c", 3, true)});
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->asked_by, "EtcdRestore default/c");
  EXPECT_EQ(asked->request, "c/2");
  EXPECT_EQ(asked->asked_at, kBegan + std::chrono::hours(3));
  EXPECT_FALSE(in_place_for({"default", "d"}, {object("c", 3, true)})) << "of another cluster";
}

TEST(InPlaceRequest, EachStepIsToldAndTheEndIsOver) {
  const auto r = object("r", 1, true);
  EXPECT_FALSE(told(r, {}).succeeded) << "it is still to come";
  EXPECT_NE(told(r, {}).reason.find("waits until default/c serves"), std::string::npos);
  for (const auto stage : {plan::InPlace::kLook, plan::InPlace::kSave, plan::InPlace::kBegin}) {
    EXPECT_FALSE(told(r, at(stage)).succeeded);
    EXPECT_NE(told(r, at(stage)).reason, "");
  }
  EXPECT_NE(told(r, at(plan::InPlace::kBegin)).reason.find("full-950"), std::string::npos);
  const auto refused = told(r, at(plan::InPlace::kRefused));
  EXPECT_EQ(refused.succeeded, false);
  EXPECT_EQ(refused.reason,
            "its words: it is not done, and EtcdCluster default/c goes on as it is");
  const auto done = told(r, at(plan::InPlace::kDone));
  EXPECT_EQ(done.succeeded, true);
  EXPECT_EQ(done.revision, 900);
  EXPECT_EQ(done.location, "s3://b/default/c/i1/full-900");
  EXPECT_EQ(done.observed_generation, 2);
}

TEST(InPlaceRequest, WithoutTheFieldOrOfAnOlderClusterItIsRefusedAndToldHow) {
  for (const auto& one : {object("r", 1, false), object("r", -1, true)}) {
    const auto said = told(one, {});
    EXPECT_EQ(said.succeeded, false);
    EXPECT_NE(said.reason.find("spec.restoreInPlace: true"), std::string::npos) << said.reason;
  }
}

TEST(InPlaceRequest, AClusterThatGoesBackBeginsFromNothingElse) {
  plan::Record record;
  record.in_place.stage = plan::InPlace::kBegin;
  EXPECT_FALSE(decides(api::Restore(), record));
}

}  // namespace
}  // namespace manager
