#include "api/yaml.h"

#include <gtest/gtest.h>

#include <array>

#include "json/json.h"

namespace api {
namespace {

std::string read(std::string_view text) {
  const auto documents = read_yaml(text);
  if (!documents) return "error: " + documents.error().message;
  std::string out;
  for (const auto& document : *documents)
    out += (out.empty() ? "" : " | ") +
           (document.value ? json::print(*document.value) : document.value.error().message);
  return out;
}

TEST(Yaml, CoreSchema) {
  const std::array<std::pair<const char*, const char*>, 40> kRows{{
      {"a: null", R"({"a":null})"},
      {"a: ~", R"({"a":null})"},
      {"a:", R"({"a":null})"},
      {"a: Null", R"({"a":null})"},
      {"a: ''", R"({"a":""})"},
      {"a: true", R"({"a":true})"},
      {"a: FALSE", R"({"a":false})"},
      {"a: yes", R"({"a":"yes"})"},
      {"a: on", R"({"a":"on"})"},
      {"a: 'true'", R"({"a":"true"})"},
      {"a: 3", R"({"a":3})"},
      {"a: -3", R"({"a":-3})"},
      {"a: +3", R"({"a":3})"},
      {"a: 007", R"({"a":7})"},
      {"a: 0x1F", R"({"a":31})"},
      {"a: 0o17", R"({"a":15})"},
      {"a: '3'", R"({"a":"3"})"},
      {"a: \"3\"", R"({"a":"3"})"},
      {"a: 3.5", R"({"a":3.5})"},
      {"a: 1e3", R"({"a":1000.0})"},
      {"a: .5", R"({"a":0.5})"},
      {"a: 3.5.12", R"({"a":"3.5.12"})"},
      {"a: v3.5.12", R"({"a":"v3.5.12"})"},
      {"a: 10Gi", R"({"a":"10Gi"})"},
      {"a: 2026-11-21", R"({"a":"2026-11-21"})"},
      {"a: 2026-11-21T12:00:00Z", R"({"a":"2026-11-21T12:00:00Z"})"},
      {"a: 18446744073709551615", R"({"a":18446744073709551615})"},
      {"a: -9223372036854775808", R"({"a":-9223372036854775808})"},
      {"a: !!str 3", R"({"a":"3"})"},
      {"a: !!int 3", R"({"a":3})"},
      {"a: !!int x", "line 1, column 4: the tag 'tag:yaml.org,2002:int' is not allowed"},
      {"a: ! 3", R"({"a":"3"})"},
      {"a: .inf", "line 1, column 4: '.inf' is not a number that JSON can hold"},
      {"a: |\n  x\n  y\n", R"({"a":"x\ny\n"})"},
      {"a: >-\n  x\n  y\n", R"({"a":"x y"})"},
      {"{a: [1, {b: c}]}", R"({"a":[1,{"b":"c"}]})"},
      {"true: 1", R"({"true":1})"},
      {"3: 1", R"({"3":1})"},
      {"a: &x {b: 1}\nc: *x", R"({"a":{"b":1},"c":{"b":1}})"},
      {"a: {<<: {b: 1, c: 2}, b: 3}", R"({"a":{"b":3,"c":2}})"},
  }};
  for (const auto& [text, expected] : kRows) EXPECT_EQ(read(text), expected) << text;
}

TEST(Yaml, Documents) {
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("\n\n# nothing\n---\n---\n# nothing\n...\n"), "");
  EXPECT_EQ(read("a: 1\n---\nb: 2\n...\nc: 3\n"), R"({"a":1} | {"b":2} | {"c":3})");
  EXPECT_EQ(read("--- {a: 1}\n--- # x\nb: 2"), R"({"a":1} | {"b":2})");
  EXPECT_EQ(read("%YAML 1.2\n---\na: 1"), R"({"a":1})");
  EXPECT_EQ(read("a: 1\n---\n}\n---\nb: 2"), R"({"a":1} | line 3, column 1: )"
                                             R"(illegal flow end | {"b":2})");
  const auto documents = read_yaml("a: 1\n\n---\nb: 2\n");
  EXPECT_EQ(documents->at(1).line, 3);
}

TEST(Yaml, KeysAreUniqueTexts) {
  EXPECT_EQ(read("a: 1\nb:\n  c: 1\n  c: 2\n"), "line 4, column 3: the key 'c' is there twice");
  EXPECT_EQ(read("a: 1\n'a': 2\n"), "line 2, column 1: the key 'a' is there twice");
  EXPECT_EQ(read("[a, b]: 1\n"), "line 1, column 1: a key must be a text");
  EXPECT_EQ(read("~: 1\n"), "line 1, column 1: a key is empty");
  EXPECT_EQ(read("a: {<<: 3}\n"), "line 1, column 9: '<<' takes maps only");
}

TEST(Yaml, LinesOfErrorsAreThoseOfTheFile) {
  EXPECT_EQ(read("# one\n---\na: 1\n---\n\nb: 'x\n"), R"({"a":1} | line 4, column 1: )"
                                                      "the text ends inside a quote");
  EXPECT_EQ(read("a: 1\nb: [1\nc: 2\n").substr(0, 6), "line 3");
}

TEST(Yaml, LimitsAreThoseGiven) {
  EXPECT_FALSE(read_yaml("a: 1", {.bytes = 3}).has_value());
  EXPECT_FALSE(read_yaml("a: 1\n---\nb: 1", {.documents = 1}).has_value());
  EXPECT_FALSE(read_yaml("a: [[1]]", {.depth = 2})->at(0).value.has_value());
  EXPECT_TRUE(read_yaml("a: [[1]]", {.depth = 3})->at(0).value.has_value());
  EXPECT_FALSE(read_yaml("[1, 2, 3, 4]", {.nodes = 4})->at(0).value.has_value());
  EXPECT_TRUE(read_yaml("[1, 2, 3, 4]", {.nodes = 5})->at(0).value.has_value());
}

}  // namespace
}  // namespace api
