// What the engine and the planner rely on, for every driver. A platform gives a Bench:
//   engine::Driver& driver();          of one cluster, fresh
//   void reopen();                     as after a restart of the operator
//   plan::Intent& intent();            one member of a version that is present
//   void tear_record();                the stored record is cut in the middle
//   void forbid_writes(bool on);       the place of the record takes no more bytes
//   std::vector<std::string> left();   what remains of members that were put aside
//   void let_pass(base::Duration d);   time passes: the machine's, or a world's own
// and instantiates: INSTANTIATE_TYPED_TEST_SUITE_P(Host, DriverConformance, HostBench);
#pragma once

#include <gtest/gtest.h>

#include <functional>

#include "engine/driver.h"
#include "engine/record_codec.h"

namespace conformance {

template <class Bench>
class DriverConformance : public ::testing::Test {
 protected:
  using Outcome = plan::Outcome;

  plan::Record one_member(const plan::Observation& seen) {
    plan::Record r;
    r.key = bench_.intent().cluster.key;
    r.incarnation = seen.fresh_incarnation;
    r.token = r.key.name + "-" + r.incarnation;
    r.formation = plan::Formation::kForming;
    r.size = 1;
    r.version = bench_.intent().cluster.spec.version;
    r.next_ordinal = 1;
    plan::MemberRecord m;
    m.name = r.key.name + "-0";
    m.addresses = seen.addresses.at(0);
    m.volume = seen.fresh_volumes.at(0);
    m.incarnation = r.incarnation;
    m.version = r.version;
    r.members[m.name] = m;
    return r;
  }
  std::string first() { return bench_.intent().cluster.key.name + "-0"; }

  engine::ApplyResult apply(const plan::Action& action, const plan::Record& record) {
    return bench_.driver().apply({action, plan::Reason::kBootstrap}, {bench_.intent(), record}, {});
  }
  Outcome outcome(const plan::Action& action, const plan::Record& record) {
    const auto result = apply(action, record);
    EXPECT_TRUE(result.outcome == Outcome::kDone || !result.text.empty()) << "it says no reason";
    return result.outcome;
  }
  plan::Observation look(const plan::Record& record) {
    return bench_.driver().observe({bench_.intent(), record}, false, {});
  }
  // Looks until `reached`; the last look either way.
  plan::Observation look_until(const plan::Record& record,
                               const std::function<bool(const plan::Observation&)>& reached) {
    constexpr base::Duration kPause{50}, kLimit{60'000};
    for (base::Duration waited{0};; waited += kPause) {
      auto seen = look(record);
      if (reached(seen)) return seen;
      if (waited >= kLimit) {
        ADD_FAILURE() << "not reached";
        return seen;
      }
      bench_.let_pass(kPause);
    }
  }
  // A cluster of one that serves.
  plan::Record running() {
    plan::Record record = one_member(look({}));
    record.members.at(first()).may_start = true;
    EXPECT_TRUE(bench_.driver().save_record(record));
    EXPECT_EQ(outcome(plan::PrepareMember{first()}, record), Outcome::kDone);
    EXPECT_EQ(outcome(plan::StartMember{first()}, record), Outcome::kDone);
    const auto seen = look_until(record, [](const auto& s) {
      return s.membership.known() && s.membership->members.size() == 1 &&
             s.membership->members[0].started;
    });
    if (!seen.membership.known()) return record;
    record.cluster_id = seen.membership->cluster_id;
    auto& member = record.members.at(first());
    member.id = seen.membership->members[0].id;
    member.phase = plan::Phase::kVoter;
    member.permit = plan::Permit::kData;
    record.formation = plan::Formation::kLatched;
    EXPECT_TRUE(bench_.driver().save_record(record));
    EXPECT_EQ(outcome(plan::WriteTicket{first()}, record), Outcome::kDone);
    return record;
  }

  Bench bench_;
};

TYPED_TEST_SUITE_P(DriverConformance);

TYPED_TEST_P(DriverConformance, NothingStoredIsNoRecord) {
  const auto loaded = this->bench_.driver().load_record();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->state, plan::RecordState::kNone);
}

TYPED_TEST_P(DriverConformance, ARecordComesBackAlsoAfterARestart) {
  plan::Record record = this->one_member(this->look({}));
  record.epoch = 7;
  ASSERT_TRUE(this->bench_.driver().save_record(record));
  this->bench_.reopen();
  const auto loaded = this->bench_.driver().load_record();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->state, plan::RecordState::kOk);
  EXPECT_EQ(engine::encode_record(loaded->record), engine::encode_record(record));
}

TYPED_TEST_P(DriverConformance, ATornRecordIsSaidToBeTorn) {
  ASSERT_TRUE(this->bench_.driver().save_record(this->one_member(this->look({}))));
  this->bench_.tear_record();
  const auto loaded = this->bench_.driver().load_record();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->state, plan::RecordState::kTorn);
  EXPECT_FALSE(loaded->problem.empty());
}

TYPED_TEST_P(DriverConformance, AFailedSaveKeepsTheOldRecord) {
  plan::Record record = this->one_member(this->look({}));
  ASSERT_TRUE(this->bench_.driver().save_record(record));
  const std::string before = engine::encode_record(record);
  record.epoch = 9;
  this->bench_.forbid_writes(true);
  const auto saved = this->bench_.driver().save_record(record);
  this->bench_.forbid_writes(false);
  EXPECT_FALSE(saved);
  const auto loaded = this->bench_.driver().load_record();
  ASSERT_TRUE(loaded);
  EXPECT_EQ(engine::encode_record(loaded->record), before);
}

TYPED_TEST_P(DriverConformance, ALookAtNothingClaimsNothingAndOffersFreshNames) {
  const auto seen = this->look({});
  EXPECT_TRUE(seen.membership.is_unknown()) << "nobody answered: unknown, not absent";
  EXPECT_TRUE(seen.quorum_read.is_unknown());
  EXPECT_TRUE(seen.stray_data == std::vector<std::string>{});
  ASSERT_FALSE(seen.addresses.empty());
  ASSERT_FALSE(seen.fresh_volumes.empty());
  const auto again = this->look({});
  EXPECT_NE(seen.fresh_incarnation, again.fresh_incarnation);
  EXPECT_NE(seen.fresh_operation, again.fresh_operation);
  EXPECT_NE(seen.fresh_volumes, again.fresh_volumes);
  EXPECT_TRUE(seen.addresses == again.addresses) << "addresses stay while they are free";
}

TYPED_TEST_P(DriverConformance, PreparingTwiceIsAsOnceAndClaimsNoData) {
  const plan::Record record = this->one_member(this->look({}));
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(this->outcome(plan::PrepareMember{this->first()}, record), plan::Outcome::kDone);
  const auto facts = this->look(record).members.at(this->first());
  EXPECT_TRUE(facts.process == plan::Process::kStopped);
  EXPECT_FALSE(facts.data == plan::Data::kOwn);
  EXPECT_FALSE(facts.data == plan::Data::kBlank) << "blank is a proof, and nobody has looked";
  EXPECT_TRUE(facts.ticket.is_absent());
}

TYPED_TEST_P(DriverConformance, OnlyWhatTheRecordAllowsIsStarted) {
  plan::Record record = this->one_member(this->look({}));
  EXPECT_EQ(this->outcome(plan::StartMember{this->first()}, record), plan::Outcome::kRefused);
  EXPECT_EQ(this->outcome(plan::StartMember{"stranger"}, record), plan::Outcome::kRefused);
  EXPECT_TRUE(this->look(record).members.at(this->first()).process == plan::Process::kStopped);
}

TYPED_TEST_P(DriverConformance, WithoutAClusterItsCallsAreRefused) {
  const plan::Record record = this->one_member(this->look({}));
  const base::MemberId id{1};
  const std::string url = record.members.at(this->first()).addresses.peer_url;
  for (const plan::Action& action : std::vector<plan::Action>{
           plan::AddLearner{this->first(), url}, plan::PromoteMember{this->first(), id},
           plan::RemoveMember{this->first(), id}, plan::MoveLeader{id, {2}}, plan::Compact{1},
           plan::DisarmAlarm{id, plan::AlarmKind::kNoSpace}})
    EXPECT_EQ(this->outcome(action, record), plan::Outcome::kRefused) << plan::to_text(action);
}

TYPED_TEST_P(DriverConformance, AStartedMemberRunsOnceAndStopsWhenAsked) {
  const plan::Record record = this->running();
  EXPECT_EQ(this->outcome(plan::StartMember{this->first()}, record), plan::Outcome::kDone);
  auto facts = this->look(record).members.at(this->first());
  EXPECT_TRUE(facts.process == plan::Process::kRunning);
  EXPECT_TRUE(facts.data == plan::Data::kOwn);
  EXPECT_TRUE(facts.ticket == plan::Permit::kData);
  EXPECT_EQ(facts.version, record.version.text());
  EXPECT_EQ(this->outcome(plan::PutAside{this->first()}, record), plan::Outcome::kRefused);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(this->outcome(plan::StopMember{this->first()}, record), plan::Outcome::kDone);
  facts = this->look(record).members.at(this->first());
  EXPECT_TRUE(facts.process == plan::Process::kStopped);
  EXPECT_TRUE(facts.data == plan::Data::kOwn);
  ASSERT_TRUE(facts.ended);
  EXPECT_EQ(facts.ended->end, plan::End::kStopped);
}

TYPED_TEST_P(DriverConformance, ARestartedOperatorSeesTheSameMember) {
  const plan::Record record = this->running();
  const auto before = this->look(record);
  this->bench_.reopen();
  ASSERT_TRUE(this->bench_.driver().load_record());
  const auto seen = this->look(record);
  ASSERT_TRUE(seen.membership.known()) << seen.membership.why();
  EXPECT_EQ(seen.membership->members[0].id, before.membership->members[0].id);
  EXPECT_TRUE(seen.members.at(this->first()).process == plan::Process::kRunning);
}

TYPED_TEST_P(DriverConformance, ChangesOfMembershipMayBeRepeated) {
  const plan::Record record = this->running();
  const auto offers = this->look(record).addresses;
  ASSERT_FALSE(offers.empty());
  const std::string url = offers.begin()->second.peer_url;
  for (int i = 0; i < 2; ++i)
    ASSERT_EQ(this->outcome(plan::AddLearner{"x", url}, record), plan::Outcome::kDone);
  const auto seen = this->look(record);
  ASSERT_TRUE(seen.membership.known());
  ASSERT_EQ(seen.membership->members.size(), 2U) << "added once";
  base::MemberId learner;
  for (const auto& m : seen.membership->members)
    if (m.learner) learner = m.id;
  ASSERT_TRUE(learner);
  EXPECT_EQ(this->outcome(plan::PromoteMember{"x", learner}, record), plan::Outcome::kRefused)
      << "it never started";
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(this->outcome(plan::RemoveMember{"x", learner}, record), plan::Outcome::kDone);
  EXPECT_EQ(this->look(record).membership->members.size(), 1U);
  EXPECT_EQ(
      this->outcome(plan::RemoveMember{this->first(), record.members.at(this->first()).id}, record),
      plan::Outcome::kRefused)
      << "etcd refuses to lose its last voter";
}

TYPED_TEST_P(DriverConformance, PuttingAsideKeepsTheDataUnlessToldOtherwise) {
  plan::Record record = this->running();
  ASSERT_EQ(this->outcome(plan::StopMember{this->first()}, record), plan::Outcome::kDone);
  EXPECT_EQ(this->outcome(plan::PutAside{this->first()}, record), plan::Outcome::kRefused)
      << "a voter is not put away";
  record.members.at(this->first()).phase = plan::Phase::kRetired;
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(this->outcome(plan::PutAside{this->first()}, record), plan::Outcome::kDone);
  EXPECT_TRUE(this->look(record).members.at(this->first()).data.is_absent());
  EXPECT_EQ(this->bench_.left().size(), 1U);
}

TYPED_TEST_P(DriverConformance, DataThatNoRecordExplainsIsSeen) {
  const plan::Record record = this->running();
  EXPECT_TRUE(this->look(record).stray_processes == std::vector<std::string>{});
  EXPECT_TRUE(this->look({}).stray_processes == std::vector<std::string>{this->first()});
  ASSERT_EQ(this->outcome(plan::StopMember{this->first()}, {}), plan::Outcome::kDone)
      << "it is stopped without a record, too";
  EXPECT_TRUE(this->look({}).stray_processes == std::vector<std::string>{});
  const auto stray = this->look({}).stray_data;
  ASSERT_TRUE(stray.known());
  ASSERT_EQ(stray->size(), 1U);
  EXPECT_NE(stray->front().find(this->first()), std::string::npos);
  EXPECT_EQ(this->outcome(plan::DiscardFormation{}, record), plan::Outcome::kRefused)
      << "it was latched";
}

TYPED_TEST_P(DriverConformance, DeletingKeepsTheDataUnlessToldOtherwise) {
  const plan::Record record = this->running();
  EXPECT_EQ(this->outcome(plan::DeleteCluster{true}, record), plan::Outcome::kRefused)
      << "a member runs";
  ASSERT_EQ(this->outcome(plan::StopMember{this->first()}, record), plan::Outcome::kDone);
  EXPECT_EQ(this->outcome(plan::DeleteCluster{false}, record), plan::Outcome::kDone);
  EXPECT_TRUE(this->look(record).members.at(this->first()).data == plan::Data::kOwn);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(this->outcome(plan::DeleteCluster{true}, record), plan::Outcome::kDone);
  EXPECT_TRUE(this->look(record).members.at(this->first()).data.is_absent());
}

REGISTER_TYPED_TEST_SUITE_P(
    DriverConformance, NothingStoredIsNoRecord, ARecordComesBackAlsoAfterARestart,
    ATornRecordIsSaidToBeTorn, AFailedSaveKeepsTheOldRecord,
    ALookAtNothingClaimsNothingAndOffersFreshNames, PreparingTwiceIsAsOnceAndClaimsNoData,
    OnlyWhatTheRecordAllowsIsStarted, WithoutAClusterItsCallsAreRefused,
    AStartedMemberRunsOnceAndStopsWhenAsked, ARestartedOperatorSeesTheSameMember,
    ChangesOfMembershipMayBeRepeated, PuttingAsideKeepsTheDataUnlessToldOtherwise,
    DataThatNoRecordExplainsIsSeen, DeletingKeepsTheDataUnlessToldOtherwise);

}  // namespace conformance
