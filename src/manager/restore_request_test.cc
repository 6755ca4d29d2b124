#include "manager/restore_request.h"

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "json/json.h"

namespace manager {
namespace {

const base::ClusterKey kCluster{"default", "c"};
constexpr auto kNewest = R"({"clusterName": "c", "s3": {"path": "b", "awsSecret": "s"}})";
constexpr auto kWrong =
    R"({"clusterName": "c", "toTime": "2026-11-21T12:00:00+02:00", "s3": {"path": "b"}})";

// `hour` is when it was created; `status` may be empty.
k8s::DeclaredRequest object(const std::string& name, int hour, const std::string& spec,
                            const std::string& status = "") {
  const auto at =
      base::to_rfc3339(*base::parse_rfc3339("2026-11-22T00:00:00Z") + std::chrono::hours(hour));
  const auto text = R"({"metadata": {"namespace": "default", "name": ")" + name + R"(", "uid": ")" +
                    name + R"(", "generation": 2, "creationTimestamp": ")" + at +
                    R"("}, "spec": )" + spec + (status.empty() ? "" : R"(, "status": )" + status) +
                    "}";
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return {k8s::RequestKind::kRestore, api::Group::kOperatorEtcdIo,
          std::make_shared<json::Value>(value ? *value : json::Value())};
}
std::string told(bool succeeded, int generation) {
  return std::string(R"({"succeeded": )") + (succeeded ? "true" : "false") +
         R"(, "reason": "x", "observedGeneration": )" + std::to_string(generation) + "}";
}
std::optional<api::Restore> says(std::vector<k8s::DeclaredRequest> declared) {
  return restore_for(kCluster, declared);
}

TEST(RestoreRequest, OneThatIsNotValidHoldsItsCluster) {
  const auto held = says({object("a", 1, kWrong)});
  ASSERT_TRUE(held);
  EXPECT_EQ(held->asked_by, "EtcdRestore default/a");
  EXPECT_NE(held->refused.find("spec.toTime"), std::string::npos) << held->refused;
  EXPECT_NE(held->refused.find("2026-11-21T12:00:00+02:00"), std::string::npos) << held->refused;
  // Whether that was told yet or not.
  EXPECT_EQ(says({object("a", 1, kWrong, told(false, 2))})->refused, held->refused);
  EXPECT_FALSE(restore_for({"default", "d"}, {object("a", 1, kWrong)})) << "of another cluster";
}

TEST(RestoreRequest, OneThatWasRefusedHoldsACluster) {
  const auto held = says({object("a", 1, kNewest, told(false, 2))});
  ASSERT_TRUE(held);
  EXPECT_NE(held->refused.find("a cluster of this name had begun"), std::string::npos);
  EXPECT_NE(held->refused.find("EtcdRestore default/a"), std::string::npos);
  // Of an older text; the present one is not judged yet.
  const auto edited = says({object("a", 1, kNewest, told(false, 1))});
  ASSERT_TRUE(edited);
  EXPECT_EQ(edited->refused, "");
  EXPECT_FALSE(says({object("a", 1, kNewest, R"({"succeeded": false, "reason": "x"})")}))
      << "CoreOS's operator refused that";
}

TEST(RestoreRequest, OneThatCanBeCarriedOutDecides) {
  const auto refused = object("a", 1, kWrong);
  const auto b = object("b", 3, kNewest), c = object("c", 4, kNewest);
  for (const auto& all : {std::vector{b, refused, c}, std::vector{c, b, refused}}) {
    const auto oldest = says(all);
    ASSERT_TRUE(oldest);
    EXPECT_EQ(oldest->refused, "");
    EXPECT_EQ(oldest->asked_by, "EtcdRestore default/b");
    EXPECT_TRUE(oldest->required);
  }
}

TEST(RestoreRequest, OneThatWasCarriedOutLaterEndsTheHold) {
  const auto refused = object("a", 2, kNewest, told(false, 2));
  EXPECT_FALSE(says({refused, object("b", 3, kNewest, told(true, 2))}));
  EXPECT_TRUE(says({refused, object("b", 1, kNewest, told(true, 2))})) << "before it was refused";
  EXPECT_FALSE(says({object("b", 1, kNewest, told(true, 2))}));
}

TEST(RestoreRequest, WhatWasLostIsNotHeldUp) {
  plan::Record record;
  api::Restore asks, refused;
  refused.refused = "why";
  EXPECT_TRUE(decides(asks, record));
  EXPECT_TRUE(decides(refused, record));
  record.restore.after_loss = true;
  EXPECT_TRUE(decides(asks, record));
  EXPECT_FALSE(decides(refused, record));
  record.restore.after_loss = false;
  record.formation = plan::Formation::kLatched;
  EXPECT_FALSE(decides(asks, record)) << "it has begun";
  EXPECT_FALSE(decides(refused, record));
}

}  // namespace
}  // namespace manager
