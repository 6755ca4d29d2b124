#include "json/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

namespace json {
namespace {

using base::Code;

Value must(std::string_view text) {
  auto value = parse(text);
  EXPECT_TRUE(value) << value.error().message;
  return value ? *value : Value();
}

TEST(Json, KeepsOrderAndEveryNumber) {
  const std::string text =
      R"({"z":1,"a":[true,null,-9223372036854775808,18446744073709551615,1.5],"m":{"k":"v"}})";
  EXPECT_EQ(print(must(text)), text);
}

TEST(Json, UnsignedNumbersHaveOneForm) {
  EXPECT_EQ(Value(std::uint64_t{7}), Value(7));
  EXPECT_EQ(Value(std::uint64_t{7}).kind(), Kind::kInt);
  EXPECT_EQ(must("18446744073709551615"), Value(~std::uint64_t{0}));
  EXPECT_EQ(*must("18446744073709551615").as_uint(), ~std::uint64_t{0});
  EXPECT_FALSE(must("18446744073709551615").as_int());
  EXPECT_FALSE(must("-1").as_uint());
}

TEST(Json, IntegersFromWholeDoublesOnly) {
  EXPECT_EQ(*must("1e3").as_int(), 1000);
  EXPECT_EQ(*must("2.0").as_uint(), 2U);
  EXPECT_FALSE(must("1.5").as_int());
  EXPECT_FALSE(must("9223372036854775808.0").as_int());
  EXPECT_EQ(*must("9223372036854775808.0").as_uint(), std::uint64_t{1} << 63);
  EXPECT_FALSE(must("1e300").as_uint());
}

TEST(Json, DoublesStayDoubles) {
  EXPECT_EQ(print(Value(2.0)), "2.0");
  EXPECT_EQ(must(print(Value(1e300))), Value(1e300));
  EXPECT_EQ(must(print(Value(0.1))), Value(0.1));
  EXPECT_EQ(print(Value(std::numeric_limits<double>::infinity())), "null");
  EXPECT_EQ(print(Value(std::nan(""))), "null");
  for (const auto* text : {"22222222222222220000000000000000000000003691131880531878804", "5e-324",
                           "1.7976931348623157e308", "-0.1e1", "123456789012345678901234567890"}) {
    const auto value = must(text);
    EXPECT_EQ(must(print(value)), value) << text;
    EXPECT_EQ(value, Value(std::strtod(text, nullptr))) << text;
  }
  EXPECT_EQ(must("1e-999"), Value(0.0));
}

TEST(Json, ErrorsNameThePlace) {
  const auto bad = parse("{\n  \"a\": 1,\n  \"b\": tru }");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, Code::kInvalidArgument);
  EXPECT_NE(bad.error().message.find("line 3, column "), std::string::npos) << bad.error().message;
  for (const auto* text :
       {"", "  ", "{", "[1,", "nul", "1 2", "{\"a\":1}x", "'a'", "[1,]", "\"\x01\"", "\"\xff\"",
        "01", "+1", "NaN", "{\"a\" 1}", "\"\\ud800\"", "// c\n1", "1e999", "-1e400"})
    EXPECT_FALSE(parse(text)) << text;
}

TEST(Json, AKeyTwiceIsAnError) {
  const auto bad = parse(R"({"a":{"k":1,"k":2}})");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("key 'k' occurs twice"), std::string::npos);
}

TEST(Json, LimitsHold) {
  const auto deep = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_TRUE(parse(deep(64)));
  const auto too_deep = parse(deep(65));
  ASSERT_FALSE(too_deep);
  EXPECT_EQ(too_deep.error().code, Code::kResourceExhausted);
  EXPECT_FALSE(parse(deep(100'000)));
  EXPECT_EQ(parse("[1,2,3]", {.depth = 64, .bytes = 4}).error().code, Code::kResourceExhausted);
}

TEST(Json, StringsAreAlwaysValidWhenPrinted) {
  EXPECT_EQ(print(Value("a\"b\\c\n\t\x01\x7f")), R"("a\"b\\c\n\t\u0001\u007f")");
  EXPECT_EQ(print(Value("\xc3\xa4\xff\xed\xa0\x80")),
            "\"\xc3\xa4\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  for (int c = 0; c < 256; ++c) {
    const std::string one(1, static_cast<char>(c));
    const auto back = parse(print(Value(one)));
    ASSERT_TRUE(back) << c;
    if (c < 0x80) EXPECT_EQ(*back, Value(one)) << c;
  }
  EXPECT_EQ(must(R"("\u00e4\ud83d\ude00")"), Value("\xc3\xa4\xf0\x9f\x98\x80"));
}

TEST(Json, ReadsByPathWithAClearError) {
  const auto doc = must(R"({"spec":{"size":"3","members":[{"name":"m0","id":5}]}})");
  EXPECT_EQ(*get_string(doc, "spec.members.0.name"), "m0");
  EXPECT_EQ(*get_uint(doc, "spec.members.0.id"), 5U);
  EXPECT_EQ(get_int(doc, "spec.size").error().message, "spec.size is a string, not an integer");
  EXPECT_EQ(get_int(doc, "spec.none").error().message, "spec.none is missing");
  EXPECT_EQ(get_int(doc, "spec.none").error().code, Code::kNotFound);
  EXPECT_EQ(get_bool(doc, "spec.members.1.name").error().code, Code::kNotFound);
  EXPECT_EQ(doc.at("spec.members.x"), nullptr);
  EXPECT_EQ(doc.find("none"), nullptr);
}

TEST(Json, BuildsValuesInPlace) {
  Value doc;
  doc["metadata"]["name"] = "c";
  doc["list"].push_back(1);
  doc["list"].push_back(Object{{"a", true}, {"b", nullptr}});
  doc["texts"] = std::vector<std::string>{"x", "y"};
  EXPECT_EQ(print(doc),
            R"({"metadata":{"name":"c"},"list":[1,{"a":true,"b":null}],"texts":["x","y"]})");
  EXPECT_EQ(print(doc["list"], Style::kPretty),
            "[\n  1,\n  {\n    \"a\": true,\n    \"b\": null\n  }\n]\n");
  EXPECT_TRUE(doc.if_object()->erase("list"));
  EXPECT_FALSE(doc.if_object()->erase("list"));
  EXPECT_EQ(print(Value(Object())), "{}");
  EXPECT_EQ(print(Value(Array()), Style::kPretty), "[]\n");
}

TEST(Json, AnObjectWithManyKeysIsReadInLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += "\"k" + std::to_string(i) + "\":1,";
  text.back() = '}';
  const auto value = must(text);
  EXPECT_EQ(value.if_object()->size(), 100'000U);
}

}  // namespace
}  // namespace json
