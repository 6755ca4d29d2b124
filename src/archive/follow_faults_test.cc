// What the continuous mode makes of clocks, keys, users and members that change under it.
#include "archive/describe.h"
#include "archive/follow.h"
#include "archive/follow_testing.h"
#include "archive/no_create_only.h"
#include "archive/recorder.h"

namespace {

using archive::FetchOutcome;
using archive::FollowStatus;
using archive::testing::change;
using archive::testing::Killed;

class FollowFaults : public archive::testing::FollowBench {};

TEST_F(FollowFaults, AWallClockThatIsSetBackHoldsUpNothing) {
  backup();
  const auto report = follow({changes(5),
                              [&](const FollowStatus& status) {
                                if (status.saved < cluster.sample.revision) return false;
                                clock.set_wall_back(std::chrono::hours(24));
                                clock.pass(std::chrono::seconds(61));
                                return true;
                              },
                              until([](const FollowStatus& s) { return s.segments == 1; }),
                              changes(5), until([&](const FollowStatus& s) {
                                return s.saved == cluster.sample.revision && s.segments == 1;
                              })});
  EXPECT_EQ(report.error, "");
  expect_reached(cluster.sample.revision);
}

// Behind a hole nothing can be brought back until there is a backup from there on.
TEST_F(FollowFaults, BehindAHoleThereIsNoBackupToBeginFrom) {
  ASSERT_EQ(follow({changes(20)}).error, "");
  const auto before = cluster.sample.revision;
  for (int i = 0; i < 10; ++i) change(cluster.sample, random);
  stream.compacted = cluster.sample.revision - 2;
  then[cluster.sample.revision] = cluster.sample;
  const auto lost = cluster.sample.revision;
  bool fails = true;
  faults = [&](std::string_view operation,
               const std::string& object) -> std::optional<objstore::Fault> {
    if (!fails || operation == "get" || operation == "list" ||
        object.find("/full-") == std::string::npos)
      return {};
    return objstore::Fault{.trouble = objstore::Trouble::kRefused};
  };
  const auto report = follow({until([&](const FollowStatus& s) { return s.holes > 0; }),
                              [&](const FollowStatus& s) {
                                EXPECT_EQ(s.base, "");
                                if (s.problem.find("backup: ") == std::string::npos) return false;
                                fails = false;
                                return true;
                              },
                              changes(5)});
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(last.holes, 1U);
  EXPECT_EQ(last.last_hole, fmt::format("revisions {} to {}", before + 1, lost));
  EXPECT_NE(last.base, "");
  expect_reached(cluster.sample.revision);
}

// What nobody saw come has the time at which it was read.
TEST_F(FollowFaults, ATimeAtWhichNobodyListenedIsTold) {
  backup();
  ASSERT_EQ(follow({changes(10)}).error, "");
  const auto before = cluster.sample.revision;
  const auto left = clock.now();
  for (int i = 0; i < 5; ++i) change(cluster.sample, random);
  clock.pass(std::chrono::hours(1));
  ASSERT_EQ(follow({changes(5)}).error, "");
  auto wanted = fetch_job();
  wanted.to_time = left + std::chrono::minutes(30);
  const auto silent = archive::fetch(wanted, world());
  EXPECT_EQ(silent.revision, before);
  EXPECT_NE(silent.warning.find("nobody listened"), std::string::npos) << silent.warning;
  wanted.to_time = log().ranges.at(0).end;
  EXPECT_EQ(archive::fetch(wanted, world()).warning.find("nobody listened"), std::string::npos);
}

// Of what one key closed nothing is needed by who has the other one.
TEST_F(FollowFaults, AnotherKeyGoesOnBehindABackupOfItsOwn) {
  key = *archive::Key::parse(std::string(64, 'c'), "key");
  ASSERT_EQ(follow({changes(10)}).error, "");
  kill_at = "log_part.after";
  kill_after = 2;
  EXPECT_THROW(follow({changes(10), changes(10)}), Killed);
  kill_at.clear();
  key = *archive::Key::parse(std::string(64, 'd'), "key");
  ASSERT_EQ(follow({changes(10)}).error, "");
  EXPECT_EQ(log().ranges.size(), 1U);
  EXPECT_TRUE(log().problems.empty()) << log().problems.front();
  ASSERT_EQ(catalog().entries.size(), 2U);
  EXPECT_EQ(catalog().entries.front().manifest->encryption, key->encryption());
  expect_reached(cluster.sample.revision);
  ASSERT_EQ(follow({changes(10)}).error, "");
  EXPECT_EQ(catalog().entries.size(), 2U);
  expect_reached(cluster.sample.revision);
}

// A part would need the key that it was closed with.
TEST_F(FollowFaults, WhoIsStoppedLeavesASegmentAndNoParts) {
  backup();
  ASSERT_EQ(follow({changes(10)}).error, "");
  for (const auto& entry : log().entries) EXPECT_EQ(entry.name.part, 0) << entry.name.text();
  EXPECT_FALSE(log().entries.empty());
}

TEST_F(FollowFaults, ANameThatIsTakenByDamageIsPassedOver) {
  backup();
  const auto taken = shelf().key(life + "/log-000000000001.seg");
  const auto report = follow({changes(10),
                              [&](const FollowStatus& status) {
                                if (status.saved < cluster.sample.revision) return false;
                                EXPECT_TRUE(store.put(taken, "no segment", {}, call()));
                                clock.pass(std::chrono::seconds(61));
                                return true;
                              },
                              changes(10)});
  EXPECT_EQ(report.error, "");
  EXPECT_TRUE(store.get(taken, {}, [](std::string_view) { return base::Status(); }, call()));
  expect_reached(cluster.sample.revision);
}

TEST_F(FollowFaults, AMemberThatTurnsCorruptIsNotWatchedOn) {
  backup();
  std::string first;
  const auto report = follow(
      {changes(5),
       [&](const FollowStatus& status) {
         first = status.member;
         cluster.alarms.push_back(
             {.member = {cluster.members.at(first).id}, .kind = etcd::AlarmKind::kCorrupt});
         return true;
       },
       until([&](const FollowStatus& status) { return status.member != first; }), changes(5)});
  EXPECT_EQ(report.error, "");
  EXPECT_NE(last.member, first);
}

TEST_F(FollowFaults, TheBackupThatAChangeOfUsersNeedsIsTakenByTheNextOneToo) {
  cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(1);
  backup();
  faults = [&](std::string_view operation,
               const std::string& object) -> std::optional<objstore::Fault> {
    if (operation == "get" || operation == "list" || object.find("/full-") == std::string::npos)
      return {};
    return objstore::Fault{.trouble = objstore::Trouble::kRefused};
  };
  ASSERT_EQ(follow({changes(5),
                    [&](const FollowStatus&) {
                      stream.auth = 2;
                      cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(2);
                      return true;
                    },
                    until([](const FollowStatus& s) {
                      return s.problem.find("backup: ") != std::string::npos;
                    })})
                .error,
            "");
  faults = {};
  ASSERT_EQ(catalog().entries.size(), 1U);
  ASSERT_EQ(follow({until([&](const FollowStatus&) { return catalog().entries.size() == 2; }),
                    changes(5)})
                .error,
            "");
  EXPECT_EQ(catalog().entries.front().manifest->auth_revision, 2U);
}

// etcd gives no new revision to that.
TEST_F(FollowFaults, EtcdThatAsksForPasswordsMeansAnotherBackup) {
  cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(1);
  const auto enable = [&](const FollowStatus& status) {
    if (status.saved < cluster.sample.revision) return false;
    stream.passwords = true;
    cluster.sample.buckets["auth"]["authEnabled"] = "\1";
    return true;
  };
  const auto again = until([&](const FollowStatus&) { return catalog().entries.size() == 2; });
  ASSERT_EQ(follow({changes(5), enable, again, changes(5)}).error, "");
  EXPECT_TRUE(catalog().entries.front().manifest->auth_enabled);
  EXPECT_FALSE(log().entries.front().head->users.enabled);
  EXPECT_TRUE(log().entries.back().head->users.enabled);
  const auto newest = catalog().entries.front().name.text();
  ASSERT_TRUE(store.remove(key_of(newest, archive::Part::kManifest), call()));
  EXPECT_NE(fetch_at(cluster.sample.revision).warning.find("users and roles are those of"),
            std::string::npos);
  // The next one finds that out too.
  ASSERT_EQ(follow({again, changes(5)}).error, "");
}

// Users change without a revision: two backups of one revision have other ones.
TEST_F(FollowFaults, AtATimeTheUsersAreThoseOfThen) {
  cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(1);
  base::Instant before{};
  const auto report = follow(
      {changes(5),
       [&](const FollowStatus& status) {
         if (status.saved < cluster.sample.revision) return false;
         clock.pass(std::chrono::seconds(1));
         before = clock.now();
         clock.pass(std::chrono::seconds(1));
         stream.auth = 2;
         cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(2);
         return true;
       },
       until([&](const FollowStatus&) { return catalog().entries.size() == 2; }), changes(1)});
  ASSERT_EQ(report.error, "");
  const auto newest = catalog().entries.front();
  ASSERT_EQ(newest.manifest->auth_revision, 2U);
  auto wanted = fetch_job();
  wanted.to_time = before;
  const auto found = archive::fetch(wanted, world());
  ASSERT_EQ(found.outcome, FetchOutcome::kFetched) << found.error;
  EXPECT_EQ(found.revision, newest.name.revision);
  EXPECT_NE(found.name, newest.name.text());
  EXPECT_EQ(found.warning, "");
  EXPECT_EQ(fetch_at(newest.name.revision).name, newest.name.text());
  // Better than nothing, and told.
  ASSERT_TRUE(store.damage(key_of(found.name, archive::Part::kData),
                           [](std::string& bytes) { bytes[bytes.size() / 2] ^= 1; }));
  const auto later = archive::fetch(wanted, world());
  ASSERT_EQ(later.outcome, FetchOutcome::kFetched) << later.error;
  EXPECT_EQ(later.name, newest.name.text());
  EXPECT_NE(later.warning.find("users and roles are those of 2"), std::string::npos)
      << later.warning;
}

bool is_probe(const std::string& object) {
  return object.find("/fence-probe-") != std::string::npos;
}

// It is tried once, however often the watch begins anew, and nothing stays of it.
TEST_F(FollowFaults, WhetherItsStoreKeepsToTheConditionIsTriedOnce) {
  backup();
  int tried = 0;
  faults = [&](std::string_view operation, const std::string& object) {
    tried += operation == "put" && is_probe(object) ? 1 : 0;
    return std::optional<objstore::Fault>();
  };
  stream.breaks_after = 3;
  ASSERT_EQ(follow({changes(30), changes(30)}).error, "");
  EXPECT_GT(stream.opened, 2U);
  EXPECT_EQ(tried, 2);
  EXPECT_FALSE(last.weak_fence) << last.weak_why;
  EXPECT_TRUE(catalog().probes.empty());
}

TEST_F(FollowFaults, AStoreThatDoesNotKeepToTheConditionIsTold) {
  backup();
  using archive::testing::Condition;
  for (const auto& [condition, words] :
       {std::pair(Condition::kIgnored, "does not keep to it"),
        std::pair(Condition::kRefused, "cannot create an object without replacing")}) {
    archive::testing::NoCreateOnly weak(store, condition);
    through = &weak;
    ++epoch;
    ASSERT_EQ(follow({changes(5)}).error, "");
    EXPECT_TRUE(last.weak_fence);
    EXPECT_NE(last.weak_why.find(words), std::string::npos) << last.weak_why;
    EXPECT_TRUE(catalog().probes.empty());
    expect_reached(cluster.sample.revision);
  }
}

TEST_F(FollowFaults, AProbeThatWasCutShortConfusesNobody) {
  backup();
  int puts = 0;
  faults = [&](std::string_view operation,
               const std::string& object) -> std::optional<objstore::Fault> {
    if (operation == "put" && is_probe(object) && ++puts == 2) throw Killed();
    return {};
  };
  EXPECT_THROW(follow(), Killed);
  EXPECT_EQ(catalog().probes.size(), 1U);
  EXPECT_EQ(catalog().foreign, 0U);
  EXPECT_EQ(archive::to_text(catalog()).find("probe"), std::string::npos);
  ++epoch;
  ASSERT_EQ(follow({changes(5)}).error, "");
  EXPECT_FALSE(last.weak_fence) << last.weak_why;
  expect_reached(cluster.sample.revision);
  // By the next backup, when nobody can be at it any more.
  backup();
  EXPECT_EQ(catalog().probes.size(), 1U);
  clock.pass(std::chrono::hours(2));
  backup();
  EXPECT_TRUE(catalog().probes.empty());
}

TEST_F(FollowFaults, AProbeThatIsNotAnsweredHoldsUpNothing) {
  backup();
  int refused = 0;
  faults = [&](std::string_view operation,
               const std::string& object) -> std::optional<objstore::Fault> {
    if (operation != "put" || !is_probe(object)) return {};
    ++refused;
    return objstore::Fault{.code = base::Code::kPermissionDenied};
  };
  stream.breaks_after = 2;
  ASSERT_EQ(follow({changes(30), changes(30)}).error, "");
  EXPECT_GT(stream.opened, 4U);
  EXPECT_EQ(refused, 3);
  EXPECT_FALSE(last.weak_fence);
  expect_reached(cluster.sample.revision);
}

// However many changes one answer has.
TEST_F(FollowFaults, AFrameIsClosedBetweenRevisions) {
  archive::Recorder recorder(2, {});
  bolt::testing::Sample sample;
  for (int i = 0; i < 30; ++i) sample.put("k", std::string(1000, 'v'));
  std::vector<archive::Frame> frames;
  std::string all;
  const auto take = [&] {
    if (recorder.bytes() < 5000) return;
    auto taken = recorder.take();
    frames.push_back(taken.frame);
    all += taken.records;
  };
  ASSERT_TRUE(recorder.add({.revision = sample.revision,
                            .cluster_id = {},
                            .events = archive::testing::events_of(sample, 2, sample.revision)},
                           clock.now(), take));
  EXPECT_GE(frames.size(), 5U);
  for (size_t i = 1; i < frames.size(); ++i) EXPECT_EQ(frames[i].first, frames[i - 1].last + 1);
  EXPECT_EQ(all + recorder.take().records,
            archive::testing::records_of(sample, 2, sample.revision));
}

}  // namespace
