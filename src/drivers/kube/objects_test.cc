#include "drivers/kube/objects.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace k8s {
namespace {

json::Value parsed(const char* text) {
  const auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value.value_or(json::Value());
}

// As the server gives it back: `spec` in its own words, under the stamp of what was sent.
struct Pair {
  json::Value wanted, present;
};
Pair pair_of(const char* sent, const char* got) {
  Pair out{stamped(json::Object{{"spec", parsed(sent)}}), {}};
  out.present = out.wanted;
  out.present["spec"] = parsed(got);
  return out;
}

TEST(Objects, AQuantityInTheServersWordsIsNoDrift) {
  for (const auto& [sent, got] : {
           std::pair(R"({"resources": {"limits": {"cpu": 1, "memory": "1024Mi"}}})",
                     R"({"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}})"),
           std::pair(R"({"resources": {"requests": {"cpu": 0.5}, "limits": {"cpu": "1000m"}}})",
                     R"({"resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "1"}}})"),
           std::pair(R"({"volumes": [{"emptyDir": {"sizeLimit": 1073741824}}]})",
                     R"({"volumes": [{"emptyDir": {"sizeLimit": "1Gi"}}]})"),
       }) {
    const auto [wanted, present] = pair_of(sent, got);
    EXPECT_TRUE(is_as(present, wanted)) << sent;
    EXPECT_FALSE(is_drifted(present, wanted)) << sent;
  }
}

TEST(Objects, AnotherAmountIsDrift) {
  for (const auto& [sent, got] : {
           std::pair(R"({"resources": {"limits": {"cpu": 1}}})",
                     R"({"resources": {"limits": {"cpu": "2"}}})"),
           std::pair(R"({"resources": {"limits": {"cpu": 1}}})",
                     R"({"resources": {"limits": {}}})"),
           std::pair(R"({"resources": {"limits": {"memory": "1Gi"}}})",
                     R"({"resources": {"limits": {"memory": "1G"}}})"),
           std::pair(R"({"emptyDir": {"sizeLimit": 1024}})",
                     R"({"emptyDir": {"sizeLimit": "2Ki"}})"),
           // Only amounts have other words for the same.
           std::pair(R"({"args": {"cpu": "1000m"}})", R"({"args": {"cpu": "1"}})"),
           std::pair(R"({"resources": {"limits": {"cpu": "odd"}}})",
                     R"({"resources": {"limits": {"cpu": "even"}}})"),
       }) {
    const auto [wanted, present] = pair_of(sent, got);
    EXPECT_FALSE(is_as(present, wanted)) << sent;
    EXPECT_TRUE(is_drifted(present, wanted)) << sent;
  }
}

TEST(Objects, WhoseAForeignOneIsIsTold) {
  const auto theirs = parsed(R"({"kind": "Service", "metadata": {"name": "c",
      "ownerReferences": [{"kind": "Other", "name": "x", "uid": "2"},
                          {"kind": "Thing", "name": "y", "uid": "3", "controller": true}],
      "managedFields": [
          {"manager": "new", "time": "2026-01-02T00:00:00Z"},
          {"manager": "kubelet", "time": "2026-01-03T00:00:00Z", "subresource": "status"},
          {"manager": "old", "time": "2026-01-01T00:00:00Z"}]}})");
  EXPECT_EQ(
      foreign(theirs, "1", {"shop", "c"}),
      "Service shop/c is there and is not ours: its owner is Thing y (uid 3); written by new");
  EXPECT_EQ(foreign(theirs, "3", {"shop", "c"}), "");
  EXPECT_EQ(foreign(parsed(R"({"kind": "Secret", "metadata": {"name": "d"}})"), "1", {"shop", "c"}),
            "Secret shop/d is there and is not ours: it has no owner");
}

}  // namespace
}  // namespace k8s
