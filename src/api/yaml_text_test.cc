#include "api/yaml_text.h"

#include <gtest/gtest.h>

#include "api/yaml.h"
#include "json/json.h"

namespace api {
namespace {

json::Value parsed(const char* text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value.has_value());
  return value ? *value : json::Value();
}

TEST(YamlText, LooksLikeKubectl) {
  EXPECT_EQ(
      to_yaml(parsed(R"({"metadata":{"name":"a"},"list":[{"x":1,"z":[2]},"b"],"e":[],"o":{}})")),
      "metadata:\n  name: a\nlist:\n- x: 1\n  z:\n  - 2\n- b\ne: []\no: {}\n");
}

TEST(YamlText, WhatYamlWouldMisreadIsQuoted) {
  const auto value = parsed(
      R"({"a":"yes","b":"1.5","c":"","d":"a: b","e":"- x","f":"line\nbreak","g":"null","h":"NO",)"
      R"("i":" x","j":"x ","k":"#c","l":"2026-11-21T12:00:00Z","y":"ok"})");
  const auto again = read_yaml(to_yaml(value));
  ASSERT_TRUE(again.has_value());
  ASSERT_EQ(again->size(), 1U);
  ASSERT_TRUE(again->front().value.has_value());
  EXPECT_EQ(*again->front().value, value);
}

TEST(YamlText, NestedListsComeBackAsTheyWere) {
  const auto value = parsed(R"([[1,[2,3]],{"a":[[4]]},[],null,true,-7,18446744073709551615])");
  const auto again = read_yaml(to_yaml(value));
  ASSERT_TRUE(again.has_value() && again->front().value.has_value());
  EXPECT_EQ(*again->front().value, value);
}

}  // namespace
}  // namespace api
