// What a restore takes that is asked for nothing in particular: the newest state that is proven.
#include "archive/latest.h"

#include "archive/follow_testing.h"

namespace {

using archive::FetchOutcome;
using archive::FetchReport;

class Latest : public archive::testing::FollowBench {
 protected:
  // A backup, and sealed segments behind it with changes in each.
  void live(int segments) {
    then[cluster.sample.revision] = cluster.sample;
    std::vector<Step> steps;
    for (int i = 0; i < segments; ++i) {
      steps.push_back(changes(8));
      steps.push_back([this](const archive::FollowStatus& status) {
        if (status.saved < cluster.sample.revision) return false;
        clock.pass(std::chrono::seconds(61));
        sealed_ = status.segments;
        return true;
      });
      steps.push_back(until([this](const auto& status) { return status.segments > sealed_; }));
    }
    ASSERT_EQ(follow(std::move(steps)).error, "");
  }
  FetchReport latest() {
    auto wanted = fetch_job();
    wanted.latest = true;
    wanted.exact = true;
    return archive::fetch(wanted, world());
  }
  // The sealed segments with changes behind the newest backup.
  std::vector<archive::LogEntry> changed() {
    auto entries = log().entries;
    const auto saved = catalog().entries.front().name.revision;
    std::erase_if(entries, [&](const auto& e) { return !e.head || e.head->last <= saved; });
    return entries;
  }
  void flip(const archive::SegmentName& name) {
    ASSERT_TRUE(store.damage(shelf().key(name.text()), [](std::string& b) { b.back() ^= 1; }));
  }
  // It is the cluster as it was at that revision, by the hash that a member would tell.
  void expect_state(const FetchReport& report, std::int64_t revision) {
    ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
    ASSERT_EQ(report.revision, revision) << report.warning;
    ASSERT_TRUE(then.contains(revision));
    const auto bytes = then.at(revision).file();
    const bolt::StringSource source(bytes);
    const auto database = bolt::Database::open(source, bytes.size() - bolt::kTrailer);
    const auto hash = bolt::hash_kv(
        *database,
        {.revision = revision, .compact_revision = report.hash_compact_revision, .sip = {1, 2}});
    ASSERT_TRUE(hash) << hash.error().text();
    EXPECT_EQ(report.hash, hash->hash);
  }
  static bool says(const FetchReport& report, const std::string& words) {
    return report.warning.find(words) != std::string::npos;
  }

 private:
  std::uint64_t sealed_ = 0;
};

TEST_F(Latest, AllThatCameBehindTheBackupComesBack) {
  ASSERT_NO_FATAL_FAILURE(live(3));
  const auto report = latest();
  expect_state(report, cluster.sample.revision);
  EXPECT_GT(report.log_records, 0U);
  EXPECT_FALSE(says(report, "brought back")) << report.warning;
  EXPECT_EQ(report.time, log().ranges.back().end) << "nothing else had come by then";
  // Of the newest backup that is good: a newer one needs less of the log.
  const auto older = report.name;
  change_and_backup();
  then[cluster.sample.revision] = cluster.sample;
  ASSERT_NO_FATAL_FAILURE(live(1));
  const auto newer = latest();
  expect_state(newer, cluster.sample.revision);
  EXPECT_NE(newer.name, older);
}

TEST_F(Latest, WithoutALogItIsTheBackup) {
  then[cluster.sample.revision] = cluster.sample;
  backup();
  auto wanted = fetch_job();
  const auto plain = archive::fetch(wanted, world());
  wanted.latest = true;
  EXPECT_EQ(archive::fetch(wanted, world()), plain);
  EXPECT_EQ(plain.outcome, FetchOutcome::kFetched);
}

TEST_F(Latest, ADamagedBackupIsPassedOverAndTheLogOfAnOlderOneReachesAsFar) {
  ASSERT_NO_FATAL_FAILURE(live(2));
  const auto good = catalog().entries.front().name;
  const auto report = change_and_backup();
  then[cluster.sample.revision] = cluster.sample;
  ASSERT_NO_FATAL_FAILURE(live(1));
  ASSERT_TRUE(store.damage(key_of(report.name, archive::Part::kData),
                           [](std::string& b) { b[b.size() / 2] ^= 1; }));
  const auto brought = latest();
  expect_state(brought, cluster.sample.revision);
  EXPECT_EQ(brought.name, good.text());
  ASSERT_EQ(brought.skipped.size(), 1U);
  EXPECT_EQ(brought.skipped[0].name, report.name);
}

TEST_F(Latest, ADamagedSegmentEndsItAndIsNamed) {
  ASSERT_NO_FATAL_FAILURE(live(3));
  const auto entries = changed();
  ASSERT_GE(entries.size(), 3U);
  flip(entries[1].name);
  const auto report = latest();
  expect_state(report, entries[0].head->last);
  EXPECT_TRUE(says(report, entries[1].name.text())) << report.warning;
  EXPECT_EQ(report.time, entries[0].head->end);
  // The first as well: the backup alone.
  flip(entries[0].name);
  const auto alone = latest();
  expect_state(alone, catalog().entries.front().name.revision);
  EXPECT_EQ(alone.log_records, 0U);
  EXPECT_TRUE(says(alone, entries[0].name.text())) << alone.warning;
}

TEST_F(Latest, AHoleEndsItAndIsNamed) {
  ASSERT_NO_FATAL_FAILURE(live(3));
  const auto entries = changed();
  ASSERT_GE(entries.size(), 3U);
  ASSERT_TRUE(store.remove(shelf().key(entries[1].name.text()), call()));
  const auto report = latest();
  expect_state(report, entries[0].head->last);
  EXPECT_TRUE(says(report, entries[2].name.text() + ": gap")) << report.warning;
  ASSERT_TRUE(store.remove(shelf().key(entries[0].name.text()), call()));
  const auto alone = latest();
  expect_state(alone, catalog().entries.front().name.revision);
  EXPECT_TRUE(says(alone, "gap")) << alone.warning;
}

TEST_F(Latest, ATornSegmentEndsItAndIsNamed) {
  ASSERT_NO_FATAL_FAILURE(live(2));
  const auto entries = changed();
  ASSERT_TRUE(store.damage(shelf().key(entries[1].name.text()),
                           [](std::string& bytes) { bytes.resize(bytes.size() / 2); }));
  const auto report = latest();
  expect_state(report, entries[0].head->last);
  EXPECT_TRUE(says(report, entries[1].name.text())) << report.warning;
}

TEST_F(Latest, AStoreThatDoesNotAnswerIsNoReasonToTakeLess) {
  ASSERT_NO_FATAL_FAILURE(live(2));
  const auto silent = shelf().key(changed().front().name.text());
  faults = [&](std::string_view operation, const std::string& object) {
    return operation == "get" && object == silent
               ? std::optional(objstore::Fault{.code = base::Code::kUnavailable})
               : std::nullopt;
  };
  const auto report = latest();
  EXPECT_EQ(report.outcome, FetchOutcome::kFailed);
  EXPECT_EQ(report.error_kind, archive::kind::kUnavailable) << report.error;
}

TEST_F(Latest, ANewerLifeOfWhichOnlyTheLogIsThereIsNamed) {
  ASSERT_NO_FATAL_FAILURE(live(1));
  const auto first = life;
  const auto revision = cluster.sample.revision;
  life = "20261123T000000Z-bbbb";
  ASSERT_NO_FATAL_FAILURE(live(1));
  for (const auto& entry : catalog().entries)
    if (entry.name.incarnation.text == life)
      for (const auto part : {archive::Part::kManifest, archive::Part::kData})
        ASSERT_TRUE(store.remove(shelf().key(entry.name, part), call()));
  const auto report = latest();
  expect_state(report, revision);
  EXPECT_EQ(report.incarnation, first);
  EXPECT_TRUE(says(report, life)) << report.warning;
}

TEST_F(Latest, APointThatNothingReachesIsToldWithWhatIsNearest) {
  ASSERT_NO_FATAL_FAILURE(live(2));
  const auto first = then.begin()->first, newest = cluster.sample.revision;
  auto wanted = fetch_job();
  wanted.to_revision = newest + 5;
  EXPECT_NE(archive::fetch(wanted, world())
                .error.find(fmt::format("the nearest before it is revision {} at ", newest)),
            std::string::npos)
      << archive::fetch(wanted, world()).error;
  wanted.to_revision = first - 1;
  EXPECT_NE(archive::fetch(wanted, world())
                .error.find(fmt::format("the nearest behind it is revision {} at ", first)),
            std::string::npos);
  wanted.to_revision.reset();
  wanted.to_time = clock.now() + std::chrono::hours(1);
  const auto late = archive::fetch(wanted, world());
  EXPECT_EQ(late.error_kind, archive::kind::kRange);
  EXPECT_NE(late.error.find(fmt::format("the nearest before it is revision {} at ", newest)),
            std::string::npos)
      << late.error;
  // A damaged segment on the way is no other point either.
  const auto entries = changed();
  ASSERT_GE(entries.size(), 2U);
  flip(entries[1].name);
  wanted.to_time.reset();
  wanted.to_revision = newest;
  const auto damaged = archive::fetch(wanted, world());
  EXPECT_EQ(damaged.error_kind, archive::kind::kMismatch);
  EXPECT_NE(damaged.error.find(
                fmt::format("the nearest before it is revision {}", entries[0].head->last)),
            std::string::npos)
      << damaged.error;
}

}  // namespace
