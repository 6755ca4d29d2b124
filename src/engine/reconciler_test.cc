#include "engine/reconciler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "engine/engine_testing.h"

namespace engine {
namespace {

using namespace std::chrono_literals;
using testing::FakeClock;
using testing::FakeDriver;
using testing::FakeRandom;
using testing::NullLogger;
using Calls = std::vector<std::string>;

struct Crash {};

class Faults final : public FaultInjector {
 public:
  void at(std::string_view point) override {
    points.emplace_back(point);
    if (hook) hook(point);
    if (point == crash_at) throw Crash{};
  }
  Calls points;
  std::function<void(std::string_view)> hook;
  std::string crash_at;
};

class ReconcilerTest : public ::testing::Test {
 protected:
  ReconcilerTest() {
    driver_.stored.state = plan::RecordState::kNone;
    intent_.cluster.key = {"default", "c"};
    next_.record.key = intent_.cluster.key;
  }
  Reconciler make(Memory memory = {}, const ReconcilerOptions& options = {}) {
    return Reconciler({intent_.cluster.key, driver_, clock_, random_, log_,
                       [this](const plan::Intent&, const plan::Record& record,
                              const plan::Observation& seen, base::Instant) {
                         records_.push_back(record);
                         seen_.push_back(seen);
                         return next_;
                       },
                       &faults_},
                      options, std::move(memory));
  }
  static plan::Step start(const std::string& name) {
    return {plan::StartMember{name}, plan::Reason::kMemberStart};
  }

  FakeClock clock_;
  FakeRandom random_;
  NullLogger log_;
  FakeDriver driver_;
  Faults faults_;
  plan::Intent intent_;
  plan::Plan next_;  // what the planner says
  std::vector<plan::Record> records_;
  std::vector<plan::Observation> seen_;
};

TEST_F(ReconcilerTest, TheRecordIsStoredBeforeTheFirstStep) {
  next_.record.epoch = 1;
  next_.steps = {start("c-0"), start("c-1")};
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls,
            (Calls{"load", "observe", "save", "publish", "StartMember c-0", "StartMember c-1"}));
  EXPECT_EQ(driver_.stored.record.epoch, 1);
}

TEST_F(ReconcilerTest, AnUnchangedRecordIsNotStoredAgain) {
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  driver_.calls.clear();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls, (Calls{"observe"})) << "nor is an unchanged status published";
}

TEST_F(ReconcilerTest, AnUnchangedStatusIsToldAgainWhenItsTimeIsOld) {
  auto r = make();
  const auto begin = clock_.now();
  const auto looks = [&](base::Duration after) {
    next_.status.observed_at = begin + after;
    EXPECT_TRUE(r.pass(intent_, {}));
    return driver_.published.size();
  };
  EXPECT_EQ(looks(0s), 1U);
  EXPECT_EQ(looks(59s), 1U);
  EXPECT_EQ(looks(60s), 2U);
  EXPECT_EQ(driver_.published.back().observed_at, begin + 60s);
  EXPECT_EQ(looks(119s), 2U) << "a minute after the newest";
  EXPECT_EQ(looks(10s), 3U) << "the clock was set back";
  next_.status.observed_at = begin + 10s;
  EXPECT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.published.size(), 3U) << "nothing was seen since";
}

TEST_F(ReconcilerTest, AFailedSaveAllowsNoStepAndIsSaid) {
  next_.record.epoch = 1;
  next_.steps = {start("c-0")};
  driver_.save_answer = base::fail(base::Code::kResourceExhausted, "disk full");
  auto r = make();
  const auto got = r.pass(intent_, {});
  ASSERT_FALSE(got);
  EXPECT_EQ(driver_.calls, (Calls{"load", "observe", "save", "publish"}));
  ASSERT_EQ(driver_.published.size(), 1U);
  const auto* degraded = api::find_condition(driver_.published[0], api::ConditionType::kDegraded);
  ASSERT_NE(degraded, nullptr);
  EXPECT_EQ(degraded->status, api::Truth::kTrue);
  EXPECT_NE(degraded->message.find("disk full"), std::string::npos);
  EXPECT_NE(r.last()->problem.find("disk full"), std::string::npos);
  EXPECT_EQ(r.last()->plan.record.epoch, 0) << "what was not stored is not remembered";
  // The disk has room again: the same plan is carried out from the old record.
  driver_.save_answer = {};
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(records_.back().epoch, 0);
  EXPECT_EQ(driver_.calls.back(), "StartMember c-0");
}

TEST_F(ReconcilerTest, AfterALostAnswerNoRecordIsTakenForTheStoredOne) {
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  // It may have been stored, and the next plan is the one before it again.
  next_.record.epoch = 1;
  driver_.save_answer = base::fail(base::Code::kUnavailable, "no answer");
  EXPECT_FALSE(r.pass(intent_, {}));
  driver_.save_answer = {};
  next_.record.epoch = 0;
  next_.steps = {start("c-0")};
  driver_.calls.clear();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(records_.back().epoch, 0);
  const auto save = std::ranges::find(driver_.calls, "save");
  ASSERT_NE(save, driver_.calls.end()) << "a step was begun that the store may not name";
  EXPECT_NE(std::find(save, driver_.calls.end(), "StartMember c-0"), driver_.calls.end());
}

TEST_F(ReconcilerTest, ARecordThatCannotBeReadIsNeitherAbsentNorTorn) {
  driver_.load_answer = base::fail(base::Code::kUnavailable, "input/output error");
  auto r = make();
  EXPECT_FALSE(r.pass(intent_, {}));
  EXPECT_TRUE(records_.empty()) << "nothing is planned on it";
  driver_.load_answer = {};
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(seen_.back().record_state, plan::RecordState::kNone);
}

TEST_F(ReconcilerTest, ATornRecordReachesThePlannerWithItsWords) {
  driver_.stored = {plan::RecordState::kTorn, {}, "its check sum is wrong"};
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(seen_.back().record_state, plan::RecordState::kTorn);
  EXPECT_EQ(seen_.back().record_problem, "its check sum is wrong");
  EXPECT_EQ(records_.back().key, intent_.cluster.key);
}

TEST_F(ReconcilerTest, ATornRecordThatIsPutBackIsRead) {
  driver_.stored = {plan::RecordState::kTorn, {}, "its check sum is wrong"};
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  // Between the two hands of a person nothing is there: that is not the beginning of a new cluster.
  driver_.stored = {plan::RecordState::kNone, {}, ""};
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(seen_.back().record_state, plan::RecordState::kTorn);
  plan::Record mended;
  mended.key = intent_.cluster.key;
  mended.epoch = 7;
  driver_.stored = {plan::RecordState::kOk, mended, ""};
  next_.record = mended;
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(seen_.back().record_state, plan::RecordState::kOk);
  EXPECT_EQ(records_.back().epoch, 7);
  driver_.stored = {plan::RecordState::kTorn, {}, "again"};
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(seen_.back().record_state, plan::RecordState::kOk) << "one that was read is kept";
}

TEST_F(ReconcilerTest, TheFirstStepThatIsNotDoneEndsThePass) {
  next_.steps = {start("c-0"), start("c-1"), start("c-2")};
  driver_.apply_answers = {{}, {plan::Outcome::kRefused, "no"}};
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls.back(), "StartMember c-1");
  ASSERT_TRUE(r.pass(intent_, {}));
  ASSERT_TRUE(seen_.back().last);
  EXPECT_EQ(seen_.back().last->action, "StartMember");
  EXPECT_EQ(seen_.back().last->outcome, plan::Outcome::kRefused);
  EXPECT_EQ(seen_.back().last->text, "no");
  EXPECT_EQ(seen_.back().last->failures, 1U);
}

TEST_F(ReconcilerTest, RepeatedFailuresAreCountedAndWaitLonger) {
  next_.steps = {start("c-0")};
  auto r = make();
  base::Duration before{0};
  for (unsigned n = 1; n <= 4; ++n) {
    driver_.apply_answers = {{plan::Outcome::kMayHaveHappened, "no answer"}};
    const auto again = r.pass(intent_, {});
    ASSERT_TRUE(again);
    EXPECT_GT(*again, before);
    EXPECT_EQ(r.last()->act->failures, n);
    before = *again;
  }
  const auto again = r.pass(intent_, {});  // done now
  ASSERT_TRUE(again);
  EXPECT_LT(*again, before);
  EXPECT_EQ(r.last()->act->failures, 0U);
}

TEST_F(ReconcilerTest, ADoneStepThatIsPlannedAgainAndAgainSlowsDown) {
  next_.steps = {start("c-0")};
  auto r = make();
  const auto first = r.pass(intent_, {});
  base::Duration last{};
  for (int i = 0; i < 20; ++i) last = *r.pass(intent_, {});
  EXPECT_GE(last, *first * 10);
}

TEST_F(ReconcilerTest, MarksAloneAreStoredNowAndThenOnly) {
  next_.record.epoch = 1;
  next_.record.members["c-0"].seen_index = 1;
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  driver_.calls.clear();
  next_.record.members["c-0"].seen_index = 2;
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls, (Calls{"observe"}));
  next_.record.members["c-0"].seen_index = 3;
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(records_.back().members.at("c-0").seen_index, 2U) << "the newest is planned on";
  clock_.advance(base::Duration{61'000});
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls.back(), "save");
  // Before a step everything is stored.
  next_.record.members["c-0"].seen_index = 4;
  next_.steps = {start("c-0")};
  driver_.calls.clear();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls, (Calls{"observe", "save", "StartMember c-0"}));
}

TEST_F(ReconcilerTest, HashesAreLookedForWhenThePlanWantsThem) {
  next_.want_hashes = true;
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls.back(), "observe+hashes");
}

TEST_F(ReconcilerTest, TransitionTimesAreKeptWhileTheTruthIsTheSame) {
  auto r = make();
  const auto say = [&](api::Truth truth, const std::string& message) {
    next_.status = {};
    api::set_condition(next_.status, {api::ConditionType::kAvailable, truth, "R", message, {}},
                       clock_.now());
    EXPECT_TRUE(r.pass(intent_, {}));
    return *api::find_condition(r.last()->plan.status, api::ConditionType::kAvailable)
                ->last_transition;
  };
  const auto first = say(api::Truth::kTrue, "a");
  clock_.advance(base::Duration{5'000});
  EXPECT_EQ(say(api::Truth::kTrue, "b"), first);
  clock_.advance(base::Duration{5'000});
  EXPECT_GT(say(api::Truth::kFalse, "c"), first);
}

TEST_F(ReconcilerTest, TheSameEventIsToldOnce) {
  next_.events = {{plan::Reason::kScaleUp, false, "more"}};
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.events.size(), 1U);
}

TEST_F(ReconcilerTest, AFailedPublishIsTriedAgainAndStopsNothing) {
  next_.steps = {start("c-0")};
  driver_.publish_answer = base::fail(base::Code::kResourceExhausted, "disk full");
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls.back(), "StartMember c-0");
  driver_.publish_answer = {};
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.published.size(), 1U);
}

TEST_F(ReconcilerTest, ADryRunChangesNothing) {
  next_.record.epoch = 1;
  next_.steps = {start("c-0")};
  auto r = make();
  const auto report = r.think(intent_, {});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->plan.steps.size(), 1U);
  EXPECT_EQ(driver_.calls, (Calls{"load", "observe"}));
  EXPECT_EQ(r.last(), nullptr);
}

TEST_F(ReconcilerTest, AThoughtIsCarriedOutLater) {
  next_.record.epoch = 1;
  next_.steps = {start("c-0")};
  auto r = make();
  const auto thought = r.think(intent_, {});
  ASSERT_TRUE(thought);
  next_.steps.clear();
  ASSERT_TRUE(r.carry_out(*thought, {}));
  EXPECT_EQ(driver_.calls, (Calls{"load", "observe", "save", "publish", "StartMember c-0"}));
  EXPECT_EQ(r.memory().loaded->record.epoch, 1);
}

TEST_F(ReconcilerTest, AnotherReconcilerGoesOnWithItsMemory) {
  next_.record.epoch = 1;
  next_.steps = {start("c-0")};
  driver_.apply_answers = {{plan::Outcome::kRefused, "no"}};
  Memory memory;
  {
    auto r = make();
    ASSERT_TRUE(r.pass(intent_, {}));
    memory = r.memory();
  }
  driver_.calls.clear();
  auto r = make(memory);
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(driver_.calls, (Calls{"observe", "StartMember c-0"}))
      << "nothing is read or told again";
  ASSERT_TRUE(seen_.back().last);
  EXPECT_EQ(seen_.back().last->text, "no");
}

TEST_F(ReconcilerTest, AfterAConflictTheRecordIsReadAnew) {
  next_.record.epoch = 1;
  next_.steps = {start("c-0")};
  auto r = make();
  driver_.save_answer = base::fail(base::Code::kAborted, "another operator stored one");
  EXPECT_FALSE(r.pass(intent_, {}));
  driver_.save_answer = {};
  driver_.stored.state = plan::RecordState::kOk;
  driver_.stored.record.epoch = 5;
  driver_.calls.clear();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(records_.back().epoch, 5);
  EXPECT_EQ(driver_.calls.front(), "load");
}

TEST_F(ReconcilerTest, ACrashGoesThroughAndLeavesWhatWasDone) {
  next_.record.epoch = 1;
  next_.steps = {start("c-0"), start("c-1")};
  faults_.crash_at = "save_record.after";
  {
    auto r = make();
    EXPECT_THROW((void)r.pass(intent_, {}), Crash);
  }
  EXPECT_EQ(driver_.calls, (Calls{"load", "observe", "save"}));
  driver_.calls.clear();
  faults_.crash_at = "StartMember.before";
  auto r = make();
  EXPECT_THROW((void)r.pass(intent_, {}), Crash);
  EXPECT_EQ(driver_.calls, (Calls{"load", "observe", "publish"}));
  EXPECT_EQ(faults_.points.back(), "StartMember.before") << "a call that died has no end";
}

TEST_F(ReconcilerTest, AStopBeforeAStepAllowsNoStep) {
  next_.steps = {start("c-0")};
  std::stop_source stop;
  stop.request_stop();
  auto r = make();
  const auto got = r.pass(intent_, stop.get_token());
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, base::Code::kCancelled);
  EXPECT_EQ(driver_.calls, (Calls{"load", "observe"}));
}

TEST_F(ReconcilerTest, EveryDriverCallLiesBetweenTwoNamedFaultPoints) {
  next_.record.epoch = 1;
  next_.steps = {start("c-0")};
  auto r = make();
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_EQ(faults_.points,
            (Calls{"load_record.before", "load_record.after", "observe.before", "observe.after",
                   "save_record.before", "save_record.after", "publish.before", "publish.after",
                   "StartMember.before", "StartMember.after"}));
  const auto all = fault_points();
  for (const auto& point : faults_.points)
    EXPECT_NE(std::ranges::find(all, point), all.end()) << point;
  EXPECT_EQ(all.size(), 2 * (4 + std::variant_size_v<plan::Action>));
}

TEST_F(ReconcilerTest, AnEventThatCouldNotBeToldIsToldLaterAndOnce) {
  auto r = make();
  next_.events = {{plan::Reason::kMemberStart, false, "c-0 starts"}};
  driver_.publish_answer = base::fail(base::Code::kResourceExhausted, "disk full");
  ASSERT_TRUE(r.pass(intent_, {}));
  next_.events = {{plan::Reason::kMemberStart, false, "c-1 starts"}};
  ASSERT_TRUE(r.pass(intent_, {}));
  EXPECT_TRUE(driver_.events.empty());
  driver_.publish_answer = {};
  next_.events.clear();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(r.pass(intent_, {}));
  ASSERT_EQ(driver_.events.size(), 2U);
  EXPECT_EQ(driver_.events[0].message, "c-0 starts");
  EXPECT_EQ(driver_.events[1].message, "c-1 starts");
}

TEST_F(ReconcilerTest, ADryRunDoesNotWaitForAStepThatTakesLong) {
  next_.steps = {start("c-0")};
  ReconcilerOptions options;
  options.dry_run_waits = base::Duration{0};
  auto r = make({}, options);
  base::Result<Report> answer;
  faults_.hook = [&](std::string_view point) {
    if (point != "StartMember.before") return;
    std::jthread([&] { answer = r.dry_run(intent_, {}); }).join();
  };
  ASSERT_TRUE(r.pass(intent_, {}));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, base::Code::kUnavailable);
  EXPECT_TRUE(r.dry_run(intent_, {}));
}

}  // namespace
}  // namespace engine
