#include "archive/retention.h"

#include <gtest/gtest.h>

#include <random>

namespace archive {
namespace {

using std::chrono::hours;

base::Instant at(base::Duration after) {
  return *base::parse_rfc3339("2026-11-22T00:00:00.000Z") + after;
}

Held good(std::int64_t revision, base::Duration after = {}) {
  return {.revision = revision, .time = at(after), .verified = true};
}
// Revisions in the order of time.
std::vector<Held> row(std::initializer_list<std::int64_t> revisions) {
  std::vector<Held> out;
  for (const auto revision : revisions)
    out.push_back(good(revision, hours(static_cast<int>(out.size()))));
  return out;
}
std::vector<std::int64_t> kept(const std::vector<Held>& held, const Retention& retention) {
  const auto verdicts = judge(held, retention);
  std::vector<std::int64_t> out;
  for (size_t i = 0; i < held.size(); ++i)
    if (verdicts[i] != Kept::kNo) out.push_back(held[i].revision);
  return out;
}
using List = std::vector<std::int64_t>;

TEST(Retention, CountsByNumberAndNotByText) {
  EXPECT_EQ(kept(row({8, 9, 10, 11}), {.max_backups = 3}), (List{9, 10, 11}));
  EXPECT_EQ(kept(row({98, 99, 100, 101}), {.max_backups = 3}), (List{99, 100, 101}));
  EXPECT_EQ(kept(row({998, 999, 1000, 1001}), {.max_backups = 3}), (List{999, 1000, 1001}));
  EXPECT_EQ(kept(row({9, 10, 99, 100, 999, 1000}), {.max_backups = 2}), (List{999, 1000}));
  EXPECT_EQ(kept(row({1, 2}), {.max_backups = 3}), (List{1, 2}));
  EXPECT_EQ(kept(row({1, 2, 3, 4}), {.max_backups = 0}), (List{1, 2, 3, 4}));
  EXPECT_EQ(kept({}, {.max_backups = 3}), List{});
}

TEST(Retention, OnlyVerifiedOnesCount) {
  auto held = row({1, 2, 3, 4, 5});
  held[3].verified = held[4].verified = false;
  const auto verdicts = judge(held, {.max_backups = 2});
  EXPECT_EQ(verdicts,
            (std::vector{Kept::kNo, Kept::kCount, Kept::kCount, Kept::kNotBad, Kept::kNotBad}));
  // Once enough good ones are newer it goes.
  for (const auto revision : {6, 7}) held.push_back(good(revision, hours(revision)));
  EXPECT_EQ(kept(held, {.max_backups = 2}), (List{6, 7}));
  // None is verified: none is pruned.
  for (auto& one : held) one.verified = false;
  EXPECT_EQ(kept(held, {.max_backups = 2}).size(), held.size());
}

TEST(Retention, WhatCannotBeJudgedStays) {
  auto held = row({1, 2, 3, 4, 5});
  held[0].verified = held[1].verified = false;
  held[1].unknown = true;
  const auto verdicts = judge(held, {.max_backups = 2});
  EXPECT_EQ(verdicts,
            (std::vector{Kept::kNo, Kept::kNotBad, Kept::kNo, Kept::kCount, Kept::kCount}));
}

TEST(Retention, TheNewestProvenOneStays) {
  auto held = row({1, 2, 3, 4, 5});
  held[0].proven = held[1].proven = true;
  const auto verdicts = judge(held, {.max_backups = 2});
  EXPECT_EQ(verdicts,
            (std::vector{Kept::kNo, Kept::kProven, Kept::kNo, Kept::kCount, Kept::kCount}));
  // What was found damaged after its proof protects nothing; the one before it does.
  held[1].verified = false;
  EXPECT_EQ(judge(held, {.max_backups = 2})[0], Kept::kProven);
  EXPECT_EQ(judge(held, {.max_backups = 2})[1], Kept::kNo);
}

TEST(Retention, TheLastOneStaysWhateverItsRevision) {
  auto held = row({38, 39, 40, 12});
  EXPECT_EQ(judge(held, {.max_backups = 3})[3], Kept::kNewest);
  held.push_back(good(13, hours(9)));
  EXPECT_EQ(kept(held, {.max_backups = 3}), (List{38, 39, 40, 13}));
}

TEST(Retention, Tiers) {
  std::vector<Held> held;
  // Every half hour of 40 days, the last at 23:30 of a Tuesday (2026-12-29… by count).
  for (int i = 0; i < 40 * 48; ++i) held.push_back(good(i + 1, std::chrono::minutes(30) * i));
  const Retention retention{.max_backups = 1,
                            .tiers = {.hourly = 3, .daily = 2, .weekly = 2, .monthly = 3}};
  const auto verdicts = judge(held, retention);
  std::vector<std::string> out;
  for (size_t i = 0; i < held.size(); ++i)
    if (verdicts[i] != Kept::kNo)
      out.push_back(base::to_rfc3339(held[i].time).substr(5, 11) + " " +
                    std::string(name_of(verdicts[i])));
  EXPECT_EQ(out, (std::vector<std::string>{"11-30T23:30 monthly", "12-27T23:30 weekly",
                                           "12-30T23:30 daily", "12-31T21:30 hourly",
                                           "12-31T22:30 hourly", "12-31T23:30 count"}));
}

// Whatever is held and asked for, the newest verified and the newest proven one stay, at least the
// count of verified ones stays, and judging what is left changes nothing.
TEST(Retention, NeverTheNewestGoodOnes) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::vector<Held> held;
    const auto size = random() % 12;
    for (unsigned i = 0; i < size; ++i)
      held.push_back({.revision = static_cast<std::int64_t>(random() % 8 + 1),
                      .time = at(hours(static_cast<int>(random() % 2000))),
                      .verified = random() % 4 != 0,
                      .proven = random() % 4 == 0});
    const Retention retention{.max_backups = static_cast<unsigned>(random() % 4 + 1),
                              .tiers = {.daily = static_cast<unsigned>(random() % 3)}};
    const auto verdicts = judge(held, retention);
    const auto newer = [&](size_t a, size_t b) {
      return std::pair(held[a].revision, held[a].time) > std::pair(held[b].revision, held[b].time);
    };
    unsigned verified = 0, verified_kept = 0;
    for (size_t i = 0; i < size; ++i) {
      if (!held[i].verified) continue;
      ++verified;
      verified_kept += verdicts[i] != Kept::kNo;
      bool newest = true, newest_proven = held[i].proven;
      for (size_t j = 0; j < size; ++j) {
        newest = newest && !(held[j].verified && newer(j, i));
        newest_proven = newest_proven && !(held[j].verified && held[j].proven && newer(j, i));
      }
      const auto same = [&](size_t j) {
        return held[j].revision == held[i].revision && held[j].time == held[i].time;
      };
      bool kept_one = false;
      for (size_t j = 0; j < size; ++j)
        kept_one = kept_one || (same(j) && verdicts[j] != Kept::kNo);
      if (newest || newest_proven) EXPECT_TRUE(kept_one) << round;
    }
    EXPECT_GE(verified_kept, std::min(verified, retention.max_backups)) << round;
    std::vector<Held> left;
    for (size_t i = 0; i < size; ++i)
      if (verdicts[i] != Kept::kNo) left.push_back(held[i]);
    for (const auto verdict : judge(left, retention)) EXPECT_NE(verdict, Kept::kNo) << round;
  }
}

}  // namespace
}  // namespace archive
