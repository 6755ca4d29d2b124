#include "archive/follow.h"

#include "archive/follow_testing.h"

namespace {

using archive::FetchOutcome;
using archive::FollowJob;
using archive::FollowReport;
using archive::FollowStatus;
using archive::testing::change;
using archive::testing::Killed;
using base::Code;

class Follow : public archive::testing::FollowBench {};

TEST(FollowJobs, AreReadAndWrittenAndJudged) {
  const std::string_view good =
      R"({"cluster": {"namespace": "n", "name": "c"}, "store": {"url": "/s"}, "scratch": "/t",
          "incarnation": "20261122T031500Z-8f3a9c02", "endpoints": [{"member": "m", "url": "u"}],
          "maxLagMilliseconds": 500, "sealSeconds": 5, "status": "/st"})";
  const auto job = archive::parse_follow_job(good);
  ASSERT_TRUE(job) << job.error().text();
  EXPECT_EQ(job->max_lag.count(), 500);
  EXPECT_EQ(archive::parse_follow_job(to_json(*job)), *job);
  const auto said = [&](std::string_view from, std::string_view to) {
    std::string text(good);
    text.replace(text.find(from), from.size(), to);
    const auto read = archive::parse_follow_job(text);
    return read ? std::string("good") : read.error().message;
  };
  EXPECT_EQ(said(": 500", ": 99"), "maxLagMilliseconds is 99; allowed is 100 to 60000");
  EXPECT_EQ(said("\"status\"", "\"statu\""), "unknown field statu");
  EXPECT_EQ(said("\"sealSeconds\": 5", "\"sealBytes\": 5"),
            "sealBytes is 5; allowed is 65536 to 67108864");
  EXPECT_NE(said("20261122T031500Z", "2026").find("incarnation"), std::string::npos);
  const archive::FollowStatus status{
      .state = archive::FollowState::kWaiting, .saved = 3, .problem = "no member"};
  EXPECT_EQ(archive::parse_follow_status(to_json(status)), status);
  EXPECT_EQ(said("\"status\": \"/st\"", "\"statusPort\": 65536"),
            "statusPort is 65536; allowed is 0 to 65535");
  auto served = status;
  served.age_ms = 7;
  served.outdated = true;
  EXPECT_EQ(archive::parse_follow_status(to_json(served)), served);
}

// A container's termination message is cut at 4 KiB, and what is cut cannot be read.
TEST(FollowJobs, AReportStaysSmallWhateverItSays) {
  const archive::FollowReport long_one{.saved = 3, .error = std::string(5'000, '"')};
  const auto text = to_json(long_one);
  EXPECT_LE(text.size(), 2048U);
  const auto read = archive::parse_follow_report(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->error.substr(0, 40), std::string(40, '"'));
}

TEST_F(Follow, TakesABackupAndThenAllThatHappens) {
  const auto before = cluster.sample.revision;
  then[before] = cluster.sample;
  const auto report = follow({changes(40), changes(40)});
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(report.saved, cluster.sample.revision);
  EXPECT_EQ(last.lag_ms, 0);
  ASSERT_EQ(log().ranges.size(), 1U);
  EXPECT_EQ(log().ranges[0].last, cluster.sample.revision);
  EXPECT_TRUE(log().problems.empty());
  EXPECT_EQ(catalog().foreign, 0U);
  for (auto at = before; at <= cluster.sample.revision; at += 9) expect_reached(at);
  expect_reached(cluster.sample.revision);
  const auto beyond = fetch_at(cluster.sample.revision + 1);
  EXPECT_EQ(beyond.error_kind, archive::kind::kRange) << beyond.error;
  EXPECT_EQ(fetch_at(before - 1).error_kind, archive::kind::kRange);
}

TEST_F(Follow, GoesOnBehindWhatWasSavedWhateverEndsIt) {
  backup();
  for (const auto* point : {"log_part.before", "log_part.after", "log_seal.before",
                            "log_seal.after", "log_part.removed"})
    for (const int times : {1, 3}) {
      kill_at = point;
      kill_after = times;
      bool killed = false;
      try {
        follow({changes(10), changes(10),
                [&](const FollowStatus&) {
                  clock.pass(std::chrono::seconds(61));
                  return true;
                },
                changes(10), changes(10)});
      } catch (const Killed&) {
        killed = true;
      }
      kill_at.clear();
      const auto report = follow({changes(3)});
      EXPECT_EQ(report.error, "") << point;
      EXPECT_EQ(log().ranges.size(), 1U) << point;
      EXPECT_TRUE(log().problems.empty()) << point << ": " << log().problems.front();
      EXPECT_TRUE(killed || times > 1) << point;
    }
  for (const auto& [revision, sample] : then)
    if (revision % 11 == 0) expect_reached(revision);
}

TEST_F(Follow, ALineThatBreaksIsTakenUpWhereItBroke) {
  backup();
  stream.breaks_after = 3;
  const auto report = follow({changes(30), changes(30), changes(30)});
  EXPECT_EQ(report.error, "");
  EXPECT_GT(stream.opened, 3U);
  EXPECT_EQ(log().ranges.size(), 1U);
  EXPECT_TRUE(log().problems.empty());
  expect_reached(cluster.sample.revision);
}

TEST_F(Follow, WhatWasCompactedMeanwhileIsAnEndAndANewBeginning) {
  ASSERT_EQ(follow({changes(20)}).error, "");
  const auto first = cluster.sample.revision;
  for (int i = 0; i < 10; ++i) change(cluster.sample, random);
  stream.compacted = cluster.sample.revision - 2;
  then[cluster.sample.revision] = cluster.sample;
  const auto second = cluster.sample.revision;
  const auto report =
      follow({until([&](const FollowStatus& s) {
                return s.base.find(fmt::format("{:020}", second)) != std::string::npos;
              }),
              changes(20)});
  EXPECT_EQ(report.error, "");
  ASSERT_EQ(log().ranges.size(), 2U);
  EXPECT_EQ(log().ranges[0].last, first);
  EXPECT_EQ(log().ranges[1].first, second + 1);
  EXPECT_TRUE(log().problems.empty()) << log().problems.front();
  expect_reached(first);
  expect_reached(second);
  expect_reached(cluster.sample.revision);
  EXPECT_EQ(fetch_at(first + 3).error_kind, archive::kind::kRange);
}

TEST_F(Follow, AChangeThatIsNotSentIsFoundByItsNumber) {
  backup();
  stream.hole = cluster.sample.revision + 7;
  const auto hole = stream.hole;
  const auto report = follow({changes(20), until([&](const FollowStatus&) {
                                const bool again = stream.from.size() > 1;
                                if (again) stream.hole = 0;  // another member has it
                                return again;
                              })});
  EXPECT_EQ(report.error, "");
  EXPECT_LE(stream.from.at(1), hole);
  EXPECT_EQ(log().ranges.size(), 1U);
  expect_reached(cluster.sample.revision);
}

// What a member has and did not send yet is no less late than what came and is not written.
TEST_F(Follow, WhatIsStillToComeCountsAsLate) {
  backup();
  base::Tick since{};
  std::int64_t head = 0;
  unsigned late = 0;
  const auto report =
      follow({changes(2),
              [&](const FollowStatus& status) {
                if (status.saved < cluster.sample.revision) return false;
                EXPECT_FALSE(status.catching_up);
                stream.each = base::Duration(50);
                changes(500)(status);
                since = clock.tick();
                head = cluster.sample.revision;
                return true;
              },
              until([&](const FollowStatus& status) {
                if (status.saved >= head) return true;
                const auto age = clock.tick() - since;
                if (age < std::chrono::seconds(2)) return false;
                ++late;
                EXPECT_GE(base::Duration(status.lag_ms), age - std::chrono::seconds(1));
                EXPECT_LE(base::Duration(status.lag_ms), age + std::chrono::milliseconds(100));
                return false;
              })});
  EXPECT_EQ(report.error, "");
  EXPECT_GT(late, 20U);
  EXPECT_EQ(last.lag_ms, 0);
}

TEST_F(Follow, HowOldAChangeIsFromBeforeItBeganIsNotKnown) {
  backup();
  ASSERT_EQ(follow({changes(5)}).error, "");
  for (int i = 0; i < 100; ++i) change(cluster.sample, random);
  const auto head = cluster.sample.revision;
  clock.pass(std::chrono::hours(2));
  stream.each = base::Duration(50);
  unsigned told = 0;
  ASSERT_EQ(follow({until([&](const FollowStatus& status) {
              if (status.state != archive::FollowState::kFollowing) return false;
              EXPECT_EQ(status.catching_up, status.saved < head) << status.saved;
              if (status.catching_up) ++told;
              return status.saved >= head;
            })}).error,
            "");
  EXPECT_GT(told, 1U);
  EXPECT_FALSE(last.catching_up);
}

TEST_F(Follow, AnotherUserMeansAnotherBackup) {
  cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(1);
  const auto report = follow(
      {changes(5),
       [&](const FollowStatus& status) {
         if (status.saved < cluster.sample.revision) return false;
         stream.auth = 2;
         cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(2);
         return true;
       },
       until([&](const FollowStatus&) { return catalog().entries.size() == 2; }), changes(5)});
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(log().ranges.size(), 1U);
  EXPECT_EQ(log().entries.back().head->users.revision, 2U);
  EXPECT_EQ(log().entries.front().head->users.revision, 1U);
  // A user that was removed must not come back untold.
  const std::string told = "users and roles are those of revision 22: ";
  EXPECT_EQ(fetch_at(cluster.sample.revision).warning.find(told), std::string::npos);
  const auto newest = catalog().entries.front().name.text();
  ASSERT_TRUE(store.remove(key_of(newest, archive::Part::kManifest), call()));
  const auto older = fetch_at(cluster.sample.revision);
  ASSERT_EQ(older.outcome, FetchOutcome::kFetched) << older.error;
  EXPECT_NE(older.warning.find(told), std::string::npos) << older.warning;
}

TEST_F(Follow, LeasesAreLearnt) {
  stream.leases = {{1, 111}, {2, 222}};
  backup();
  const auto report = follow({[&](const FollowStatus& status) {
    if (status.base.empty()) return false;
    cluster.sample.put("one", "1", 1);
    cluster.sample.put("three", "1", 3);  // which is gone already
    return true;
  }});
  EXPECT_EQ(report.error, "");
  const auto fetched = fetch_at(cluster.sample.revision);
  ASSERT_EQ(fetched.outcome, FetchOutcome::kFetched) << fetched.error;
  EXPECT_NE(fetched.warning.find("1 leases"), std::string::npos) << fetched.warning;
}

TEST_F(Follow, OfTwoWritersTheOneWithTheLowerEpochEnds) {
  backup();
  ASSERT_EQ(follow({changes(5)}).error, "");
  epoch = 2;
  ASSERT_EQ(follow({changes(5)}).error, "");
  epoch = 1;
  const auto report = follow();
  EXPECT_EQ(report.error_kind, archive::kind::kStale) << report.error;
}

// Scheduled backups and logs count their epochs apart.
TEST_F(Follow, ABackupThatItTakesIsNeitherHeldUpByScheduledOnesNorHoldsThemUp) {
  auto scheduled = job();
  scheduled.epoch = 7;
  const auto first = run(scheduled, world());
  ASSERT_EQ(first.outcome, archive::RunOutcome::kUploaded);
  std::string base = first.name;
  const auto has_another = until([&](const FollowStatus& status) {
    if (status.base.empty() || status.base == base) return false;
    base = status.base;
    return true;
  });
  for (int i = 0; i < 10; ++i) change(cluster.sample, random);
  stream.compacted = cluster.sample.revision;  // so that it needs a backup of its own
  ASSERT_EQ(follow({has_another, changes(5)}).error, "");
  EXPECT_EQ(catalog().entries.size(), 2U);
  expect_reached(cluster.sample.revision);
  clock.pass(std::chrono::minutes(1));
  epoch = 9;
  for (int i = 0; i < 10; ++i) change(cluster.sample, random);
  stream.compacted = cluster.sample.revision;
  ASSERT_EQ(follow({has_another, changes(5)}).error, "");
  EXPECT_EQ(catalog().entries.size(), 3U);
  scheduled.epoch = 8;
  EXPECT_EQ(run(scheduled, world()).outcome, archive::RunOutcome::kUploaded);
}

TEST_F(Follow, DataThatWentBackEndsIt) {
  backup();
  const auto old = cluster.sample;
  ASSERT_EQ(follow({changes(5)}).error, "");
  cluster.sample = old;
  const auto report = follow();
  EXPECT_EQ(report.error_kind, archive::kind::kBehind) << report.error;
}

TEST_F(Follow, AStoreThatFailsIsWaitedOut) {
  backup();
  int left = 0;
  faults = [&](std::string_view operation,
               const std::string& object) -> std::optional<objstore::Fault> {
    if (object.find("/log-") == std::string::npos || operation != "put" || left == 0) return {};
    --left;
    return objstore::Fault{.trouble = left % 3 == 0   ? objstore::Trouble::kRefused
                                      : left % 3 == 1 ? objstore::Trouble::kLostAnswer
                                                      : objstore::Trouble::kLost};
  };
  const auto report = follow({changes(10),
                              [&](const FollowStatus&) {
                                left = 7;
                                return true;
                              },
                              [&](const FollowStatus& status) {
                                changes(1)(status);
                                return left == 0;
                              },
                              changes(10)});
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(left, 0);
  EXPECT_EQ(log().ranges.size(), 1U);
  EXPECT_TRUE(log().problems.empty()) << log().problems.front();
  expect_reached(cluster.sample.revision);
}

// What could not be noted is asked for again: nothing comes behind it before.
TEST_F(Follow, AFullDiskLeavesNoHole) {
  backup();
  const auto report = follow({changes(5),
                              [&](const FollowStatus& status) {
                                if (status.saved < cluster.sample.revision) return false;
                                clock.pass(std::chrono::seconds(61));  // a segment is due
                                changes(40)(status);
                                full_disk.emplace(1);
                                return true;
                              },
                              changes(10)});
  EXPECT_EQ(report.error, "");
  EXPECT_FALSE(full_disk);
  EXPECT_GT(stream.opened, 1U);
  ASSERT_TRUE(log().problems.empty()) << log().problems.front();
  EXPECT_EQ(log().ranges.size(), 1U);
  expect_reached(cluster.sample.revision);
}

TEST_F(Follow, DamagedSegmentsAreNamedAndNotReadOver) {
  backup();
  const auto report = follow({changes(10),
                              [&](const FollowStatus&) {
                                clock.pass(std::chrono::seconds(61));
                                return true;
                              },
                              changes(10)});
  ASSERT_EQ(report.error, "");
  const auto whole = log();
  ASSERT_GE(whole.entries.size(), 1U);
  const auto& entry = whole.entries.front();
  ASSERT_TRUE(store.damage(shelf().key(entry.name.text()),
                           [](std::string& bytes) { bytes[bytes.size() - 9] ^= 1; }));
  const auto damaged = fetch_at(entry.head->last);
  EXPECT_EQ(damaged.error_kind, archive::kind::kMismatch);
  EXPECT_NE(damaged.error.find(entry.name.text()), std::string::npos) << damaged.error;
  ASSERT_TRUE(store.damage(shelf().key(entry.name.text()),
                           [](std::string& bytes) { bytes.resize(bytes.size() - 4); }));
  EXPECT_NE(log().problems.at(0).find("torn"), std::string::npos);
  EXPECT_EQ(fetch_at(entry.head->last).error_kind, archive::kind::kRange);
}

TEST_F(Follow, SegmentsThatOnlyRemovedBackupsNeedGoWithThem) {
  backup();
  const auto later = [&](const FollowStatus&) {
    clock.pass(std::chrono::seconds(61));
    return true;
  };
  ASSERT_EQ(follow({changes(10), later, changes(10), later, changes(10), later, changes(5)}).error,
            "");
  const auto before = log();
  ASSERT_GE(before.entries.size(), 3U);
  ASSERT_EQ(backup(2).outcome, archive::RunOutcome::kUploaded);
  EXPECT_EQ(log().entries.size(), before.entries.size());  // the older backup needs them
  const auto kept = cluster.sample.revision;
  ASSERT_EQ(follow({changes(10)}).error, "");
  ASSERT_EQ(backup(2).outcome, archive::RunOutcome::kUploaded);
  const auto after = log();
  EXPECT_LT(after.entries.size(), before.entries.size());
  EXPECT_TRUE(after.problems.empty());
  expect_reached(cluster.sample.revision);
  if (then.contains(kept)) expect_reached(kept);
  ASSERT_EQ(follow({changes(10)}).error, "");
  EXPECT_TRUE(log().problems.empty());
  expect_reached(cluster.sample.revision);
}

// Each segment gets its time: all of them together may take longer than one call may.
TEST_F(Follow, ALongLogIsTakenUpFromASlowStore) {
  backup();
  const auto later = [&](const FollowStatus&) {
    clock.pass(std::chrono::seconds(61));
    return true;
  };
  ASSERT_EQ(follow({changes(5), later, changes(5), later, changes(5), later, changes(5)}).error,
            "");
  ASSERT_GE(log().entries.size(), 4U);
  const auto before = cluster.sample.revision;
  faults = [&](std::string_view operation,
               const std::string& object) -> std::optional<objstore::Fault> {
    if (operation == "get" && object.find("/log-") != std::string::npos)
      clock.pass(std::chrono::seconds(25));
    return {};
  };
  ASSERT_EQ(follow({changes(5)}).error, "");
  faults = {};
  EXPECT_GT(cluster.sample.revision, before);
  EXPECT_TRUE(log().problems.empty());
  EXPECT_EQ(log().ranges.size(), 1U);
}

TEST_F(Follow, SegmentsStayBehindABackupThatReadsBadlyOnce) {
  const auto base = backup();
  const auto later = [&](const FollowStatus&) {
    clock.pass(std::chrono::seconds(61));
    return true;
  };
  ASSERT_EQ(follow({changes(10), later, changes(10), later, changes(10)}).error, "");
  const auto before = log().entries.size();
  ASSERT_GE(before, 3U);
  faults = [&](std::string_view operation,
               const std::string& object) -> std::optional<objstore::Fault> {
    if (operation != "get" || object != key_of(base.name, archive::Part::kManifest)) return {};
    return objstore::Fault{.trouble = objstore::Trouble::kLiedHalf};
  };
  ASSERT_EQ(backup(2).outcome, archive::RunOutcome::kUploaded);
  faults = {};
  EXPECT_EQ(log().entries.size(), before);
  expect_reached(cluster.sample.revision);
}

// Nothing happens, and that is known: a time in the midst of it can be asked for.
TEST_F(Follow, WhereNothingHappensASegmentSaysSo) {
  backup();
  const auto report =
      follow({changes(5),
              [&](const FollowStatus& status) {
                if (status.saved < cluster.sample.revision) return false;
                clock.pass(std::chrono::seconds(61));
                return true;
              },
              until([&](const FollowStatus&) {
                const auto now = log();
                return !now.entries.empty() && now.entries.back().head->records == 0;
              })});
  EXPECT_EQ(report.error, "");
  const auto heard = log().ranges.at(0).end;
  auto wanted = fetch_job();
  wanted.to_time = heard - std::chrono::seconds(100);
  EXPECT_EQ(archive::fetch(wanted, world()).revision, cluster.sample.revision);
}

TEST_F(Follow, TimesAreReached) {
  backup();
  std::vector<std::pair<base::Instant, std::int64_t>> marks;
  const auto mark = [&](const FollowStatus& status) {
    if (status.saved < cluster.sample.revision) return false;
    clock.pass(std::chrono::seconds(1));
    marks.emplace_back(clock.now(), cluster.sample.revision);
    clock.pass(std::chrono::seconds(1));
    return true;
  };
  ASSERT_EQ(follow({changes(7), mark, changes(7), mark, changes(7), mark, changes(1)}).error, "");
  for (const auto& [time, revision] : marks) {
    auto wanted = fetch_job();
    wanted.to_time = time;
    const auto report = archive::fetch(wanted, world());
    ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
    EXPECT_EQ(report.revision, revision);
  }
  auto wanted = fetch_job();
  wanted.to_time = clock.now() + std::chrono::hours(1);
  EXPECT_EQ(archive::fetch(wanted, world()).error_kind, archive::kind::kRange);
  wanted = fetch_job();
  wanted.latest = true;
  EXPECT_EQ(archive::fetch(wanted, world()).revision, cluster.sample.revision);
}

}  // namespace
