#include "kube/events.h"

#include <gtest/gtest.h>

#include "json/json.h"

namespace kube {
namespace {

using base::Duration;

const base::Instant kStart{std::chrono::days(20'000)};

Happening happening(const std::string& note = "2 of 3", const std::string& name = "orders") {
  return {.about = {"operator.etcd.io/v1alpha1", "EtcdCluster", {"shop", name}, "u-1"},
          .warning = true,
          .reason = "MemberDown",
          .action = {},
          .note = note};
}

class EventsTest : public testing::Test {
 protected:
  EventWriter writer{{.instance = "pod-1"}};
};

TEST_F(EventsTest, AnEventOfTheNewApi) {
  const auto sent = writer.add(happening(), kStart);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].priority, Priority::kLow);
  EXPECT_EQ(sent[0].path, "/apis/events.k8s.io/v1/namespaces/shop/events");
  const auto body = *json::parse(sent[0].body);
  EXPECT_EQ(json::get_string(body, "eventTime"), "2024-10-04T00:00:00.000000Z");
  EXPECT_EQ(json::get_string(body, "reason"), "MemberDown");
  EXPECT_EQ(json::get_string(body, "action"), "MemberDown");
  EXPECT_EQ(json::get_string(body, "type"), "Warning");
  EXPECT_EQ(json::get_string(body, "note"), "2 of 3");
  EXPECT_EQ(json::get_string(body, "reportingController"), "etcd.io/etcd-operator");
  EXPECT_EQ(json::get_string(body, "reportingInstance"), "pod-1");
  EXPECT_EQ(json::print(*body.at("regarding")),
            R"({"apiVersion":"operator.etcd.io/v1alpha1","kind":"EtcdCluster","name":"orders",)"
            R"("namespace":"shop","uid":"u-1"})");
  EXPECT_TRUE(json::get_string(body, "metadata.name")->starts_with("orders."));
}

TEST_F(EventsTest, ObjectsOfTheClusterHaveTheirEventsInDefault) {
  auto about_node = happening();
  about_node.about.name.ns.clear();
  const auto sent = writer.add(about_node, kStart);
  EXPECT_EQ(sent.at(0).path, "/apis/events.k8s.io/v1/namespaces/default/events");
  EXPECT_EQ(sent.at(0).body.find("\"namespace\":\"\""), std::string::npos);
}

TEST_F(EventsTest, TheSameAgainIsCounted) {
  const auto first = writer.add(happening(), kStart);
  const auto name = *json::get_string(*json::parse(first[0].body), "metadata.name");
  for (int i = 1; i <= 20; ++i)
    EXPECT_TRUE(writer.add(happening(), kStart + Duration(i * 1000)).empty());
  EXPECT_TRUE(writer.flush(kStart + Duration(59'999)).empty());
  const auto due = writer.flush(kStart + Duration(60'000));
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due[0].path, "/apis/events.k8s.io/v1/namespaces/shop/events/" + name);
  EXPECT_EQ(due[0].body,
            R"({"series":{"count":21,"lastObservedTime":"2024-10-04T00:00:20.000000Z"}})");
  EXPECT_TRUE(writer.flush(kStart + Duration(120'000)).empty());
  // Another note is another event; after a long silence it is a new one as well.
  EXPECT_EQ(writer.add(happening("1 of 3"), kStart).at(0).method, Method::kPost);
  EXPECT_EQ(writer.add(happening(), kStart + Duration(380'000)).at(0).method, Method::kPost);
}

TEST_F(EventsTest, OneObjectDoesNotFlood) {
  size_t sent = 0;
  const auto many = [&](base::Instant at, int from) {
    for (int i = 0; i < 100; ++i)
      sent += writer.add(happening(std::to_string(from + i)), at).size();
  };
  many(kStart, 0);
  EXPECT_EQ(sent, 25U);
  EXPECT_EQ(writer.dropped(), 75U);
  EXPECT_EQ(writer.add(happening("x", "other"), kStart).size(), 1U);
  many(kStart + Duration(60'000), 1000);
  EXPECT_EQ(sent, 27U);
}

TEST_F(EventsTest, AClockThatWasPutBackHoldsNothingUp) {
  const auto ahead = kStart + std::chrono::hours(2);
  for (int i = 0; i < 100; ++i) (void)writer.add(happening(std::to_string(i)), ahead);
  (void)writer.add(happening("0"), ahead);
  EXPECT_TRUE(writer.flush(kStart).empty());
  EXPECT_EQ(writer.flush(kStart + Duration(60'000)).size(), 1U);
  EXPECT_EQ(writer.add(happening("later"), kStart + Duration(60'000)).size(), 1U);
}

TEST_F(EventsTest, RemembersOnlySoMany) {
  EventWriter small({.instance = "i", .limit = 10});
  size_t sent = 0;
  for (int i = 0; i < 50; ++i)
    sent += small.add(happening("n", "o" + std::to_string(i)), kStart).size();
  EXPECT_EQ(sent, 10U);
  EXPECT_EQ(small.add(happening("n", "new"), kStart + Duration(400'000)).size(), 1U);
}

TEST_F(EventsTest, OneThatIsGoneBeginsAnew) {
  Failure gone;
  gone.status = 404;
  gone.code = base::Code::kNotFound;
  writer.add(happening(), kStart);
  const auto again = writer.add(happening(), kStart + Duration(61'000));
  ASSERT_EQ(again.at(0).method, Method::kPatch);
  writer.failed(again[0], gone);
  const auto anew = writer.add(happening(), kStart + Duration(62'000));
  ASSERT_EQ(anew.at(0).method, Method::kPost);
  Failure refused;
  refused.code = base::Code::kPermissionDenied;
  writer.failed(anew[0], refused);
  EXPECT_EQ(writer.dropped(), 1U);
  EXPECT_EQ(writer.add(happening(), kStart + Duration(63'000)).at(0).method, Method::kPost);
}

TEST_F(EventsTest, TextsAreCutWithinTheirLimits) {
  std::string note;
  for (int i = 0; i < 600; ++i) note += "ä";
  auto long_one = happening(note, std::string(300, 'n'));
  long_one.reason = std::string(200, 'R');
  const auto body = *json::parse(writer.add(long_one, kStart).at(0).body);
  EXPECT_EQ(json::get_string(body, "note")->size(), 1024U);
  EXPECT_EQ(json::get_string(body, "reason")->size(), 128U);
  EXPECT_LE(json::get_string(body, "metadata.name")->size(), 253U);
}

}  // namespace
}  // namespace kube
