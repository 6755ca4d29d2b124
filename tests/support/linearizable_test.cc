#include "support/linearizable.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

namespace support {
namespace {

using Kind = Operation::Kind;
using Ending = Operation::Ending;

struct Span {
  std::int64_t from = 0, to = 0;
};

Operation read(std::int64_t found, Span span) {
  return {.key = "k", .found = found, .called_ns = span.from, .returned_ns = span.to};
}
Operation write(std::int64_t value, Span span) {
  return {.key = "k",
          .kind = Kind::kWrite,
          .value = value,
          .called_ns = span.from,
          .returned_ns = span.to};
}
Operation swap(std::int64_t expected, std::int64_t value, Span span) {
  Operation op = write(value, span);
  op.kind = Kind::kSwap;
  op.expected = expected;
  return op;
}
Operation refused_swap(std::int64_t expected, std::int64_t value, std::int64_t found, Span span) {
  Operation op = swap(expected, value, span);
  op.ending = Ending::kNotSwapped;
  op.found = found;
  return op;
}
Operation unknown(Operation op) {
  op.ending = Ending::kUnknown;
  return op;
}

bool possible(const std::vector<Operation>& history) {
  const Verdict verdict = check_linearizable(history);
  EXPECT_NE(verdict.kind, Verdict::Kind::kUndecided);
  EXPECT_EQ(verdict.text.empty(), verdict.kind == Verdict::Kind::kLinearizable);
  return verdict.kind == Verdict::Kind::kLinearizable;
}

TEST(Linearizable, OneAfterAnother) {
  EXPECT_TRUE(possible({}));
  EXPECT_TRUE(possible({read(0, {1, 2}), write(1, {3, 4}), read(1, {5, 6})}));
  EXPECT_TRUE(possible({write(1, {1, 2}), swap(1, 2, {3, 4}), read(2, {5, 6})}));
  EXPECT_TRUE(possible({write(1, {1, 2}), refused_swap(7, 2, 1, {3, 4}), read(1, {5, 6})}));
}

TEST(Linearizable, AtOnceInAnyOrder) {
  EXPECT_TRUE(possible({write(1, {1, 9}), read(0, {2, 3}), read(1, {4, 5})}));
  EXPECT_TRUE(possible({write(1, {1, 9}), write(2, {1, 9}), read(2, {2, 3}), read(1, {4, 5})}));
  EXPECT_TRUE(possible({swap(0, 1, {1, 9}), refused_swap(0, 2, 1, {1, 9})}));
}

TEST(Linearizable, AStaleReadIsFound) {
  EXPECT_FALSE(possible({write(1, {1, 2}), read(0, {3, 4})}));
  EXPECT_FALSE(possible({write(1, {1, 2}), write(2, {3, 4}), read(1, {5, 6})}));
}

TEST(Linearizable, AnAcknowledgedWriteThatIsGoneIsFound) {
  EXPECT_FALSE(possible({write(1, {1, 2}), write(2, {3, 4}), read(2, {5, 6}), read(1, {7, 8})}));
  EXPECT_FALSE(possible({write(1, {1, 2}), swap(1, 2, {3, 4}), refused_swap(2, 3, 1, {5, 6})}));
}

TEST(Linearizable, OldAfterNewIsFoundAlsoDuringTheWrite) {
  EXPECT_FALSE(possible({write(1, {1, 20}), read(1, {2, 3}), read(0, {4, 5})}));
}

TEST(Linearizable, AValueThatNobodyWroteIsFound) {
  EXPECT_FALSE(possible({write(1, {1, 2}), read(9, {3, 4})}));
}

TEST(Linearizable, TwoSwapsOfOneValueAreFound) {
  EXPECT_FALSE(possible({write(1, {1, 2}), swap(1, 2, {3, 9}), swap(1, 3, {3, 9})}));
  EXPECT_FALSE(possible({write(1, {1, 2}), refused_swap(1, 2, 1, {3, 4})}))
      << "a swap that found what it expected was not refused";
}

TEST(Linearizable, AnUnknownOutcomeMayTakeEffectLateOrNever) {
  EXPECT_TRUE(possible({unknown(write(1, {1, 0})), read(0, {3, 4}), read(1, {5, 6})}));
  EXPECT_TRUE(possible({unknown(write(1, {1, 0})), read(0, {3, 4}), read(0, {5, 6})}));
  EXPECT_TRUE(possible({unknown(swap(0, 1, {1, 0})), write(2, {3, 4}), read(2, {5, 6})}));
}

TEST(Linearizable, AnUnknownOutcomeIsNotEverything) {
  EXPECT_FALSE(possible({unknown(write(1, {1, 0})), read(1, {3, 4}), read(0, {5, 6})}))
      << "seen and unseen again";
  EXPECT_FALSE(possible({read(1, {1, 2}), unknown(write(1, {3, 0}))})) << "before its call";
  EXPECT_FALSE(possible({unknown(swap(7, 1, {1, 0})), read(1, {3, 4})}))
      << "a swap whose condition never held";
  EXPECT_FALSE(possible(
      {unknown(write(1, {1, 0})), unknown(swap(1, 2, {1, 0})), read(2, {3, 4}), read(1, {5, 6})}))
      << "a chain of them backwards";
}

TEST(Linearizable, KeysAreDecidedAlone) {
  Operation other = read(5, {3, 4});
  other.key = "bad";
  const Verdict verdict = check_linearizable({write(1, {1, 2}), read(1, {3, 4}), other});
  EXPECT_EQ(verdict.kind, Verdict::Kind::kImpossible);
  EXPECT_TRUE(verdict.text.starts_with("bad: ")) << verdict.text;
  EXPECT_NE(verdict.text.find("read 5"), std::string::npos) << verdict.text;
}

TEST(Linearizable, AtTheLimitNothingIsClaimed) {
  std::vector<Operation> history;
  for (int i = 1; i <= 12; ++i) history.push_back(write(i, {1, 100}));
  for (int i = 1; i <= 12; ++i) history.push_back(read(99, {101, 102}));
  EXPECT_EQ(check_linearizable(history, 100).kind, Verdict::Kind::kUndecided);
  EXPECT_EQ(check_linearizable(history).kind, Verdict::Kind::kImpossible);
}

// The definition itself: some order of some of the unknown and all others that keeps real time.
bool by_definition(const std::vector<Operation>& ops, std::vector<bool>& used, std::int64_t state) {
  std::int64_t first_return = std::numeric_limits<std::int64_t>::max();
  bool left = false;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (used[i] || ops[i].ending == Ending::kUnknown) continue;
    left = true;
    first_return = std::min(first_return, ops[i].returned_ns);
  }
  if (!left) return true;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    const Operation& op = ops[i];
    if (used[i] || op.called_ns > first_return) continue;
    std::int64_t next = state;
    if (op.kind == Kind::kRead && op.ending != Ending::kUnknown && op.found != state) continue;
    if (op.kind == Kind::kWrite) next = op.value;
    if (op.kind == Kind::kSwap) {
      const bool holds = op.expected == state;
      if (op.ending == Ending::kDone && !holds) continue;
      if (op.ending == Ending::kNotSwapped && (holds || op.found != state)) continue;
      if (op.ending != Ending::kNotSwapped && holds) next = op.value;
    }
    used[i] = true;
    const bool found = by_definition(ops, used, next);
    used[i] = false;
    if (found) return true;
  }
  return false;
}

Operation draw(std::mt19937& random, std::int64_t own_value) {
  const auto below = [&](std::uint32_t n) { return static_cast<std::int64_t>(random() % n); };
  const std::int64_t from = below(30);
  const Span span{from, from + 1 + below(12)};
  Operation op;
  switch (below(4)) {
    case 0:
      op = write(own_value, span);
      break;
    case 1:
      op = swap(below(7), own_value, span);
      break;
    case 2:
      op = refused_swap(below(7), own_value, below(7), span);
      break;
    default:
      op = read(below(7), span);
      break;
  }
  return op.ending == Ending::kDone && below(4) == 0 ? unknown(op) : op;
}

TEST(Linearizable, AgreesWithTheDefinitionOnSmallHistories) {
  std::mt19937 random(20'261'121);
  int yes = 0, no = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<Operation> history;
    const auto size = 1 + random() % 6;
    for (std::size_t i = 0; i < size; ++i)
      history.push_back(draw(random, static_cast<std::int64_t>(i) + 1));
    std::vector<bool> used(history.size(), false);
    const bool truth = by_definition(history, used, 0);
    ++(truth ? yes : no);
    std::string text;
    for (const auto& op : history) text += to_text(op) + "\n";
    ASSERT_EQ(possible(history), truth) << text;
  }
  EXPECT_GT(yes, 2'000);
  EXPECT_GT(no, 2'000);
}

// A real register, used by several clients at once, with outcomes that got lost on the way.
std::vector<Operation> played(std::mt19937& random, int clients, int rounds) {
  std::vector<Operation> history;
  std::vector<std::int64_t> free_at(static_cast<std::size_t>(clients), 0);
  std::int64_t state = 0, now = 0, last_seen = 0;
  for (int i = 1; i <= rounds; ++i) {
    // The instants of effect rise; calls and returns lie around them.
    now += 1 + static_cast<std::int64_t>(random() % 4);
    const auto client = static_cast<std::size_t>(random() % free_at.size());
    if (free_at[client] >= now) continue;
    Operation op = draw(random, i);
    op.client = static_cast<int>(client);
    op.called_ns = std::max(free_at[client] + 1, now - static_cast<std::int64_t>(random() % 9));
    op.returned_ns = now + static_cast<std::int64_t>(random() % 9);
    free_at[client] = op.returned_ns;
    const bool lost = random() % 8 == 0;
    op.ending = Ending::kDone;
    if (op.kind == Kind::kRead) {
      op.found = last_seen = state;
    } else if (op.kind == Kind::kSwap) {
      op.expected = last_seen;
      op.found = state;
      if (state != last_seen) op.ending = Ending::kNotSwapped;
    }
    const bool effect = op.kind != Kind::kRead && op.ending == Ending::kDone;
    if (effect && (!lost || random() % 2 == 0)) state = op.value;
    if (lost) op.ending = Ending::kUnknown;
    history.push_back(op);
  }
  return history;
}

TEST(Linearizable, WhatARegisterDidIsAlwaysPossibleAndAnOldValueNever) {
  std::mt19937 random(7);
  int damaged = 0;
  for (int round = 0; round < 60; ++round) {
    auto history = played(random, 6, 400);
    ASSERT_TRUE(possible(history));
    // The last thing that is seen becomes a value that was overwritten long before.
    const auto old = std::ranges::find_if(history, [](const Operation& op) {
      return op.kind == Kind::kWrite && op.ending == Ending::kDone;
    });
    ASSERT_NE(old, history.end());
    Operation late = read(old->value, {100'000, 100'001});
    Operation newer = write(1'000'000, {90'000, 90'001});
    history.push_back(newer);
    history.push_back(late);
    EXPECT_FALSE(possible(history));
    ++damaged;
  }
  EXPECT_EQ(damaged, 60);
}

}  // namespace
}  // namespace support
