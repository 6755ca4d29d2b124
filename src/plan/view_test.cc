#include "plan/view.h"

#include <gtest/gtest.h>

namespace plan {
namespace {

using std::chrono_literals::operator""s;

TEST(View, ComparesPeersByHostAndPort) {
  EXPECT_TRUE(same_peer("http://127.0.0.1:2380", "https://127.0.0.1:2380/"));
  EXPECT_FALSE(same_peer("https://127.0.0.1:2380", "https://127.0.0.1:2381"));
  EXPECT_FALSE(same_peer("", ""));
}

struct One {
  Intent intent;
  Record record;
  Observation seen;
  base::Instant now{base::Duration(1'000'000'000)};

  One() {
    record.formation = Formation::kLatched;
    record.cluster_id = base::ClusterId{1};
    for (const unsigned i : {0U, 1U}) {
      MemberRecord m;
      m.name = i == 0 ? "c-0" : "c-1";
      m.id = base::MemberId{0xa0U + i};
      m.phase = Phase::kVoter;
      m.may_start = true;
      record.members[m.name] = m;
    }
    record.last_quorum_read = now - 1s;
  }
  void look(std::uint64_t term, std::uint64_t leader_applied, std::uint64_t follower_applied) {
    Membership list{record.cluster_id, {}};
    for (const auto& [name, m] : record.members) {
      list.members.push_back({m.id, name, "https://" + name, true, false});
      EtcdStatus s;
      s.cluster_id = record.cluster_id;
      s.leader = base::MemberId{0xa0};
      s.raft_term = term;
      s.raft_applied = name == "c-0" ? leader_applied : follower_applied;
      seen.statuses[m.id] = s;
    }
    seen.membership = list;
    now += 1s;
    record = remember(record, intent, seen, now);
  }
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> audited(const std::string& name) const {
    const MemberRecord& m = record.members.at(name);
    return {m.audited_term, m.audited_index};
  }
};

using Pair = std::pair<std::uint64_t, std::uint64_t>;

TEST(Remember, AuditsALogOneLookAfterItWasSeen) {
  One one;
  one.look(3, 100, 90);
  EXPECT_EQ(Pair(0, 0), one.audited("c-0"));
  one.look(3, 120, 118);
  EXPECT_EQ(Pair(3, 100), one.audited("c-0"));
  EXPECT_EQ(Pair(0, 0), one.audited("c-1"));  // its first pair was not proven: it lagged
  one.look(3, 140, 139);
  EXPECT_EQ(Pair(3, 118), one.audited("c-1"));
}

TEST(Remember, ANewTermIsNotTakenForALogThatLagsBehindIt) {
  One one;
  one.look(3, 100, 100);
  one.look(3, 110, 110);
  one.look(3, 120, 120);
  const Pair before = one.audited("c-1");
  one.look(4, 121, 110);  // it knows the new term, and its log does not reach into it
  one.look(4, 130, 112);
  one.look(4, 140, 115);
  EXPECT_LE(before, one.audited("c-1"));
  EXPECT_EQ(3U, one.audited("c-1").first);
}

TEST(Remember, AuditsNeverFall) {
  One one;
  Pair last{0, 0};
  for (const std::uint64_t applied : {50U, 100U, 40U, 120U, 10U, 130U, 131U}) {
    one.look(3, applied, applied);
    EXPECT_GE(one.audited("c-0"), last);
    last = one.audited("c-0");
  }
}

// What is committed stays, and what a guard noted is on the disk: one look is enough.
TEST(Remember, AuditsWhatAGuardNotedAsCommittedAtOnce) {
  One one;
  const auto note = [&](Data data, std::uint64_t commit) {
    MemberFacts facts;
    facts.process = Process::kStopped;
    facts.data = data;
    facts.log_commit = commit;
    one.seen.members["c-0"] = facts;
    one.record = remember(one.record, one.intent, one.seen, one.now);
    return one.record.members.at("c-0").audited_index;
  };
  MemberRecord& member = one.record.members.at("c-0");
  member.permit = Permit::kBootstrap;
  EXPECT_EQ(note(Data::kOwn, 70), 0U) << "its data does not count yet";
  one.record.members.at("c-0").permit = Permit::kData;
  EXPECT_EQ(note(Data::kOwn, 80), 80U);
  EXPECT_EQ(note(Data::kOwn, 60), 80U) << "it never falls";
  EXPECT_EQ(note(Data::kForeign, 90), 80U) << "nor does another volume count";
  one.seen.members.clear();
  one.look(9, 50, 50);
  one.look(9, 60, 60);
  EXPECT_EQ(one.audited("c-0"), Pair(9, 80)) << "nor by a status of a later term";
}

// S3: two volumes that began under one ticket have the same ids; only one is the cluster's.
TEST(Remember, TheVolumeIsFixedWhenItsDataCounts) {
  One one;
  MemberRecord& member = one.record.members.at("c-0");
  const auto origin = [&](const std::string& on, Process process) {
    MemberFacts facts;
    facts.process = process;
    facts.origin = on;
    one.seen.members["c-0"] = facts;
    one.look(3, 100, 100);
    return one.record.members.at("c-0").origin;
  };
  one.record.formation = Formation::kForming;
  member.phase = Phase::kForming;
  member.permit = Permit::kBootstrap;
  EXPECT_EQ(origin("first", Process::kStopped), "");  // nothing runs on it
  EXPECT_EQ(origin("first", Process::kRunning), "first");
  EXPECT_EQ(origin("second", Process::kRunning), "second");
  one.record.members.at("c-0").permit = Permit::kData;
  EXPECT_EQ(origin("first", Process::kRunning), "second");
}

TEST(Remember, CountsHowLongAMemberIsAwayOnlyWhileSomebodyLooks) {
  One one;
  one.look(3, 100, 100);
  one.seen.statuses[base::MemberId{0xa1}] = base::Fact<EtcdStatus>::unknown("refused");
  one.now += 1s;
  one.record = remember(one.record, one.intent, one.seen, one.now);
  const auto since = one.record.members.at("c-1").unreachable_since;
  ASSERT_TRUE(since.has_value());
  one.now += 10s;
  one.record = remember(one.record, one.intent, one.seen, one.now);
  EXPECT_EQ(since, one.record.members.at("c-1").unreachable_since);
  one.now += 3600s;  // nobody looked for an hour
  one.record = remember(one.record, one.intent, one.seen, one.now);
  EXPECT_EQ(one.now, one.record.members.at("c-1").unreachable_since);
}

TEST(Remember, KnowsSinceWhenTheQuorumIsMissing) {
  One one;
  one.look(3, 100, 100);
  one.seen.membership = base::Fact<Membership>::unknown("request timed out");
  one.now += 1s;
  one.record = remember(one.record, one.intent, one.seen, one.now);
  EXPECT_EQ(one.now, one.record.quorum_lost_since);
  one.record = remember(one.record, one.intent, one.seen, one.now + 5s);
  EXPECT_EQ(one.now, one.record.quorum_lost_since);
  one.look(3, 110, 110);
  EXPECT_FALSE(one.record.quorum_lost_since.has_value());
  one.intent.stop = true;  // missing on purpose
  one.seen.membership = base::Fact<Membership>::unknown("request timed out");
  one.record = remember(one.record, one.intent, one.seen, one.now);
  EXPECT_FALSE(one.record.quorum_lost_since.has_value());
}

}  // namespace
}  // namespace plan
