#include "sim/world/etcd_log.h"

#include <gtest/gtest.h>

namespace sim {
namespace {

const base::MemberId kA{1}, kB{2}, kC{3};

etcd::Member founder(base::MemberId id) {
  const auto name = "m" + std::to_string(id.value);
  return {id, name, {"http://" + name + ":2380"}, {}, false};
}

Log three() {
  return boot({founder(kB), founder(kA), founder(kC)}, {9});
}

Log put(const Log& log, std::uint64_t term, const std::string& key, const std::string& value) {
  return append(log, term, {.kind = OpKind::kPut, .text = key, .more = value}, 5);
}

TEST(Log, TheFoundersAreOneEntryOfAsManyIndexes) {
  const Log log = three();
  EXPECT_EQ(log->index, 3U);
  EXPECT_EQ(log->term, 1U);
  EXPECT_EQ(state_of(log).membership->members[0].id, kA);
  EXPECT_EQ(state_of(log).membership->voters(), 3U);
  EXPECT_EQ(state_of(log).revision, 1);
  EXPECT_EQ(three()->id, log->id);
  EXPECT_NE(boot({founder(kA)}, {9})->id, log->id);
}

TEST(Log, EqualHistoriesHaveEqualIdsAndDigests) {
  const Log one = put(put(three(), 2, "a", "1"), 2, "b", "2");
  const Log same = put(put(three(), 2, "a", "1"), 2, "b", "2");
  const Log other = put(put(three(), 2, "a", "x"), 2, "b", "2");
  EXPECT_EQ(one->id, same->id);
  EXPECT_EQ(one->state->digest(), same->state->digest());
  EXPECT_NE(one->id, other->id);
  EXPECT_NE(one->state->digest(), other->state->digest());
  EXPECT_EQ(one->state->revision, 3);
  EXPECT_TRUE(holds(one, one->parent));
  EXPECT_TRUE(holds(one, same));
  EXPECT_FALSE(holds(one, other->parent));
  EXPECT_FALSE(holds(one->parent, one));
  EXPECT_EQ(at(one, 4), one->parent);
  EXPECT_EQ(at(one, 2), nullptr);
}

TEST(Log, MembershipChangesAreRefusedInEtcdsWords) {
  Log log = three();
  const auto change = [&](Op op) {
    log = append(log, 2, op, 6);
    return log->refusal.text;
  };
  EXPECT_EQ(change({.kind = OpKind::kAdd, .member = {7}, .text = "http://m1:2380"}),
            "etcdserver: Peer URLs already exists");
  EXPECT_EQ(change({.kind = OpKind::kAdd, .member = {7}, .text = "http://x:1", .learner = true}),
            "");
  EXPECT_EQ(change({.kind = OpKind::kAdd, .member = {8}, .text = "http://y:1", .learner = true}),
            "etcdserver: too many learner members in cluster");
  EXPECT_EQ(change({.kind = OpKind::kPromote, .member = kA}),
            "etcdserver: can only promote a learner member");
  EXPECT_EQ(state_of(log).membership->voters(), 3U);
  EXPECT_EQ(change({.kind = OpKind::kPromote, .member = {7}}), "");
  EXPECT_EQ(state_of(log).membership->voters(), 4U);
  EXPECT_EQ(change({.kind = OpKind::kRemove, .member = kB}), "");
  EXPECT_EQ(change({.kind = OpKind::kRemove, .member = kB}), "etcdserver: member not found");
  EXPECT_TRUE(state_of(log).membership->was_removed(kB));
  EXPECT_EQ(change({.kind = OpKind::kUpdate, .member = kC, .text = "http://m1:2380"}),
            "etcdserver: Peer URLs already exists");
  EXPECT_EQ(change({.kind = OpKind::kUpdate, .member = kC, .text = "http://z:1"}), "");
  EXPECT_EQ(state_of(log).membership->find(kC)->peer_urls[0], "http://z:1");
}

TEST(Log, AlarmsStopWritesAndCompactionFreesWhatWasOverwritten) {
  Log log = put(put(three(), 2, "a", std::string(1000, 'x')), 2, "a", "1");
  const auto before = log->state->live_bytes;
  log = append(log, 2, {.kind = OpKind::kCompact, .number = 3}, 6);
  EXPECT_EQ(log->state->compacted, 3);
  EXPECT_LT(log->state->live_bytes, before - 999);
  EXPECT_EQ(append(log, 2, {.kind = OpKind::kCompact, .number = 3}, 6)->refusal.code,
            etcd::GrpcCode::kOutOfRange);
  log = append(log, 2, {.kind = OpKind::kRaise, .alarm = etcd::AlarmKind::kNoSpace}, 6);
  EXPECT_EQ(put(log, 2, "b", "")->refusal.text, "etcdserver: mvcc: database space exceeded");
  log = append(log, 2, {.kind = OpKind::kDisarm, .alarm = etcd::AlarmKind::kNoSpace}, 6);
  EXPECT_EQ(put(log, 2, "b", "")->refusal.text, "");
}

TEST(Log, AFollowerDropsWhatItsLeaderDoesNotHave) {
  const Log base = put(three(), 2, "a", "1");
  const Log mine = put(put(base, 2, "lost", "1"), 2, "lost", "2");
  const Log theirs = put(append(base, 3, {}, 6), 3, "b", "1");
  EXPECT_EQ(follow(mine, theirs, 6), theirs);
  EXPECT_EQ(follow(base, theirs, 6), theirs);
  EXPECT_EQ(follow(nullptr, theirs, 6), theirs);
}

// Two clusters made twice of one token: entries of one term and index, but not of one content.
TEST(Log, ATwinsEntriesOfTheSameTermAreTakenForItsOwn) {
  const Log mine = put(three(), 2, "old", "1");
  const Log twin = put(put(three(), 2, "new", "1"), 2, "c", "1");
  const Log result = follow(mine, twin, 6);
  EXPECT_EQ(result->index, twin->index);
  EXPECT_EQ(result->term, twin->term);
  EXPECT_NE(result->id, twin->id);
  EXPECT_TRUE(holds(result, mine));
  EXPECT_NE(result->state->digest(), twin->state->digest());
}

TEST(Log, ALongLogIsFreedWithoutAStack) {
  Log log = three();
  for (int i = 0; i < 200'000; ++i) log = put(log, 2, "k", "v");
  EXPECT_EQ(log->index, 200'003U);
  log.reset();
}

TEST(Log, WhatThreeSixWritesBesideThreeFiveIsInTheOldForm) {
  Log log = append(three(), 2, {.kind = OpKind::kClusterVersion, .number = 5}, 5);
  EXPECT_EQ(log->old_form, 4U);
  log = append(log, 2, {.kind = OpKind::kPublish, .member = kA, .text = "m1"}, 6);
  EXPECT_EQ(log->old_form, 5U);
  log = append(log, 2, {.kind = OpKind::kClusterVersion, .number = 6}, 6);
  EXPECT_EQ(log->old_form, 6U);
  log = append(log, 2, {.kind = OpKind::kPublish, .member = kA, .text = "m1"}, 6);
  EXPECT_EQ(log->old_form, 6U);
}

TEST(Log, WhatThreeSixWritesAloneIsNot) {
  Log log = append(three(), 2, {.kind = OpKind::kPublish, .member = kA, .text = "m1"}, 6);
  log = append(log, 2, {.kind = OpKind::kClusterVersion, .number = 6}, 6);
  EXPECT_EQ(log->old_form, 0U);
}

}  // namespace
}  // namespace sim
