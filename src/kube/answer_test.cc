#include "kube/answer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace kube {
namespace {

using base::Code;

const Request kRead = get(kPods, {"shop", "orders-0"});
const Request kWrite = evict({"shop", "orders-0"});

std::string status_text(int code, const std::string& reason, const std::string& message,
                        const std::string& details = "{}") {
  return fmt::format(
      R"({{"kind":"Status","apiVersion":"v1","status":"Failure","message":"{}","reason":"{}",)"
      R"("details":{},"code":{}}})",
      message, reason, details, code);
}

Failure failed(const Request& request, int code, const std::string& reason,
               const std::string& message = "words", const std::string& details = "{}") {
  const auto answer =
      judge(request, {.status = code, .body = status_text(code, reason, message, details)});
  EXPECT_FALSE(answer);
  return answer ? Failure() : answer.error();
}

std::string cause(const std::string& reason, const std::string& message = "m") {
  return fmt::format(R"({{"causes":[{{"reason":"{}","message":"{}"}}]}})", reason, message);
}

TEST(Answer, AGoodOneIsItsObject) {
  EXPECT_EQ(judge(kRead, {.status = 200, .body = R"({"a":1})"})->at("a")->as_int(), 1);
  EXPECT_TRUE(judge(kWrite, {.status = 201})->is_null());
}

TEST(Answer, CodesOfTheServer) {
  EXPECT_EQ(failed(kRead, 404, "NotFound").code, Code::kNotFound);
  EXPECT_EQ(failed(kWrite, 409, "AlreadyExists").code, Code::kAlreadyExists);
  EXPECT_EQ(failed(kWrite, 409, "Conflict").code, Code::kAborted);
  EXPECT_EQ(failed(kRead, 410, "Expired").code, Code::kAborted);
  EXPECT_TRUE(failed(kRead, 410, "Expired").expired());
  EXPECT_TRUE(failed(kRead, 410, "Gone").expired());
  EXPECT_FALSE(failed(kRead, 404, "NotFound").expired());
  EXPECT_EQ(failed(kWrite, 401, "Unauthorized").code, Code::kPermissionDenied);
  EXPECT_EQ(failed(kWrite, 403, "Forbidden").code, Code::kPermissionDenied);
  EXPECT_EQ(failed(kWrite, 400, "BadRequest").code, Code::kInvalidArgument);
  EXPECT_EQ(failed(kWrite, 422, "Invalid").code, Code::kInvalidArgument);
  EXPECT_EQ(failed(kWrite, 415, "UnsupportedMediaType").code, Code::kUnimplemented);
  EXPECT_EQ(failed(kRead, 500, "InternalError").code, Code::kUnavailable);
}

TEST(Answer, CausesThatCallForSomethingElse) {
  EXPECT_EQ(failed(kWrite, 409, "Conflict", "x", cause("FieldManagerConflict")).code,
            Code::kFailedPrecondition);
  EXPECT_EQ(failed(kWrite, 403, "Forbidden", "x", cause("NamespaceTerminating")).code,
            Code::kFailedPrecondition);
  EXPECT_EQ(failed(kWrite, 429, "TooManyRequests", "x", cause("DisruptionBudget")).code,
            Code::kFailedPrecondition);
  EXPECT_EQ(failed(kWrite, 403, "Forbidden",
                   "pods \\\"a\\\" is forbidden: exceeded quota: q, requested: pods=1")
                .code,
            Code::kResourceExhausted);
  const auto patch = json_patch(kPods, {"a", "b"}, {});
  EXPECT_EQ(failed(patch, 422, "Invalid", "the server rejected our request").code, Code::kAborted);
  EXPECT_EQ(failed(kWrite, 422, "Invalid", "the server rejected our request").code,
            Code::kInvalidArgument);
  const auto wrong = cause("FieldValueInvalid", "must be positive");
  EXPECT_EQ(failed(patch, 422, "Invalid", "x", wrong).code, Code::kInvalidArgument);
  const std::string uid =
      R"({"causes":[{"reason":"FieldValueInvalid","message":"m","field":"metadata.uid"}]})";
  const auto merge = merge_patch(kPods, {"a", "b"}, json::Object());
  EXPECT_EQ(failed(merge, 422, "Invalid", "x", uid).code, Code::kAborted);
  EXPECT_EQ(failed(kWrite, 422, "Invalid", "x", uid).code, Code::kInvalidArgument);
}

TEST(Answer, KeepsTheServersWords) {
  const auto failure =
      failed(kWrite, 422, "Invalid", "spec is wrong", cause("FieldValueInvalid", "must be odd"));
  EXPECT_EQ(failure.message, "evict pods shop/orders-0: spec is wrong; must be odd");
  EXPECT_EQ(failure.reason, "Invalid");
  EXPECT_EQ(failed(kRead, 404, "NotFound", "").message,
            "get pods shop/orders-0: the API server answered 404");
  const auto cut = failed(kRead, 400, "BadRequest", std::string(9000, 'x')).message;
  EXPECT_LT(cut.size(), 2200U);
  EXPECT_TRUE(cut.ends_with(" …"));
}

TEST(Answer, RetryAfter) {
  const auto body = status_text(429, "TooManyRequests", "slow down", R"({"retryAfterSeconds":3})");
  const auto by_header = judge(kWrite, {.status = 429, .retry_after = "7", .body = body}).error();
  EXPECT_EQ(by_header.code, Code::kUnavailable);
  EXPECT_EQ(by_header.retry_after, base::Duration(7000));
  EXPECT_EQ(judge(kWrite, {.status = 429, .body = body}).error().retry_after, base::Duration(3000));
  EXPECT_EQ(judge(kWrite, {.status = 429, .retry_after = "3600"}).error().retry_after,
            base::Duration(60'000));
  for (const auto* text : {"", "soon", "-1", "99999999999"})
    EXPECT_FALSE(judge(kWrite, {.status = 429, .retry_after = text}).error().retry_after) << text;
}

TEST(Answer, WhatAProxySays) {
  const auto failure = judge(kRead, {.status = 502, .body = "<html>\nbad gateway</html>"}).error();
  EXPECT_EQ(failure.code, Code::kUnavailable);
  EXPECT_EQ(failure.message, "get pods shop/orders-0: <html> bad gateway</html>");
  EXPECT_EQ(judge(kRead, {.status = 200, .body = "<html>"}).error().code, Code::kDataLoss);
  EXPECT_EQ(judge(kRead, {.status = 302}).error().code, Code::kInvalidArgument);
}

TEST(Answer, AWriteWithoutAClearAnswerMayHaveHappened) {
  for (const int code : {500, 502, 503, 504}) {
    EXPECT_TRUE(failed(kWrite, code, "InternalError").may_have_happened());
    EXPECT_FALSE(failed(kRead, code, "InternalError").may_have_happened());
  }
  // It was done, and what the server said about it cannot be read.
  EXPECT_TRUE(judge(kWrite, {.status = 201, .body = "{"}).error().may_have_happened());
  const base::Error cut{Code::kUnavailable, "connection reset"};
  EXPECT_TRUE(lost(kWrite, cut, true).may_have_happened());
  EXPECT_FALSE(lost(kWrite, cut, false).may_have_happened());
  EXPECT_FALSE(lost(kRead, cut, true).may_have_happened());
  EXPECT_EQ(lost(kWrite, cut, true).message,
            "evict pods shop/orders-0: connection reset (it may have happened)");
  const base::Error late{Code::kDeadlineExceeded, "no answer in 5 s"};
  EXPECT_EQ(lost(kRead, late, true).code, Code::kUnavailable);
  EXPECT_EQ(lost(kWrite, late, false).code, Code::kUnavailable);
  const base::Error stopped{Code::kCancelled, "stopped"};
  EXPECT_TRUE(lost(kWrite, stopped, true).may_have_happened());
  EXPECT_EQ(lost(kWrite, stopped, false).code, Code::kCancelled);
}

TEST(Answer, AStatusWithinAWatch) {
  const auto value = json::Object{{"kind", "Status"},
                                  {"code", 410},
                                  {"reason", "Expired"},
                                  {"message", "too old resource version"}};
  const auto failure = failure_of(kRead, json::Value(value));
  EXPECT_TRUE(failure.expired());
  EXPECT_EQ(failure.message, "get pods shop/orders-0: too old resource version");
}

TEST(Answer, ServesAsAPlainError) {
  const auto f = []() -> base::Result<int> {
    TRY(const auto value, judge(kRead, {.status = 404}));
    return value.is_null() ? 1 : 2;
  };
  EXPECT_EQ(f().error().code, Code::kNotFound);
}

TEST(Answer, AnItemSaysWhatItIs) {
  const auto whole = item_of(kPods, json::Object{{"metadata", json::Object{{"name", "a"}}}});
  EXPECT_EQ(json::print(whole), R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}})");
  const json::Value custom = json::Object{{"apiVersion", "x/v1"}, {"kind", "X"}};
  EXPECT_EQ(item_of(kPods, custom), custom);
  EXPECT_EQ(item_of(kPods, json::Value("odd")), json::Value("odd"));
}

}  // namespace
}  // namespace kube
