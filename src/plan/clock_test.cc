#include "plan/clock.h"

#include <gtest/gtest.h>

#include <chrono>

namespace plan {
namespace {

using namespace std::chrono_literals;

const base::Instant kNow{std::chrono::days(20'000)};
const base::Instant kAhead = kNow + 2h;

// As an operator left it whose clock was two hours ahead.
Record ahead() {
  Record r;
  r.members["c-0"].started_at = kAhead;
  r.members["c-0"].unreachable_since = kAhead;
  r.quorum_lost_since = kAhead;
  r.last_quorum_read = kAhead;
  r.last_defragmented["c-0"] = kAhead;
  r.rotation.since = kAhead;
  r.operation.emplace();
  r.operation->started_at = kAhead;
  r.operation->deadline = kAhead + 10min;
  r.recovery.emplace();
  r.recovery->chosen_at = r.recovery->looked_at = kAhead;
  r.backup.failed_at = r.drill.failed_at = r.restore.failed_at = kAhead;
  r.backup.last_success = r.drill.proven_at = kAhead;
  r.bootstrapped_at = kNow - 24h;
  return r;
}

TEST(Clock, NothingIsCountedFromATimeThatIsStillToCome) {
  Record r = ahead();
  forget_the_future(r, kNow);
  EXPECT_EQ(r.members["c-0"].started_at, kNow);
  EXPECT_EQ(r.members["c-0"].unreachable_since, kNow);
  EXPECT_EQ(r.quorum_lost_since, kNow);
  EXPECT_EQ(r.last_defragmented["c-0"], kNow);
  EXPECT_EQ(r.rotation.since, kNow);
  EXPECT_EQ(r.recovery->chosen_at, kNow);
  EXPECT_EQ(r.recovery->looked_at, kNow);
  EXPECT_EQ(r.backup.failed_at, kNow);
  EXPECT_EQ(r.drill.failed_at, kNow);
  EXPECT_EQ(r.restore.failed_at, kNow);
  EXPECT_LT(*r.backup.last_success, kNow);
  EXPECT_LT(*r.drill.proven_at, kNow);
}

TEST(Clock, AnOperationKeepsTheTimeThatItWasGiven) {
  Record r = ahead();
  forget_the_future(r, kNow);
  EXPECT_EQ(r.operation->started_at, kNow);
  EXPECT_EQ(r.operation->deadline, kNow + 10min);
}

TEST(Clock, AQuorumReadThatIsStillToComeIsAsOldAsTheCluster) {
  Record r = ahead();
  forget_the_future(r, kNow);
  EXPECT_EQ(r.last_quorum_read, kNow - 24h);
  r = ahead();
  r.bootstrapped_at = kAhead;
  forget_the_future(r, kNow);
  EXPECT_EQ(r.last_quorum_read, base::Instant{});
}

TEST(Clock, WhatIsPastStaysAsItIs) {
  const Record before = ahead();
  Record r = before;
  forget_the_future(r, kAhead);
  EXPECT_EQ(r, before);
}

TEST(Clock, AnActThatIsStillToComeWasLongAgo) {
  Observation seen;
  EXPECT_FALSE(without_the_future(seen, kNow));
  seen.last = LastAct{"StartMember", Outcome::kRefused, "no", kNow, 3};
  EXPECT_FALSE(without_the_future(seen, kNow));
  seen.last->at = kAhead;
  const auto mended = without_the_future(seen, kNow);
  ASSERT_TRUE(mended);
  EXPECT_LT(mended->last->at, kNow - 24h);
  EXPECT_EQ(mended->last->failures, 3U);
}

}  // namespace
}  // namespace plan
