#include "drivers/live/member_facts.h"

#include <gtest/gtest.h>

namespace live {
namespace {

using plan::Data;
using plan::Process;

plan::MemberRecord member() {
  plan::MemberRecord m;
  m.name = "c-0";
  m.volume = "vol";
  return m;
}

// A member that ran and was stopped.
Found stopped() {
  Found f;
  f.alive = false;
  f.directory = f.data = true;
  f.state = base::Fact<guard::State>::absent();
  f.verdict = base::Fact<guard::Verdict>::absent();
  guard::Marker marker;
  marker.member_name = "c-0";
  marker.volume_id = "vol";
  marker.started = true;
  marker.last_term = 2;
  marker.last_index = 9;
  marker.commit = 8;
  f.marker = marker;
  f.ticket = base::Fact<guard::Ticket>::absent();
  return f;
}

guard::Verdict verdict(guard::Class klass) {
  guard::Verdict v;
  v.klass = klass;
  v.signature = "words";
  return v;
}

plan::MemberFacts facts(const Found& found) {
  return judge(found, member(), "boot");
}

TEST(MemberFacts, AStoppedMemberHasItsOwnDataAndItsLogsEnd) {
  const auto f = facts(stopped());
  EXPECT_TRUE(f.process == Process::kStopped);
  EXPECT_TRUE(f.data == Data::kOwn);
  EXPECT_EQ(f.log_term, 2U);
  EXPECT_EQ(f.log_index, 9U);
  EXPECT_EQ(f.log_commit, 8U);
  EXPECT_TRUE(f.ticket.is_absent());
  EXPECT_FALSE(f.ended);
}

TEST(MemberFacts, AnotherVolumeThatBeganUnderTheSameTicketIsForeign) {
  Found found = stopped();
  guard::Marker marker = *found.marker;
  marker.origin = "first";
  found.marker = marker;
  EXPECT_EQ(facts(found).origin, "first");
  plan::MemberRecord m = member();
  m.permit = plan::Permit::kData;
  m.origin = "second";
  EXPECT_TRUE(judge(found, m, "boot").data == Data::kForeign);
  m.origin = "first";
  EXPECT_TRUE(judge(found, m, "boot").data == Data::kOwn);
}

TEST(MemberFacts, BlankIsSaidOnlyWhereEtcdRan) {
  Found found = stopped();
  found.data = false;
  EXPECT_TRUE(facts(found).data == Data::kBlank);
  guard::Marker marker = *found.marker;
  marker.started = false;
  found.marker = marker;
  EXPECT_TRUE(facts(found).data == Data::kNoMarker);
  found.marker = base::Fact<guard::Marker>::absent();
  EXPECT_TRUE(facts(found).data == Data::kNoMarker);
  found.directory = false;
  EXPECT_TRUE(facts(found).data.is_absent());
}

TEST(MemberFacts, WhatCannotBeReadIsUnknown) {
  Found found = stopped();
  found.marker = base::Fact<guard::Marker>::unknown("torn");
  EXPECT_EQ(facts(found).data.why(), "torn");
  found = stopped();
  found.data = base::Fact<bool>::unknown("an I/O error");
  EXPECT_EQ(facts(found).data.why(), "an I/O error");
  found = stopped();
  found.alive = base::Fact<bool>::unknown("no permission");
  EXPECT_TRUE(facts(found).process.is_unknown());
}

TEST(MemberFacts, TheGuardsVerdictTellsWhatIsWrongWithData) {
  Found found = stopped();
  for (const auto& [klass, data] : {std::pair{guard::Class::kDataLost, Data::kOlder},
                                    std::pair{guard::Class::kDataCorrupt, Data::kCorrupt},
                                    std::pair{guard::Class::kForeign, Data::kForeign},
                                    std::pair{guard::Class::kRetry, Data::kOwn}}) {
    found.verdict = verdict(klass);
    const auto f = facts(found);
    EXPECT_TRUE(f.data == data) << guard::name_of(klass);
    ASSERT_TRUE(f.ended);
    EXPECT_EQ(f.ended->text, "words");
  }
  guard::Marker marker = *found.marker;
  marker.volume_id = "another";
  found.marker = marker;
  EXPECT_TRUE(facts(found).data == Data::kForeign);
  EXPECT_EQ(facts(found).log_index, 0U) << "another volume's notes";
  EXPECT_EQ(facts(found).log_commit, 0U);
}

TEST(MemberFacts, AStateOfAnEarlierBootSaysNothing) {
  Found found = stopped();
  found.alive = true;
  EXPECT_TRUE(facts(found).process == Process::kStarting) << "no state was written yet";
  guard::State state;
  state.phase = guard::Phase::kRunning;
  state.boot_id = "boot";
  state.version = "3.5.12";
  found.state = state;
  EXPECT_TRUE(facts(found).process == Process::kRunning);
  EXPECT_EQ(facts(found).version, "3.5.12");
  EXPECT_TRUE(facts(found).data == Data::kOwn) << "etcd runs on it";
  state.boot_id = "earlier";
  found.state = state;
  EXPECT_TRUE(facts(found).process == Process::kStarting);
  EXPECT_EQ(facts(found).version, "");
  state.boot_id = "boot";
  state.phase = guard::Phase::kEnded;
  found.state = state;
  EXPECT_TRUE(facts(found).process.is_unknown());
}

}  // namespace
}  // namespace live
