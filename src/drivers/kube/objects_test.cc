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

}  // namespace
}  // namespace k8s
