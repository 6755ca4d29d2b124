#include "kube/watcher.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "json/json.h"

namespace kube {
namespace {

using base::Code;
using base::Duration;
using Doing = Watcher::Doing;

struct Same final : base::Random {
  unsigned long long next() override { return 0; }
};

std::string pod(const std::string& name, int version, const std::string& cluster = "c") {
  return fmt::format(R"({{"metadata":{{"name":"{}","namespace":"a","resourceVersion":"{}",)"
                     R"("labels":{{"etcd.io/cluster":"{}"}}}}}})",
                     name, version, cluster);
}

std::string event(const std::string& type, const std::string& object) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, object);
}

Answer<json::Value> page(int version, const std::string& items, const std::string& next = "") {
  return *json::parse(
      fmt::format(R"({{"metadata":{{"resourceVersion":"{}","continue":"{}"}},"items":[{}]}})",
                  version, next, items));
}

Failure failure(int status, Code code = Code::kUnavailable) {
  Failure f;
  f.status = status;
  f.code = code;
  f.message = fmt::format("failed with {}", status);
  return f;
}

class WatcherTest : public testing::Test {
 protected:
  Same random;
  Store store{"etcd.io/cluster"};
  Watcher watcher{
      {.resource = kPods, .ns = "a", .selection = {.labels = "x=y"}, .page = 2}, store, random};
  base::Tick now{Duration(1'000'000)};

  std::string target() { return watcher.next().request.target(); }
  void start() {
    watcher.next();
    watcher.listed(page(10, pod("p", 3) + "," + pod("q", 4)), now);
    watcher.next();
  }
  std::string names() {
    std::string out;
    for (const auto& object : store.all())
      out += *object->at("metadata.name")->if_string() + "@" +
             *object->at("metadata.resourceVersion")->if_string() + " ";
    return out;
  }
};

TEST_F(WatcherTest, ListsByPagesThenWatches) {
  EXPECT_EQ(target(), "/api/v1/namespaces/a/pods?labelSelector=x%3Dy&limit=2");
  EXPECT_TRUE(watcher.listed(page(10, pod("p", 3) + "," + pod("q", 4), "n"), now).empty());
  EXPECT_FALSE(store.complete());
  EXPECT_EQ(store.size(), 0U);  // nothing is shown before it is whole
  EXPECT_EQ(target(), "/api/v1/namespaces/a/pods?labelSelector=x%3Dy&limit=2&continue=n");
  EXPECT_EQ(watcher.listed(page(10, pod("r", 5)), now).size(), 3U);
  EXPECT_TRUE(store.complete());
  EXPECT_EQ(store.seen_at(), now);
  EXPECT_EQ(target(),
            "/api/v1/namespaces/a/pods?watch=1&allowWatchBookmarks=true&labelSelector=x%3Dy"
            "&resourceVersion=10&timeoutSeconds=300");
  EXPECT_EQ(watcher.next().not_before, now);
}

TEST_F(WatcherTest, TakesChangesCutAnywhere) {
  start();
  const auto text = event("MODIFIED", pod("p", 11)) + event("DELETED", pod("q", 12)) +
                    event("ADDED", pod("r", 13)) +
                    event("BOOKMARK", R"({"metadata":{"resourceVersion":"20"}})");
  std::vector<Change> changes;
  for (const char c : text)
    for (auto& change : watcher.heard({&c, 1}, now + Duration(5))) changes.push_back(change);
  ASSERT_EQ(changes.size(), 3U);
  EXPECT_TRUE(changes[0].before && changes[0].after);
  EXPECT_TRUE(changes[1].before && !changes[1].after);
  EXPECT_TRUE(!changes[2].before && changes[2].after);
  EXPECT_EQ(names(), "p@11 r@13 ");
  EXPECT_EQ(watcher.version(), "20");
  EXPECT_EQ(store.seen_at(), now + Duration(5));
  // Ended in good order: on from the bookmark, at once.
  watcher.ended({}, now);
  const auto next = watcher.next();
  EXPECT_EQ(next.not_before, now);
  EXPECT_NE(next.request.target().find("resourceVersion=20&"), std::string::npos);
}

TEST_F(WatcherTest, AGroupIsFoundByLabel) {
  start();
  watcher.heard(event("MODIFIED", pod("q", 11, "d")), now);
  EXPECT_EQ(store.group("a", "c").size(), 1U);
  EXPECT_EQ(store.group("a", "d").size(), 1U);
  watcher.heard(event("DELETED", pod("q", 12, "d")), now);
  EXPECT_TRUE(store.group("a", "d").empty());
  EXPECT_TRUE(store.group("b", "c").empty());
}

TEST_F(WatcherTest, WhatExpiredIsListedAndSwappedAtOnce) {
  start();
  watcher.heard(event("MODIFIED", pod("p", 11)), now);
  EXPECT_FALSE(watcher.ended_early());
  watcher.heard(event("ERROR", R"({"kind":"Status","code":410,"reason":"Expired"})"), now);
  EXPECT_TRUE(watcher.ended_early());
  watcher.ended({}, now);
  EXPECT_EQ(watcher.next().doing, Doing::kList);
  EXPECT_EQ(watcher.next().not_before, now);
  EXPECT_EQ(names(), "p@11 q@4 ");  // as it was, until the list is whole
  watcher.listed(page(30, pod("q", 4), "n"), now);
  EXPECT_EQ(names(), "p@11 q@4 ");
  const auto changes = watcher.listed(page(30, pod("z", 29)), now);
  EXPECT_EQ(names(), "q@4 z@29 ");
  EXPECT_EQ(changes.size(), 2U);  // of q nothing has changed
}

TEST_F(WatcherTest, AnExpiryAtTheStartIsNotAnsweredInALoop) {
  start();
  Duration last{0};
  for (int i = 0; i < 4; ++i) {
    watcher.ended(std::unexpected(failure(410, Code::kAborted)), now);
    const auto next = watcher.next();
    EXPECT_EQ(next.doing, Doing::kList);
    EXPECT_GT(next.not_before - now, last);
    last = next.not_before - now;
    watcher.listed(page(40, ""), now);
    watcher.next();
  }
}

TEST_F(WatcherTest, PagesThatExpireAreAskedForWithoutPages) {
  watcher.next();
  watcher.listed(page(10, pod("p", 3), "n"), now);
  watcher.next();
  watcher.listed(std::unexpected(failure(410, Code::kAborted)), now);
  EXPECT_EQ(target(), "/api/v1/namespaces/a/pods?labelSelector=x%3Dy");
  EXPECT_EQ(watcher.next().not_before, now);
  watcher.listed(page(12, pod("q", 4)), now);
  EXPECT_EQ(names(), "q@4 ");
}

TEST_F(WatcherTest, OneBadObjectIsPassedOver) {
  watcher.next();
  watcher.listed(page(10, R"({"metadata":{"name":7}},3,)" + pod("q", 4)), now);
  EXPECT_EQ(watcher.bad_objects(), 2U);
  EXPECT_EQ(names(), "q@4 ");
  watcher.next();
  watcher.heard(event("ADDED", R"({"metadata":{"resourceVersion":"11","name":null}})"), now);
  EXPECT_EQ(watcher.bad_objects(), 3U);
  EXPECT_FALSE(watcher.ended_early());
  EXPECT_EQ(watcher.version(), "11");
  // One that cannot be placed at all: the list says what it was about.
  watcher.heard("{\"type\":\"ADDED\",\"obj\n" + event("ADDED", pod("z", 13)), now);
  EXPECT_TRUE(watcher.ended_early());
  EXPECT_EQ(names(), "q@4 ");
  EXPECT_GT(watcher.next().not_before, now);
}

TEST_F(WatcherTest, FailuresWaitLongerAndLonger) {
  watcher.next();
  Duration last{0};
  for (int i = 0; i < 5; ++i) {
    watcher.listed(std::unexpected(failure(0)), now);
    const auto wait = watcher.next().not_before - now;
    EXPECT_GT(wait, last);
    last = wait;
  }
  EXPECT_EQ(watcher.problem(), "failed with 0");
  auto later = failure(429);
  later.retry_after = Duration(60'000);
  watcher.listed(std::unexpected(later), now);
  EXPECT_EQ(watcher.next().not_before - now, Duration(60'000));
  watcher.listed(page(1, ""), now);
  EXPECT_EQ(watcher.problem(), "");
}

TEST_F(WatcherTest, AWatchThatBreaksGoesOnWhereItWas) {
  start();
  watcher.heard(event("MODIFIED", pod("p", 11)) + R"({"type":"ADDED","object":{"meta)", now);
  watcher.ended(std::unexpected(failure(0)), now);
  auto next = watcher.next();
  EXPECT_EQ(next.doing, Doing::kWatch);
  EXPECT_GT(next.not_before, now);
  EXPECT_NE(next.request.target().find("resourceVersion=11&"), std::string::npos);
  watcher.heard(event("MODIFIED", pod("p", 12)), now);  // the half line is forgotten
  EXPECT_EQ(names(), "p@12 q@4 ");
  EXPECT_EQ(watcher.bad_objects(), 0U);
  // Not for ever: a server that cannot begin a watch may have lost our version.
  for (int i = 0; i < 5; ++i) {
    watcher.ended(std::unexpected(failure(0)), now);
    next = watcher.next();
  }
  EXPECT_EQ(next.doing, Doing::kList);
}

TEST_F(WatcherTest, WhatNoVersionHelpsIsListed) {
  for (const int status : {400, 403, 404, 504}) {
    start();
    watcher.ended(std::unexpected(failure(status)), now);
    EXPECT_EQ(watcher.next().doing, Doing::kList) << status;
  }
  start();
  watcher.ended({}, now);  // without a word: not in a loop
  EXPECT_EQ(watcher.next().doing, Doing::kWatch);
  EXPECT_GT(watcher.next().not_before, now);
}

TEST_F(WatcherTest, AnAnswerThatIsNoListIsAFailure) {
  watcher.next();
  for (const auto* text : {"{}", R"({"metadata":{"resourceVersion":"1"},"items":{}})", "[]"}) {
    EXPECT_TRUE(watcher.listed(*json::parse(text), now).empty());
    EXPECT_FALSE(store.complete());
    EXPECT_NE(watcher.problem(), "");
  }
}

TEST_F(WatcherTest, KeepsNothingOfWhoSetWhichFieldNorOfTheImagesOfANode) {
  const auto node = [](int version) {
    return fmt::format(
        R"({{"kind":"Node","metadata":{{"name":"p","namespace":"a","resourceVersion":"{}",)"
        R"("managedFields":[{{"manager":"k"}}]}},"status":{{"images":[{{}}],"phase":"x"}}}})",
        version);
  };
  watcher.next();
  watcher.listed(page(10, node(3)), now);
  watcher.next();
  for (const int version : {3, 11}) {
    const auto there = store.find({"a", "p"});
    ASSERT_NE(there, nullptr);
    const auto text = fmt::format(
        R"({{"kind":"Node","metadata":{{"name":"p","namespace":"a","resourceVersion":"{}"}},)"
        R"("status":{{"phase":"x"}}}})",
        version);
    EXPECT_EQ(json::print(*there), text);
    watcher.heard(event("MODIFIED", node(11)), now);
  }
}

}  // namespace
}  // namespace kube
