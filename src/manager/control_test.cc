#include "manager/control.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace manager {
namespace {

base::Result<json::Value> ask(const std::string& line, const Handler& handler) {
  return decode_answer(answer_line(line, handler, {}));
}

base::Result<json::Value> echo(const Request& request, const std::stop_token&) {
  return json::Value(json::Object{{"op", name_of(request.op)},
                                  {"cluster", request.cluster ? request.cluster->text() : ""},
                                  {"args", request.args}});
}

TEST(Control, ARequestArrivesAsItWasSent) {
  for (const auto op :
       {Op::kStatus, Op::kPlan, Op::kEvents, Op::kConnect, Op::kDebug, Op::kApprove, Op::kPause,
        Op::kResume, Op::kStop, Op::kStart, Op::kBackupNow, Op::kRestore, Op::kShutdown}) {
    const Request request{op, base::ClusterKey{"ns", "a"}, {{"x", 1}}};
    const auto answer = ask(encode(request), echo);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(*answer->at("op")->if_string(), name_of(op));
    EXPECT_EQ(*answer->at("cluster")->if_string(), "ns/a");
    EXPECT_EQ(*answer->at("args.x")->as_int(), 1);
  }
}

TEST(Control, AnErrorKeepsItsCodeAndWords) {
  const auto answer = ask(encode(Request{}), [](const Request&, const std::stop_token&) {
    return base::Result<json::Value>(
        base::fail(base::Code::kFailedPrecondition, "no \"quorum\"\n"));
  });
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, base::Code::kFailedPrecondition);
  EXPECT_EQ(answer.error().message, "no \"quorum\"\n");
}

TEST(Control, BadLinesAreAnsweredAndNeverReachTheHandler) {
  const Handler never = [](const Request&, const std::stop_token&) -> base::Result<json::Value> {
    ADD_FAILURE() << "the handler was called";
    return json::Value();
  };
  const std::pair<const char*, const char*> cases[] = {
      {"", "not JSON"},
      {"hello", "not JSON"},
      {"[]", "v is missing"},
      {R"({"op":"status"})", "v is missing"},
      {R"({"v":2,"op":"status"})", "protocol 2"},
      {R"({"v":1})", "op is missing"},
      {R"({"v":1,"op":"fly"})", "op \"fly\" is not known"},
      {R"({"v":1,"op":7})", "op is"},
      {R"({"v":1,"op":"status","cluster":"../etc"})", "NAME or NAMESPACE/NAME"},
      {R"({"v":1,"op":"status","cluster":5})", "cluster is"},
      {R"({"v":1,"op":"status","args":[]})", "args is not an object"},
      {R"({"v":1,"op":"status","args":{"a":)", "not JSON"},
  };
  for (const auto& [line, words] : cases) {
    const auto answer = ask(line, never);
    ASSERT_FALSE(answer.has_value()) << line;
    EXPECT_NE(answer.error().message.find(words), std::string::npos)
        << line << " -> " << answer.error().message;
  }
}

TEST(Control, DeepNestingIsRefused) {
  std::string line = R"({"v":1,"op":"status","args":{"a":)";
  line += std::string(1000, '[') + std::string(1000, ']') + "}}";
  EXPECT_FALSE(ask(line, echo).has_value());
}

TEST(Control, WhatIsNoAnswerIsUnavailable) {
  for (const auto* text : {"", "x", "{}", R"({"ok":1})"}) {
    const auto answer = decode_answer(text);
    ASSERT_FALSE(answer.has_value());
    EXPECT_EQ(answer.error().code, base::Code::kUnavailable);
  }
}

TEST(Control, ClusterNames) {
  EXPECT_EQ(parse_cluster("a")->text(), "default/a");
  EXPECT_EQ(parse_cluster("x/a-1")->text(), "x/a-1");
  for (const auto* text : {"", "/", "a/", "/a", "a/b/c", "A", "a_b", "-a", "a-", "..", "a b"})
    EXPECT_FALSE(parse_cluster(text).has_value()) << text;
}

}  // namespace
}  // namespace manager
