#include "archive/drill.h"

#include <algorithm>

#include "archive/archive_testing.h"
#include "posix/lock.h"

namespace archive {
namespace {

using base::Code;
using objstore::Fault;
using Part = archive::Part;

// What etcd would make of a snapshot: the same data; a test changes what it says.
class FakeOffline final : public OfflineEtcd {
 public:
  base::Status restore(const std::string& snapshot, const std::string& room, base::Duration,
                       const std::stop_token&) override {
    ++restores;
    if (refuses) return std::unexpected(*refuses);
    TRY(auto bytes, posix::read_file(snapshot, size_t{1} << 24));
    bytes.resize(bytes.size() - bolt::kTrailer);
    if (left) bytes = *left;
    TRY_OK(posix::make_dirs(room + "/data/member/snap"));
    return posix::write_atomic(room + "/data/member/snap/db", bytes);
  }
  base::Result<std::unique_ptr<etcd::EtcdApi>> start(const std::string&, base::Duration) override {
    running = true;
    if (refuses_start) return std::unexpected(*refuses_start);
    return std::make_unique<testing::FakeApi>(cluster, cluster.members["drill"]);
  }
  std::optional<std::string> ended() override { return end; }
  void stop() override { running = false; }

  testing::FakeCluster cluster;
  std::optional<base::Error> refuses, refuses_start;
  std::optional<std::string> left, end;
  unsigned restores = 0;
  bool running = false;
};

class Drilling : public testing::Bench {
 protected:
  DrillJob drill_job() {
    return {.common = {.cluster = {"shop", "orders"}, .scratch = dir.path("scratch")},
            .programs = {.version = "3.5.12", .etcd = "/etcd", .tool = "/etcdutl"}};
  }
  DrillReport rehearse() { return rehearse(drill_job()); }
  DrillReport rehearse(const DrillJob& wanted) {
    clock.pass(base::Duration(1000));
    etcd.cluster.sample = cluster.sample;
    auto report = archive::drill(wanted, world(), etcd);
    EXPECT_FALSE(etcd.running);
    EXPECT_EQ(posix::exists(dir.path("scratch/drill")), base::Fact<bool>(false));
    return report;
  }
  void flip(const std::string& name, Part part) {
    ASSERT_TRUE(
        store.damage(key_of(name, part), [](std::string& bytes) { bytes[bytes.size() / 2] ^= 1; }));
  }
  FakeOffline etcd;
};

TEST_F(Drilling, TheNewestIsProvenAndMarked) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto saved = change_and_backup();
  const auto report = rehearse();
  ASSERT_EQ(report.outcome, DrillOutcome::kProven) << report.error;
  EXPECT_EQ(report.name, saved.name);
  EXPECT_EQ(report.revision, saved.revision);
  EXPECT_EQ(report.keys, 7U);
  EXPECT_EQ(report.time, clock.now());
  EXPECT_EQ(report.taken, saved.time);
  EXPECT_EQ(report.error, "");
  const auto all = catalog();
  EXPECT_TRUE(all.entries[0].proven);
  EXPECT_FALSE(all.entries[1].proven);
  const auto mark = read_mark(shelf(), all.entries[0].name, Part::kProven, call());
  ASSERT_TRUE(mark);
  EXPECT_EQ(mark->by, "drill");
  EXPECT_EQ(mark->etcd_version, "3.5.12");
  // Another job that comes late takes its word; one that is due does not.
  auto late = drill_job();
  late.not_before = report.time;
  EXPECT_EQ(rehearse(late).time, report.time);
  EXPECT_EQ(etcd.restores, 1U);
  late.not_before = *report.time + base::Duration(1);
  EXPECT_GT(*rehearse(late).time, *report.time);
  EXPECT_EQ(etcd.restores, 2U);
}

TEST_F(Drilling, AnEmptyStoreHasNothingToProve) {
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kEmpty);
}

TEST_F(Drilling, ADamagedBackupIsMarkedAndTheNextDrillTakesTheOneBeforeIt) {
  const auto first = backup();
  const auto second = change_and_backup();
  flip(second.name, Part::kData);
  const auto report = rehearse();
  EXPECT_EQ(report.outcome, DrillOutcome::kBad);
  EXPECT_EQ(report.name, second.name);
  EXPECT_EQ(report.error_kind, kind::kMismatch);
  EXPECT_NE(report.error, "");
  EXPECT_EQ(etcd.restores, 0U);
  EXPECT_FALSE(catalog().entries[0].verified);
  EXPECT_TRUE(catalog().entries[0].bad);
  cluster.sample = bolt::testing::Sample();
  for (int i = 0; i < 20; ++i) cluster.sample.put("k" + std::to_string(i % 7), "v");
  cluster.sample.remove("k3");
  const auto next = rehearse();
  EXPECT_EQ(next.outcome, DrillOutcome::kProven) << next.error;
  EXPECT_EQ(next.name, first.name);
  EXPECT_NE(next.warning.find("1 newer"), std::string::npos) << next.warning;
  flip(first.name, Part::kData);
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kBad);
  const auto none = rehearse();
  EXPECT_EQ(none.outcome, DrillOutcome::kBad);
  EXPECT_EQ(none.error_kind, kind::kNoneGood);
}

TEST_F(Drilling, ADamagedManifestAndDataThatIsGoneAreBad) {
  const auto first = backup();
  const auto second = change_and_backup();
  flip(second.name, Part::kManifest);
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kBad);
  ASSERT_TRUE(store.remove(key_of(first.name, Part::kData), call()));
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kBad);
  EXPECT_TRUE(catalog().entries[0].bad && catalog().entries[1].bad);
}

TEST_F(Drilling, OneWrongAnswerOfAStoreIsNoDamage) {
  const auto saved = backup();
  const auto data = key_of(saved.name, Part::kData);
  unsigned reads = 0;
  faults = [&](std::string_view operation, const std::string& k) -> std::optional<Fault> {
    if (operation != "get" || k != data || ++reads > 1) return std::nullopt;
    return Fault{.trouble = objstore::Trouble::kLiedHalf};
  };
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kProven);
  EXPECT_EQ(reads, 2U);
}

TEST_F(Drilling, AnEtcdThatHoldsSomethingElseMakesItBad) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  etcd.cluster.members["drill"].says = etcd::Hash{.hash = 1, .compact_revision = -1};
  const auto report = rehearse();
  EXPECT_EQ(report.outcome, DrillOutcome::kBad);
  EXPECT_NE(report.error.find("has the hash 1"), std::string::npos) << report.error;

  etcd.cluster.members.clear();
  ASSERT_EQ(change_and_backup().outcome, RunOutcome::kUploaded);
  etcd.cluster.members["drill"].own = bolt::testing::Sample();
  EXPECT_NE(rehearse().error.find("is at revision 1, not"), std::string::npos);

  etcd.cluster.members.clear();
  ASSERT_EQ(change_and_backup().outcome, RunOutcome::kUploaded);
  bolt::testing::Sample other;
  while (other.revision < cluster.sample.revision) other.put("only", "v");
  auto file = other.file();
  file.resize(file.size() - bolt::kTrailer);
  etcd.left = file;
  EXPECT_NE(rehearse().error.find("left 1 keys at revision"), std::string::npos);
  EXPECT_EQ(std::ranges::count_if(catalog().entries, [](const Entry& e) { return e.bad; }), 3);
}

// Nothing is known of the backup then, and nothing is marked.
TEST_F(Drilling, WhatFailsHereIsNotTheBackups) {
  const auto saved = backup();
  const auto fails = [&](std::string_view with) {
    const auto report = rehearse();
    EXPECT_EQ(report.outcome, DrillOutcome::kFailed);
    EXPECT_EQ(report.error_kind, with) << report.error;
    EXPECT_EQ(report.name, saved.name);
    EXPECT_FALSE(catalog().entries[0].bad || catalog().entries[0].proven);
    EXPECT_TRUE(catalog().entries[0].verified);
  };
  etcd.refuses = {Code::kFailedPrecondition, "etcdutl ended with code 1"};
  fails(kind::kEtcd);
  etcd.refuses = {Code::kResourceExhausted, "no space left"};
  fails(kind::kFull);
  etcd.refuses.reset();
  etcd.refuses_start = {Code::kNotFound, "no such program"};
  fails(kind::kEtcd);
  etcd.refuses_start.reset();
  etcd.cluster.members["drill"].down = true;
  etcd.end = "ended with code 2: panic";
  fails(kind::kEtcd);
  etcd.end.reset();
  etcd.cluster.members["drill"] = {.no_hash = true};
  fails(kind::kEtcd);
  etcd.cluster.members.clear();
  faults = [](std::string_view operation, const std::string&) -> std::optional<Fault> {
    if (operation != "get") return std::nullopt;
    return Fault{};
  };
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kFailed);
  faults = nullptr;
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kProven);
}

TEST_F(Drilling, WithTheKeyOnly) {
  key = *Key::parse(std::string(64, 'c'), "key");
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  key = *Key::parse(std::string(64, 'd'), "key");
  auto report = rehearse();
  EXPECT_EQ(report.outcome, DrillOutcome::kFailed);
  EXPECT_EQ(report.error_kind, kind::kKey);
  EXPECT_FALSE(catalog().entries[0].bad);
  key = *Key::parse(std::string(64, 'c'), "key");
  report = rehearse();
  EXPECT_EQ(report.outcome, DrillOutcome::kProven) << report.error;
}

TEST_F(Drilling, AMarkThatTheStoreDoesNotKeepIsNotBelieved) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto fail_puts = [](std::string_view operation, const std::string&) {
    return operation == "put" ? std::optional(Fault{}) : std::nullopt;
  };
  faults = fail_puts;
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kFailed);
  faults = nullptr;
  EXPECT_FALSE(catalog().entries[0].proven);
  flip(catalog().entries[0].name.text(), Part::kData);
  faults = fail_puts;
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kFailed);
  faults = nullptr;
  EXPECT_EQ(rehearse().outcome, DrillOutcome::kBad);
}

TEST_F(Drilling, KilledAtEveryStepAndRunAgain) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  unsigned met = 0;
  for (const auto& point : fault_points()) {
    if (!point.starts_with("drill.") && !point.starts_with("mark.")) continue;
    SCOPED_TRACE(point);
    ASSERT_EQ(change_and_backup().outcome, RunOutcome::kUploaded);
    kill_at = point;
    etcd.cluster.sample = cluster.sample;
    EXPECT_THROW(archive::drill(drill_job(), world(), etcd), testing::Killed);
    kill_at.clear();
    etcd.stop();
    EXPECT_EQ(catalog().entries[0].proven, point == "mark.after");
    const auto report = rehearse();
    EXPECT_EQ(report.outcome, DrillOutcome::kProven) << report.error;
    EXPECT_TRUE(catalog().entries[0].proven);
    ++met;
  }
  EXPECT_EQ(met, 6U);
}

TEST_F(Drilling, ScratchIsOneJobsAtATime) {
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  const auto lock = posix::FileLock::try_lock(dir.path("scratch/lock"));
  ASSERT_TRUE(lock);
  EXPECT_EQ(rehearse().error_kind, kind::kBusy);
}

}  // namespace
}  // namespace archive
