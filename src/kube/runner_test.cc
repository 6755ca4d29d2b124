#include "kube/runner.h"

#include <gtest/gtest.h>

#include <deque>

#include "kube/kube_testing.h"

namespace kube {
namespace {

using base::Code;
using base::Duration;

struct Quiet final : base::Logger {
  std::vector<std::string> events;
  void write(base::Level, std::string_view event, const std::vector<base::Field>&) override {
    events.emplace_back(event);
  }
};

struct Zero final : base::Random {
  unsigned long long next() override { return 0; }
};

// Asks to stop when it has nothing more to say, so that a loop runs its script and ends.
struct Script final : Transport {
  std::deque<Reply> replies;
  std::deque<std::vector<std::string>> streams;
  std::vector<Request> asked;
  std::stop_source end;

  Reply send(const Request& request, const Limits&, const std::stop_token&) override {
    asked.push_back(request);
    if (replies.empty()) {
      end.request_stop();
      return std::unexpected(Lost{{Code::kCancelled, "stopped"}, false});
    }
    auto reply = std::move(replies.front());
    replies.pop_front();
    return reply;
  }
  Reply stream(const Request& request, const Limits&, const Sink& sink,
               const std::stop_token&) override {
    asked.push_back(request);
    if (streams.empty()) {
      end.request_stop();
      return std::unexpected(Lost{{Code::kCancelled, "stopped"}, true});
    }
    const auto parts = std::move(streams.front());
    streams.pop_front();
    for (const auto& part : parts)
      if (const auto taken = sink(part); !taken) return std::unexpected(Lost{taken.error(), true});
    return Response{.status = 200};
  }
};

class RunnerTest : public testing::Test {
 protected:
  HandClock clock;
  Quiet log;
  Zero random;
  Script script;
  Limiter limiter{clock, {}};
  Client client{{.transport = script, .limiter = limiter, .clock = clock}};
};

Response object(const std::string& text) {
  return {.status = 200, .body = text};
}

TEST_F(RunnerTest, AWatchIsFollowedAndListedAnew) {
  const std::string list = R"({"metadata":{"resourceVersion":"1"},"items":[]})";
  script.replies = {object(list), object(R"({"metadata":{"resourceVersion":"9"},"items":[]})")};
  script.streams = {{R"({"type":"ADDED","object":{"metadata":{"name":"n","resourceVersion":"2"}}})"
                     "\n{\"ty",
                     "pe\":\"ERROR\",\"object\":{\"code\":410}}\n", "never looked at"}};
  Store store;
  Watcher watcher({.resource = kNodes}, store, random);
  std::vector<std::string> told;
  run_watch(
      watcher, {client, clock, log},
      [&](std::span<const Change> changes) {
        for (const auto& change : changes)
          told.push_back((change.after ? "+" : "-") + change.name.name);
      },
      script.end.get_token());
  EXPECT_EQ(told, (std::vector<std::string>{"+n", "-n"}));
  ASSERT_EQ(script.asked.size(), 4U);
  EXPECT_TRUE(script.asked[3].target().find("resourceVersion=9") != std::string::npos);
}

TEST_F(RunnerTest, ALeaderGivesItsLeaseUpAtTheEnd) {
  script.replies = {Response{.status = 404},
                    object(R"({"metadata":{"resourceVersion":"5"},"spec":{"holderIdentity":"me",)"
                           R"("leaseTransitions":1}})")};
  Elector elector({.name = {"ops", "leader"}, .identity = "me"}, clock);
  std::vector<bool> turns;
  run_elector(
      elector, {client, clock, log},
      [&](bool leads) {
        turns.push_back(leads);
        script.end.request_stop();
      },
      script.end.get_token());
  EXPECT_EQ(turns, (std::vector<bool>{true, false}));
  ASSERT_EQ(script.asked.size(), 3U);
  EXPECT_NE(script.asked[2].body.find("\"holderIdentity\":\"\""), std::string::npos);
  EXPECT_EQ(log.events, (std::vector<std::string>{"leadership", "leadership"}));
}

}  // namespace
}  // namespace kube
