#include "kube/client.h"

#include <gtest/gtest.h>

#include <deque>

#include "kube/kube_testing.h"

namespace kube {
namespace {

using base::Code;

struct ToyTransport final : Transport {
  std::deque<Reply> replies;
  std::vector<std::string> said;
  std::vector<base::Duration> deadlines;

  Reply send(const Request& request, const Limits& limits, const std::stop_token&) override {
    said.push_back(std::string(name_of(request.method)) + " " + request.target());
    deadlines.push_back(limits.deadline);
    if (replies.empty()) return Response{.status = 200, .body = "{}"};
    auto reply = std::move(replies.front());
    replies.pop_front();
    return reply;
  }
  Reply stream(const Request& request, const Limits& limits, const Sink& sink,
               const std::stop_token& stop) override {
    auto reply = send(request, limits, stop);
    if (reply && reply->status == 200) static_cast<void>(sink(reply->body));
    return reply;
  }
};

struct ToyFence final : Fence {
  std::optional<base::Tick> until;
  [[nodiscard]] std::optional<base::Tick> leads_until() const override { return until; }
};

class ClientTest : public testing::Test {
 protected:
  HandClock clock;
  ToyTransport transport;
  ToyFence fence;
  metrics::Registry registry;
  Limiter limiter{clock, {.per_second = 10, .burst = 10}};
  Client client{{.transport = transport,
                 .limiter = limiter,
                 .clock = clock,
                 .fence = &fence,
                 .registry = &registry}};
  const base::Duration deadline{5'000};
  const Request read = get(kPods, {"a", "b"});
  const Request write = remove(kPods, {"a", "b"});
};

TEST_F(ClientTest, WhoDoesNotLeadChangesNothing) {
  const auto answer = client.call(write, deadline, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kFailedPrecondition);
  EXPECT_FALSE(answer.error().may_have_happened());
  EXPECT_TRUE(transport.said.empty());
  EXPECT_TRUE(client.call(read, deadline, {}));
  auto urgent = write;
  urgent.priority = Priority::kUrgent;
  EXPECT_TRUE(client.call(urgent, deadline, {}));
}

TEST_F(ClientTest, AChangeElsewhereEndsBeforeTheLeaseDoesToo) {
  EXPECT_EQ(client.may_change_for(deadline), base::Duration(0));
  fence.until = clock.tick() + base::Duration(3'000);
  EXPECT_EQ(client.may_change_for(deadline), base::Duration(3'000));
  EXPECT_EQ(client.may_change_for(base::Duration(500)), base::Duration(500));
  clock.pass(base::Duration(2'001));
  EXPECT_EQ(client.may_change_for(deadline), base::Duration(0));
}

TEST_F(ClientTest, AChangeEndsBeforeTheLeaseDoes) {
  fence.until = clock.tick() + base::Duration(3'000);
  EXPECT_TRUE(client.call(write, deadline, {}));
  EXPECT_EQ(transport.deadlines.back(), base::Duration(3'000));
  EXPECT_EQ(transport.said.back(), "DELETE /api/v1/namespaces/a/pods/b?timeout=3000ms");
  EXPECT_TRUE(client.call(read, deadline, {}));
  EXPECT_EQ(transport.deadlines.back(), deadline);
  clock.pass(base::Duration(2'001));
  const auto late = client.call(write, deadline, {});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(transport.said.size(), 2U);
}

TEST_F(ClientTest, TranslatesAndCounts) {
  fence.until = clock.tick() + base::Duration(60'000);
  transport.replies = {Response{.status = 404},
                       std::unexpected(Lost{{Code::kUnavailable, "cut"}, true}),
                       Response{.status = 200, .body = "a log"}};
  EXPECT_EQ(client.call(read, deadline, {}).error().code, Code::kNotFound);
  EXPECT_TRUE(client.call(write, deadline, {}).error().may_have_happened());
  EXPECT_EQ(client.text(pod_log({"a", "b"}), deadline, {}), "a log");
  const auto text = registry.text();
  EXPECT_NE(text.find(R"(etcd_operator_kube_requests_total{method="GET",status="404"} 1)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"({method="DELETE",status="none"} 1)"), std::string::npos) << text;
}

TEST_F(ClientTest, AServerThatAsksForAPauseGetsIt) {
  transport.replies = {Response{.status = 429, .retry_after = "7"}};
  EXPECT_EQ(client.call(read, deadline, {}).error().code, Code::kUnavailable);
  EXPECT_EQ(client.call(read, deadline, {}).error().code, Code::kUnavailable);
  EXPECT_EQ(transport.said.size(), 1U);
  clock.pass(base::Duration(7'000));
  EXPECT_TRUE(client.call(read, deadline, {}));
}

TEST_F(ClientTest, OfAFaultyRequestNothingIsSent) {
  fence.until = clock.tick() + base::Duration(60'000);
  EXPECT_EQ(client.call(remove(kPods, {"a", ""}), deadline, {}).error().code, Code::kInternal);
  EXPECT_EQ(client.stream(get(kPods, {"", ""}), {}, {}, {}).error().code, Code::kInternal);
  EXPECT_TRUE(transport.said.empty());
}

TEST_F(ClientTest, PagesBecomeOneList) {
  const auto page = [](const std::string& items, const std::string& next) {
    return Response{.status = 200,
                    .body = R"({"metadata":{"resourceVersion":"9","continue":")" + next +
                            R"("},"items":)" + items + "}"};
  };
  transport.replies = {page("[1,2]", "p2"), page("[3]", "p3"), page("[]", "")};
  const auto all = client.list_all(kPods, "a", {.limit = 2}, deadline, {});
  ASSERT_TRUE(all);
  EXPECT_EQ(*all->at("items"), json::Value(json::Array{1, 2, 3}));
  EXPECT_EQ(transport.said.at(2), "GET /api/v1/namespaces/a/pods?limit=2&continue=p3");
  transport.replies = {page("[1]", "p2"), Response{.status = 410}};
  EXPECT_EQ(client.list_all(kPods, "a", {}, deadline, {}).error().code, Code::kAborted);
  // What an empty list looks like.
  transport.replies = {Response{.status = 200, .body = R"({"items":null})"}};
  EXPECT_EQ(*client.list_all(kPods, "a", {}, deadline, {})->at("items"),
            json::Value(json::Array()));
}

}  // namespace
}  // namespace kube
