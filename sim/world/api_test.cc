// What a client sees of the fake etcd.
#include "sim/world/api.h"

#include <gtest/gtest.h>

#include "sim/world/etcd_fixture.h"

namespace sim {
namespace {

using base::Code;
using etcd::Outcome;

constexpr base::Duration kCall{10'000};

TEST(FakeApi, ReadsAndWrites) {
  Lab lab;
  lab.form(3);
  const auto api = lab.api(1);
  const auto first = api->put("a", "1", kCall);
  ASSERT_TRUE(first);
  EXPECT_EQ(*api->put("a", "2", kCall), *first + 1);
  EXPECT_EQ(*api->quorum_read(kCall), *first + 1);
  const auto range = api->range("a", "", false, 0, kCall);
  EXPECT_EQ(range->kvs[0].value, "2");
  EXPECT_EQ(range->kvs[0].version, 2);
  EXPECT_EQ(range->kvs[0].create_revision, *first);
  EXPECT_EQ(api->range("a", "", true, *first, kCall)->kvs[0].value, "1");
  const auto status = api->status(kCall);
  EXPECT_EQ(status->leader, lab.id(lab.leader()));
  EXPECT_EQ(status->version, "3.6.16");
  EXPECT_EQ(status->revision, *first + 1);
  EXPECT_EQ(api->member_list(true, kCall)->members.size(), 3U);
  EXPECT_EQ(api->hash_kv(0, kCall)->hash, lab.api(0)->hash_kv(0, kCall)->hash);
}

TEST(FakeApi, AnAnswerThatIsLostMayHaveHappened) {
  Lab lab;
  lab.form(3);
  const auto api = lab.api(0);
  lab.fault = CallFault::kLostAnswer;
  const auto before = lab.now();
  const auto lost = api->put("a", "1", kCall);
  EXPECT_EQ(lost.error().outcome, Outcome::kMayHaveHappened);
  EXPECT_EQ(lost.error().error.code, Code::kDeadlineExceeded);
  EXPECT_GE(lab.now() - before, kCall);
  EXPECT_EQ(api->range("a", "", false, 0, kCall)->count, 1);
  lab.fault = CallFault::kLostRequest;
  EXPECT_EQ(api->put("b", "1", kCall).error().outcome, Outcome::kMayHaveHappened);
  EXPECT_EQ(api->range("b", "", false, 0, kCall)->count, 0);
  lab.fault = CallFault::kRefused;
  EXPECT_EQ(api->put("b", "1", kCall).error().outcome, Outcome::kRefused);
}

TEST(FakeApi, AOneWayCutLosesTheRequestOrTheAnswer) {
  Lab lab;
  lab.form(3);
  const auto api = lab.api(0);
  ASSERT_TRUE(api->status(kCall));
  lab.etcd().cut(0, -1, lab.now());
  EXPECT_EQ(api->put("a", "1", kCall).error().outcome, Outcome::kMayHaveHappened);
  EXPECT_EQ(lab.api(0)->put("b", "1", kCall).error().outcome, Outcome::kRefused);
  lab.etcd().heal(0, -1, lab.now());
  EXPECT_EQ(api->range("a", "", false, 0, kCall)->count, 1);
}

TEST(FakeApi, ACallThatWaitsIsAnsweredWhenThereIsALeader) {
  Lab lab;
  lab.form(3);
  const int old = lab.leader(), next = (old + 1) % 3;
  lab.kill(old);
  // The leader is believed in for a while, and what is sent to it is lost.
  const auto lost = lab.api(next)->put("a", "1", kCall);
  EXPECT_EQ(lost.error().error.message, "context deadline exceeded");
  const auto read = lab.api(next)->quorum_read(kCall);
  EXPECT_TRUE(read) << read.error().text();
}

TEST(FakeApi, ASmallQuotaOfOneMemberStopsAll) {
  Lab lab;
  for (int i = 0; i < 3; ++i) {
    Args a = Lab::args(i, 3);
    if (i == 2) a.quota = 400'000;
    lab.launch(a, {});
  }
  lab.advance(base::Duration(10'000));
  const auto api = lab.api(0);
  etcd::Change<std::int64_t> put = 0;
  for (int i = 0; i < 9 && put; ++i) put = api->put("k", std::string(100'000, 'x'), kCall);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().error.code, Code::kResourceExhausted);
  const auto alarms = api->alarms(kCall);
  ASSERT_EQ(alarms->size(), 1U);
  EXPECT_EQ(alarms->at(0).member, lab.id(2));
  // Too early: the file is as large as before.
  ASSERT_TRUE(api->compact(*api->quorum_read(kCall), true, kCall));
  ASSERT_TRUE(api->disarm(lab.id(2), etcd::AlarmKind::kNoSpace, kCall));
  static_cast<void>(api->put("k", "x", kCall));
  EXPECT_EQ(api->alarms(kCall)->size(), 1U);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(lab.api(i)->defragment(kCall));
  ASSERT_TRUE(api->disarm(lab.id(2), etcd::AlarmKind::kNoSpace, kCall));
  EXPECT_TRUE(api->put("k", "x", kCall));
  EXPECT_TRUE(api->alarms(kCall)->empty());
}

TEST(FakeApi, CorruptionIsFoundByACheckAndStopsWrites) {
  Lab lab;
  for (int i = 0; i < 3; ++i) {
    Args a = Lab::args(i, 3);
    a.compact_check = base::Duration(2000);
    lab.launch(a, {});
  }
  lab.advance(base::Duration(10'000));
  ASSERT_TRUE(lab.api(0)->put("a", "1", kCall));
  lab.etcd().corrupt(lab.at(1).pid, 5, lab.now());
  lab.advance(base::Duration(10'000));
  EXPECT_TRUE(lab.api(0)->alarms(kCall)->empty());
  ASSERT_TRUE(lab.api(0)->compact(2, true, kCall));
  lab.advance(base::Duration(10'000));
  ASSERT_EQ(lab.api(0)->alarms(kCall)->size(), 1U);
  EXPECT_EQ(lab.api(0)->alarms(kCall)->at(0).member, lab.id(1));
  EXPECT_EQ(lab.api(0)->put("a", "2", kCall).error().error.code, Code::kDataLoss);
}

TEST(FakeApi, ADowngradeOfTheClusterVersionAndBack) {
  Lab lab;
  lab.form(3);
  const auto api = lab.api(0);
  using enum etcd::DowngradeAction;
  ASSERT_TRUE(api->downgrade(kEnable, "3.5", kCall));
  EXPECT_EQ(api->downgrade(kEnable, "3.5", kCall).error().error.message,
            "etcdserver: cluster has a downgrade job in progress");
  lab.advance(base::Duration(5000));
  EXPECT_EQ(api->status(kCall)->storage_version, "3.5.0");
  for (int i = 0; i < 3; ++i) {
    Dir dir = lab.kill(i);
    lab.launch(Lab::args(i, 3, "3.5.33"), std::move(dir));
    lab.advance(base::Duration(10'000));
    ASSERT_TRUE(lab.at(i).ready);
  }
  EXPECT_EQ(lab.at(0).state().cluster_minor, 5);
}

TEST(FakeApi, CertificatesAreLookedAtInTheHandshakeOnly) {
  Lab lab;
  Args a = Lab::args(0, 1);
  a.tls.client = {true, {1, at_seconds(-1), at_seconds(50), "server"}, {1}};
  lab.launch(a, {});
  lab.advance(base::Duration(10'000));
  const Client good{-1, {true, {1, at_seconds(-1), at_seconds(500), "root"}, {1}}};
  const auto api = lab.api(0, good);
  ASSERT_TRUE(api->put("a", "1", kCall));
  Client stranger = good;
  stranger.tls.leaf.ca = 2;
  EXPECT_EQ(lab.api(0, stranger)->put("a", "1", kCall).error().outcome, Outcome::kMayHaveHappened);
  Client distrusts = good;
  distrusts.tls.trusted = {2};
  EXPECT_EQ(lab.api(0, distrusts)->put("a", "1", kCall).error().outcome, Outcome::kRefused);
  EXPECT_FALSE(lab.api(0)->status(kCall));
  lab.advance(base::Duration(60'000));
  EXPECT_TRUE(api->put("a", "2", kCall));
  EXPECT_FALSE(lab.api(0, good)->put("a", "2", kCall));
}

TEST(FakeApi, WithAuthOnOnlyRootMayDoMost) {
  Lab lab;
  Args a = Lab::args(0, 1);
  a.tls.client = {true, {1, at_seconds(-1), at_seconds(500), "server"}, {1}};
  lab.launch(a, {});
  lab.advance(base::Duration(10'000));
  ASSERT_TRUE(lab.etcd().set_auth(lab.at(0).pid, true, lab.now()));
  Client who{-1, {true, {1, at_seconds(-1), at_seconds(500), "nobody"}, {1}}};
  EXPECT_TRUE(lab.api(0, who)->status(kCall));
  EXPECT_TRUE(lab.api(0, who)->member_list(true, kCall));
  EXPECT_TRUE(lab.api(0, who)->alarms(kCall));
  EXPECT_EQ(lab.api(0, who)->hash_kv(0, kCall).error().code, Code::kPermissionDenied);
  EXPECT_EQ(lab.api(0, who)->put("a", "1", kCall).error().error.code, Code::kPermissionDenied);
  who.tls.leaf.name = "root";
  EXPECT_TRUE(lab.api(0, who)->hash_kv(0, kCall));
  EXPECT_TRUE(lab.api(0, who)->put("a", "1", kCall));
}

TEST(FakeApi, ASnapshotEndsWithItsDigestAndCanBeStopped) {
  Lab lab;
  lab.form(1);
  std::string bytes;
  ASSERT_TRUE(lab.api(0)->snapshot(
      [&](std::string_view part) {
        bytes += part;
        return true;
      },
      kCall));
  EXPECT_EQ(bytes.size() % 512, 32U);
  EXPECT_EQ(lab.api(0)->snapshot([](std::string_view) { return false; }, kCall).error().code,
            Code::kCancelled);
}

}  // namespace
}  // namespace sim
