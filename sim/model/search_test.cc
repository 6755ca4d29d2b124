// The search itself, on puzzles small enough to be counted by hand.
#include "sim/model/search.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/model/liveness.h"
#include "sim/model/shrink.h"

namespace sim::model {
namespace {

// A walk on the numbers 0 to 99. Free steps: one up (until 20), or back to 0. A fault jumps by 30,
// an edit doubles. 77 is forbidden; from 90 on there is no way back; 0 is the goal.
struct Number final : State {
  int value = 0;
  explicit Number(int v) : value(v) {}
  [[nodiscard]] std::unique_ptr<State> copy() const override {
    return std::make_unique<Number>(value);
  }
  [[nodiscard]] std::size_t bytes() const override { return sizeof *this; }
};

enum Move : Step { kUp, kHome, kJump, kDouble };

class Walk final : public Model {
 public:
  explicit Walk(int forbidden) : forbidden_(forbidden) {}
  [[nodiscard]] std::size_t roots() const override { return 1; }
  [[nodiscard]] std::unique_ptr<State> root(std::size_t /*number*/) const override {
    return std::make_unique<Number>(0);
  }
  Expansion expand(const State& state, bool faults, bool edits, Counts& counts) const override {
    Expansion out;
    out.goal = dynamic_cast<const Number&>(state).value == 0;
    for (const Step step : {kUp, kHome, kJump, kDouble}) {
      if ((step == kJump && !faults) || (step == kDouble && !edits)) continue;
      Follower f{step,
                 step == kJump     ? Price::kFault
                 : step == kDouble ? Price::kEdit
                                   : Price::kFree,
                 state.copy(),
                 {}};
      if (take(*f.state, step, f.violation, counts)) out.followers.push_back(std::move(f));
    }
    return out;
  }
  bool take(State& state, Step step, Violation& violation, Counts& counts) const override {
    int& value = dynamic_cast<Number&>(state).value;
    if (step == kUp && value >= 20) return false;
    if (step == kHome && value >= 90) return false;
    value = step == kUp ? value + 1 : step == kHome ? 0 : step == kJump ? value + 30 : value * 2;
    value = std::min(value, 99);
    counts.of[step] += 1;
    if (value == forbidden_) violation = {"F", "forbidden"};
    return true;
  }
  [[nodiscard]] Hash128 key(const State& state) const override {
    const int value = dynamic_cast<const Number&>(state).value;
    return hash128({reinterpret_cast<const char*>(&value), sizeof value});
  }
  [[nodiscard]] std::string text(Step step) const override { return std::to_string(step); }
  [[nodiscard]] std::string text_of_root(std::size_t /*number*/) const override { return "0"; }
  [[nodiscard]] Counts no_counts() const override { return Counts{{0, 0, 0, 0}}; }

 private:
  int forbidden_;
};

Bounds bounds(int faults, int edits) {
  Bounds out;
  out.most = {faults, edits};
  return out;
}

TEST(Search, FindsEveryStateOnce) {
  const Found found = search(Walk(-1), bounds(0, 0), nullptr, nullptr);
  EXPECT_TRUE(found.exhausted);
  EXPECT_EQ(found.states, 21U);
  EXPECT_EQ(found.depth, 20);
  EXPECT_EQ(found.counts.of[kJump], 0U);
  EXPECT_TRUE(found.violations.empty());
  EXPECT_EQ(found.stuck_states, 0U);
}

TEST(Search, BudgetsAreUsedOneAfterTheOther) {
  // 0…20 by hand, 30…50 with a fault, 22, 24, … 40 with an edit.
  const Found found = search(Walk(-1), bounds(1, 1), nullptr, nullptr);
  EXPECT_TRUE(found.exhausted);
  ASSERT_EQ(found.layers.size(), 4U);
  EXPECT_EQ(found.layers[0].states, 21U);
  EXPECT_EQ(found.layers[1].states, 21U);
  EXPECT_EQ(found.layers[1].used, (Used{1, 0}));
  EXPECT_EQ(found.layers[2].used, (Used{0, 1}));
  EXPECT_EQ(found.layers[2].states, 10U);
}

TEST(Search, FindsTheShortestWayToAViolation) {
  const Found found = search(Walk(77), bounds(2, 1), nullptr, nullptr);
  ASSERT_EQ(found.violations.size(), 1U);
  const Trace& trace = found.violations.front();
  EXPECT_EQ(trace.violation.rule, "F");
  // 17 up, then two jumps.
  EXPECT_EQ(trace.steps.size(), 19U) << testing::PrintToString(trace.steps);
  EXPECT_EQ(std::ranges::count(trace.steps, kJump), 2);
}

TEST(Search, FindsFromWhereNoGoalIsReached) {
  const Found found = search(Walk(-1), bounds(1, 2), nullptr, nullptr);
  EXPECT_TRUE(found.exhausted);
  EXPECT_GT(found.stuck_states, 0U);
  ASSERT_FALSE(found.stuck.empty());
  EXPECT_EQ(found.stuck.front().steps.back(), Step{kDouble});
}

TEST(Search, SaysWhatHasNoEnd) {
  Bounds short_sighted = bounds(0, 0);
  short_sighted.endless = 20;
  const Found found = search(Walk(-1), short_sighted, nullptr, nullptr);
  ASSERT_EQ(found.violations.size(), 1U);
  EXPECT_EQ(found.violations.front().violation.rule, "E");
  EXPECT_EQ(found.violations.front().steps.size(), 20U);
  short_sighted.endless = 21;
  EXPECT_TRUE(search(Walk(-1), short_sighted, nullptr, nullptr).violations.empty());
}

TEST(Search, SaysWhatItDidNotExhaust) {
  Bounds few = bounds(2, 1);
  few.states = 30;
  const Found found = search(Walk(-1), few, nullptr, nullptr);
  EXPECT_FALSE(found.exhausted);
  EXPECT_EQ(found.stuck_states, 0U) << "of what was not gone on from nothing is known";
}

TEST(Search, TheNumberOfThreadsChangesNothing) {
  Bounds one = bounds(2, 2), many = one;
  one.threads = 1;
  many.threads = 4;
  // Without room for states each is made again from its way.
  many.memory = 0;
  const Found a = search(Walk(77), one, nullptr, nullptr);
  const Found b = search(Walk(77), many, nullptr, nullptr);
  EXPECT_EQ(a.states, b.states);
  EXPECT_EQ(a.counts.of, b.counts.of);
  EXPECT_EQ(a.violations.at(0).steps, b.violations.at(0).steps);
}

TEST(Shrink, LeavesOutWhatIsNotNeeded) {
  Trace trace{0, {kUp, kHome, kUp, kUp, kHome, kDouble}, {"F", ""}};
  for (int i = 0; i < 17; ++i) trace.steps.push_back(kUp);
  trace.steps.insert(trace.steps.end(), {kJump, kJump, kJump});
  const Trace shorter = shrink(Walk(77), trace);
  EXPECT_EQ(shorter.steps.size(), 19U);
  EXPECT_EQ(shorter.violation.text, "forbidden");
}

TEST(Shrink, KeepsWhatMakesAWayHopeless) {
  const Trace trace{0, {kUp, kUp, kHome, kUp, kJump, kJump, kJump}, {"L", ""}};
  const Trace shorter = shrink(Walk(-1), trace);
  EXPECT_EQ(shorter.steps, (std::vector<Step>{kJump, kJump, kJump}));
}

TEST(Hash, DiffersForWhatDiffers) {
  EXPECT_EQ(hash128("abc"), hash128("abc"));
  EXPECT_NE(hash128("abc"), hash128("abd"));
  EXPECT_NE(hash128(""), hash128(std::string_view("\0", 1)));
  EXPECT_NE(hash128("0123456789abcdef"), hash128("0123456789abcdefg"));
  EXPECT_NE(hash128("0123456789abcdefghijklmn"), hash128("0123456789abcdefghijklmm"));
}

}  // namespace
}  // namespace sim::model
