#include "archive/run.h"

#include <fmt/format.h>

#include "archive/archive_testing.h"
#include "archive/fake_history.h"
#include "archive/no_create_only.h"
#include "posix/lock.h"

namespace archive {
namespace {

using base::Code;
using objstore::Fault;
using objstore::Trouble;
using testing::Bench;

class Run : public Bench {};

TEST_F(Run, ABackupIsUploadedProvedAndListed) {
  const auto report = backup();
  ASSERT_EQ(report.outcome, RunOutcome::kUploaded) << report.error;
  EXPECT_EQ(report.revision, 22);
  EXPECT_TRUE(report.verified);
  EXPECT_EQ(report.hash_of_member, "c-0");  // the leader, as c-1 gave the snapshot
  EXPECT_EQ(report.warning, "");
  EXPECT_EQ(report.kept, 1U);
  EXPECT_EQ(cluster.members["c-1"].snapshots, 1U);
  const auto there = catalog();
  ASSERT_EQ(there.entries.size(), 1U);
  const auto& entry = there.entries[0];
  EXPECT_EQ(entry.name.text(), report.name);
  EXPECT_TRUE(entry.verified);
  EXPECT_FALSE(entry.proven);
  EXPECT_EQ(entry.size_bytes, report.size_bytes);
  EXPECT_EQ(entry.manifest->member, "c-1");
  EXPECT_EQ(entry.manifest->cluster_id, "abc");
  EXPECT_EQ(entry.manifest->keys, 6U);
  EXPECT_EQ(entry.manifest->records, 21U);
  EXPECT_EQ(entry.manifest->cluster, (base::ClusterKey{"shop", "orders"}));
  EXPECT_LT(report.size_bytes, entry.manifest->snapshot.size_bytes);
}

TEST_F(Run, TheLastNAreKeptByNumber) {
  while (cluster.sample.revision < 97) cluster.sample.put("k", "v");
  for (int i = 0; i < 5; ++i) ASSERT_EQ(change_and_backup(3).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(revisions(), (std::vector<std::int64_t>{102, 101, 100}));
  while (cluster.sample.revision < 997) cluster.sample.put("k", "v");
  for (int i = 0; i < 4; ++i) {
    const auto report = change_and_backup(3);
    EXPECT_EQ(report.pruned, 1U);
    EXPECT_EQ(report.kept, 3U);
  }
  EXPECT_EQ(revisions(), (std::vector<std::int64_t>{1001, 1000, 999}));
  EXPECT_EQ(catalog().leftovers.size(), 0U);
}

TEST_F(Run, OtherClustersAndIncarnationsAreNotTouched) {
  for (int i = 0; i < 3; ++i) ASSERT_EQ(change_and_backup().outcome, RunOutcome::kUploaded);
  auto other = job(1);
  other.common.cluster.name = "orders-2";  // its root begins like the other's
  clock.pass(base::Duration(1000));
  ASSERT_EQ(run(other, world()).outcome, RunOutcome::kUploaded);
  other.common.cluster.name = "order";
  ASSERT_EQ(run(other, world()).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(revisions().size(), 3U);
  life = "20261122T010000Z-bbbb";
  const auto report = change_and_backup(1);
  EXPECT_EQ(report.pruned, 0U);
  ASSERT_EQ(change_and_backup(1).pruned, 1U);
  EXPECT_EQ(revisions().size(), 4U);
  EXPECT_TRUE(catalog().entries.front().name.text().starts_with(life));
  const auto all = objstore::list_all(store, "", 100, call());
  EXPECT_EQ(all->size(), 2U * 6);
}

TEST_F(Run, WhatIsNotDueOrUnchangedIsNotUploaded) {
  const auto first = backup();
  auto again = job();
  again.not_before = *first.time;
  auto report = run(again, world());
  EXPECT_EQ(report.outcome, RunOutcome::kNotDue);
  EXPECT_EQ(report.name, first.name);
  again.not_before = *first.time + base::Duration(1);
  again.last_revision = first.revision;
  report = run(again, world());
  EXPECT_EQ(report.outcome, RunOutcome::kUnchanged);
  EXPECT_EQ(report.name, first.name);
  EXPECT_EQ(revisions().size(), 1U);
  // The store has it no more: the revision alone is no success.
  ASSERT_TRUE(store.remove(key_of(first.name, Part::kData), call()));
  EXPECT_EQ(run(again, world()).outcome, RunOutcome::kUploaded);
  key = *Key::parse(std::string(64, 'a'), "k");
  EXPECT_EQ(run(again, world()).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(run(again, world()).outcome, RunOutcome::kUnchanged);
  key.reset();
  again.last_revision = first.revision - 1;
  EXPECT_EQ(run(again, world()).outcome, RunOutcome::kUploaded);
  again.last_revision.reset();
  EXPECT_EQ(run(again, world()).outcome, RunOutcome::kUploaded);
  // A job that a newer one has overtaken.
  again.epoch = 5;
  ASSERT_EQ(run(again, world()).outcome, RunOutcome::kUploaded);
  again.epoch = 4;
  EXPECT_EQ(run(again, world()).outcome, RunOutcome::kNotDue);
}

TEST_F(Run, OneOfAClockThatWasAheadIsNoReasonToTakeNone) {
  const auto wanted = clock.now();
  clock.pass(std::chrono::hours(24));
  ASSERT_EQ(backup().outcome, RunOutcome::kUploaded);
  clock.pass(-std::chrono::hours(24));
  auto now = job();
  now.not_before = wanted;
  EXPECT_EQ(run(now, world()).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(run(now, world()).outcome, RunOutcome::kNotDue);
}

TEST_F(Run, AnotherUserIsAChange) {
  testing::Stream stream;
  auto asked = world();
  asked.history = [&](const Endpoint&) {
    return std::make_unique<testing::FakeHistory>(cluster, clock, stream);
  };
  cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(1);
  const auto first = backup();
  auto again = job();
  again.last_revision = first.revision;
  EXPECT_EQ(run(again, asked).outcome, RunOutcome::kUnchanged);
  stream.auth = 2;
  cluster.sample.buckets["auth"]["authRevision"] = bolt::testing::number(2);
  const auto second = run(again, asked);
  EXPECT_EQ(second.outcome, RunOutcome::kUploaded);
  EXPECT_EQ(second.revision, first.revision);
  EXPECT_EQ(run(again, asked).outcome, RunOutcome::kUnchanged);
  // etcd gives no new revision to that.
  stream.passwords = true;
  cluster.sample.buckets["auth"]["authEnabled"] = "\1";
  EXPECT_EQ(run(again, asked).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(run(again, asked).outcome, RunOutcome::kUnchanged);
}

// It does not hold what was written after it was begun, whenever it ends.
TEST_F(Run, ABackupIsOfTheTimeAtWhichItWasBegun) {
  base::Instant asked{};
  cluster.members["c-1"].at_snapshot = [&] {
    clock.pass(std::chrono::minutes(1));
    asked = clock.now();
  };
  auto wanted = job();
  const auto begun = clock.now();
  const auto first = run(wanted, world());
  ASSERT_EQ(first.outcome, RunOutcome::kUploaded) << first.error;
  cluster.members["c-1"].at_snapshot = {};
  EXPECT_EQ(first.time, begun);
  EXPECT_EQ(Name::parse(first.name)->time, begun);
  wanted.not_before = asked;
  EXPECT_EQ(run(wanted, world()).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(run(wanted, world()).outcome, RunOutcome::kNotDue);
}

TEST_F(Run, MembersThatCannotGiveItArePassedOver) {
  cluster.members["c-1"].down = true;
  auto report = backup();
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded);
  EXPECT_EQ(cluster.members["c-2"].snapshots, 1U);
  cluster.members["c-2"].learner = true;  // only the leader is left, and agrees with itself
  report = change_and_backup();
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded);
  EXPECT_EQ(report.hash_of_member, "c-0");
  cluster.members["c-0"].leaderless = true;
  report = change_and_backup();
  EXPECT_EQ(report.outcome, RunOutcome::kFailed);
  EXPECT_EQ(report.error_kind, kind::kNoMember);
  for (const auto* why :
       {"c-0: it knows no leader", "c-1: connection refused", "c-2: it is a learner"})
    EXPECT_NE(report.error.find(why), std::string::npos) << report.error;
}

TEST_F(Run, ABadSnapshotIsTakenFromAnotherMember) {
  cluster.members["c-1"].cuts_snapshots = true;
  auto report = backup();
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded);
  EXPECT_NE(report.warning.find("c-1: not a good snapshot: "), std::string::npos) << report.warning;
  for (auto& [name, member] : cluster.members) member.cuts_snapshots = true;
  report = change_and_backup();
  EXPECT_EQ(report.outcome, RunOutcome::kFailed);
  EXPECT_EQ(report.error_kind, kind::kMismatch);
  EXPECT_EQ(revisions().size(), 1U);
}

TEST_F(Run, AMemberWithOtherDataIsFound) {
  auto other = cluster.sample;
  other.buckets["key"][bolt::revision_key({5, 0}, false)].back() ^= 1;
  cluster.members["c-1"].own = other;
  const auto report = backup();
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded) << report.error;
  EXPECT_NE(report.warning.find("c-1: its hash is not the members': c-0 has the hash "),
            std::string::npos)
      << report.warning;
  EXPECT_EQ(catalog().entries[0].manifest->member, "c-2");
  // One against one: nobody knows which is right.
  cluster.members["c-2"].down = true;
  const auto torn = backup();
  EXPECT_EQ(torn.outcome, RunOutcome::kFailed);
  EXPECT_EQ(torn.error_kind, kind::kMismatch) << torn.error;
}

TEST_F(Run, HashesAreComparedAsTheAnswerWasComputed) {
  // A member that has compacted since gives the hash of what is left.
  cluster.members["c-0"].own = cluster.sample;
  cluster.members["c-0"].own->mark_compacted(10);
  auto report = backup();
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded) << report.error;
  EXPECT_EQ(report.hash_of_member, "c-0");
  EXPECT_EQ(catalog().entries[0].manifest->hash_compact_revision, 10);
  // One that answers from its cache, of before a compaction that the file has.
  cluster.members.erase("c-0");
  cluster.members["c-0"] = {.id = 1};
  cluster.sample.mark_compacted(12);
  for (auto& [name, member] : cluster.members) member.says = etcd::Hash{1, -1, 22};
  report = backup();
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded) << report.error;
  EXPECT_EQ(report.hash_of_member, "");
  EXPECT_NE(report.warning.find("no member's hash can be compared"), std::string::npos);
  EXPECT_EQ(cluster.members["c-1"].snapshots, 2U);
  EXPECT_EQ(cluster.members["c-2"].snapshots, 1U);  // once more, and not a third time
  EXPECT_EQ(cluster.members["c-0"].snapshots, 0U);
  // No answer at all proves nothing.
  for (auto& [name, member] : cluster.members) member.no_hash = true;
  report = backup();
  EXPECT_EQ(report.outcome, RunOutcome::kFailed);
  EXPECT_EQ(report.error_kind, kind::kNoMember);
}

TEST_F(Run, CorruptAndForeignMembersAreRefused) {
  cluster.alarms = {{.member = {2}, .kind = etcd::AlarmKind::kCorrupt},
                    {.member = {3}, .kind = etcd::AlarmKind::kNoSpace}};
  EXPECT_EQ(backup().outcome, RunOutcome::kUploaded);
  EXPECT_EQ(cluster.members["c-1"].snapshots, 0U);
  cluster.alarms = {{.member = {0}, .kind = etcd::AlarmKind::kCorrupt}};
  EXPECT_EQ(change_and_backup().error_kind, kind::kCorrupt);
  cluster.alarms.clear();
  cluster.id = 0xdef;  // another cluster writes to this one's place
  const auto report = change_and_backup();
  EXPECT_EQ(report.error_kind, kind::kForeign);
  EXPECT_NE(report.error.find("of the cluster abc; this one is def"), std::string::npos);
  EXPECT_EQ(revisions().size(), 1U);
}

TEST_F(Run, DataThatWentBackIsToldAndKept) {
  const auto before = cluster.sample;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(change_and_backup(3).outcome, RunOutcome::kUploaded);
  cluster.sample = before;
  const auto report = backup(3);
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded);
  EXPECT_NE(report.warning.find("is at revision 22 and was at 25 before"), std::string::npos);
  EXPECT_EQ(revisions(), (std::vector<std::int64_t>{25, 24, 23, 22}));
}

TEST_F(Run, ScratchIsOneJobsAtATime) {
  ASSERT_TRUE(posix::make_dirs(dir.path("scratch")));
  const auto lock = posix::FileLock::try_lock(dir.path("scratch/lock"));
  ASSERT_TRUE(lock);
  EXPECT_EQ(backup().error_kind, kind::kBusy);
}

// Killed at any step, a job leaves whole backups only, and the next ones make order.
TEST_F(Run, KilledAtEveryStep) {
  std::vector<std::string> points;
  for (const auto& point : fault_points())
    if (!point.starts_with("fetched.") && !point.starts_with("drill.") &&
        !point.starts_with("mark."))
      points.push_back(point);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(change_and_backup(2).outcome, RunOutcome::kUploaded);
  for (const auto& point : points) {
    SCOPED_TRACE(point);
    // For sweep there must be something to be swept.
    ASSERT_TRUE(store.put(key_of(Name{.incarnation = *Incarnation::parse(life),
                                      .revision = 1,
                                      .time = Incarnation::parse(life)->begin,
                                      .nonce = "00000000"}
                                     .text(),
                                 Part::kData),
                          "x", {}, call()));
    clock.pass(std::chrono::hours(2));
    kill_at = point;
    EXPECT_THROW(change_and_backup(2), testing::Killed);
    kill_at.clear();
    for (const auto& entry : catalog().entries) {
      EXPECT_TRUE(entry.verified) << entry.why;
      const auto whole = fetch_one(shelf(), entry, dir.path("scratch"), nullptr, call());
      EXPECT_TRUE(whole) << whole.error().text();
    }
    EXPECT_GE(revisions().size(), 2U);
    const auto report = change_and_backup(2);
    EXPECT_EQ(report.outcome, RunOutcome::kUploaded) << report.error;
    EXPECT_EQ(report.warning, "");
    clock.pass(std::chrono::hours(2));
    ASSERT_EQ(change_and_backup(2).outcome, RunOutcome::kUploaded);
    EXPECT_EQ(revisions().size(), 2U);
    EXPECT_EQ(catalog().leftovers.size(), 0U);
    EXPECT_EQ(store.unfinished(), 0U);
  }
}

TEST_F(Run, WhatIsYoungMayBeAnotherJobsAndStays) {
  kill_at = "commit.after";
  EXPECT_THROW(backup(), testing::Killed);
  kill_at.clear();
  EXPECT_EQ(change_and_backup().outcome, RunOutcome::kUploaded);
  EXPECT_EQ(catalog().leftovers.size(), 1U);
}

// ---- A store that fails and lies. --------------------------------------------------------------

class BadStore : public Bench {
 protected:
  // Of `operation` the call number `which` goes wrong, and with `always` those after it too.
  void go_wrong(std::string_view operation, const Fault& fault, int which, bool always) {
    faults = [=, seen = 0](std::string_view now,
                           const std::string&) mutable -> std::optional<Fault> {
      if (now != operation) return {};
      const bool hit = always ? seen >= which : seen == which;
      ++seen;
      return hit ? std::optional(fault) : std::nullopt;
    };
  }
  // What a healthy store shows afterwards.
  void expect_truth(const RunReport& report) {
    faults = {};
    bool there = false;
    for (const auto& entry : catalog().entries) {
      const bool made = entry.name.text() == report.name;
      there = there || made;
      if (!entry.verified) {
        EXPECT_FALSE(made) << entry.why;
        continue;
      }
      const auto whole = fetch_one(shelf(), entry, dir.path("scratch"), nullptr, call());
      ASSERT_TRUE(whole) << entry.name.text() << ": " << whole.error().text();
      if (made) EXPECT_EQ(whole->facts.revision, cluster.sample.revision);
    }
    EXPECT_EQ(there, report.outcome == RunOutcome::kUploaded);
    if (there) return;
    EXPECT_NE(report.error, "");
    EXPECT_NE(report.error_kind, "");
    EXPECT_NE(report.error_kind, kind::kInternal) << report.error;
  }
};

TEST_F(BadStore, NeverAWrongSuccess) {
  const std::vector<Fault> all{{Trouble::kRefused, Code::kPermissionDenied},
                               {Trouble::kRefused, Code::kNotFound},
                               {Trouble::kRefused, Code::kUnavailable},
                               {Trouble::kRefused, Code::kResourceExhausted},
                               {Trouble::kRefused, Code::kFailedPrecondition},
                               {Trouble::kLost},
                               {Trouble::kLostAnswer},
                               {Trouble::kLiedNothing},
                               {Trouble::kLiedHalf}};
  unsigned uploaded = 0, failed = 0;
  for (const auto* operation :
       {"list", "get", "upload", "write", "commit", "put", "remove", "clean_up"})
    for (size_t i = 0; i < all.size(); ++i)
      for (const int which : {0, 1})
        for (const bool always : {false, true}) {
          SCOPED_TRACE(fmt::format("{} fault {} at {} always {}", operation, i, which, always));
          ASSERT_EQ(change_and_backup(2).outcome, RunOutcome::kUploaded);
          go_wrong(operation, all[i], which, always);
          const auto report = change_and_backup(2);
          ++(report.outcome == RunOutcome::kUploaded ? uploaded : failed);
          expect_truth(report);
          EXPECT_GE(revisions().size(), 1U);
        }
  EXPECT_GT(uploaded, 50U);
  EXPECT_GT(failed, 50U);
}

TEST_F(BadStore, ErrorsHaveTheirKind) {
  const auto kind_with = [&](std::string_view operation, Code code) {
    go_wrong(operation, {Trouble::kRefused, code}, 0, true);
    auto report = change_and_backup();
    faults = {};
    return report.error_kind;
  };
  EXPECT_EQ(kind_with("list", Code::kPermissionDenied), kind::kCredentials);
  EXPECT_EQ(kind_with("upload", Code::kPermissionDenied), kind::kCredentials);
  EXPECT_EQ(kind_with("write", Code::kResourceExhausted), kind::kFull);
  EXPECT_EQ(kind_with("commit", Code::kUnavailable), kind::kUnavailable);
  EXPECT_EQ(kind_of({Code::kFailedPrecondition, "the server answered 404 NoSuchBucket"}),
            kind::kAbsent);
  EXPECT_EQ(kind_of({Code::kFailedPrecondition, "403; this machine's clock is 20m ahead of"}),
            kind::kClock);
  EXPECT_EQ(kind_of({Code::kFailedPrecondition, "put a in s3://my-bucket/x: a certificate"}),
            kind::kRefused);
  go_wrong("commit", {Trouble::kLiedHalf}, 0, false);
  EXPECT_EQ(change_and_backup().error_kind, kind::kMismatch);
  EXPECT_EQ(catalog().leftovers.size(), 0U);
}

TEST_F(BadStore, OneThatFlapsIsHealthyInTheEnd) {
  unsigned seen = 0;
  faults = [&](std::string_view, const std::string&) -> std::optional<Fault> {
    if (++seen % 23 != 0) return {};
    return Fault{seen % 2 == 0 ? Trouble::kLost : Trouble::kLostAnswer};
  };
  unsigned uploaded = 0;
  for (int i = 0; i < 40; ++i) uploaded += change_and_backup(3).outcome == RunOutcome::kUploaded;
  EXPECT_GT(uploaded, 5U);
  faults = {};
  clock.pass(std::chrono::hours(2));
  EXPECT_EQ(change_and_backup(3).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(revisions().size(), 3U);
  EXPECT_EQ(catalog().leftovers.size(), 0U);
}

TEST_F(BadStore, OneThatCannotCreateOnlyHoldsBackups) {
  testing::NoCreateOnly weak(store);
  auto over = world();
  over.store = &weak;
  const auto report = run(job(), over);
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded) << report.error;
  EXPECT_TRUE(catalog().entries.at(0).verified);
}

TEST_F(BadStore, OneBadReadRemovesNoBackup) {
  auto wanted = job(1);
  wanted.retention.daily = 2;
  const auto first = run(wanted, world());
  ASSERT_EQ(first.outcome, RunOutcome::kUploaded) << first.error;
  clock.pass(std::chrono::hours(25));
  const auto manifest = key_of(first.name, Part::kManifest);
  unsigned reads = 0;
  faults = [&](std::string_view operation, const std::string& k) -> std::optional<Fault> {
    if (operation != "get" || k != manifest || ++reads != 2) return {};  // by retention
    return Fault{Trouble::kLiedHalf};
  };
  ASSERT_EQ(run(wanted, world()).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(reads, 3U);
  EXPECT_EQ(revisions().size(), 2U);
}

TEST_F(BadStore, OneThatWasProvenIsNotRemovedBecauseItCannotBeRead) {
  const auto proven = backup();
  ASSERT_TRUE(put_mark(shelf(), *Name::parse(proven.name), Part::kProven, {.by = "drill"}, call()));
  faults = [&](std::string_view operation, const std::string& k) -> std::optional<Fault> {
    if (operation != "get" || k != key_of(proven.name, Part::kManifest)) return {};
    return Fault{Trouble::kLiedHalf};
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(change_and_backup(1).outcome, RunOutcome::kUploaded);
  EXPECT_EQ(revisions(), (std::vector<std::int64_t>{25, 22}));
  faults = {};
  EXPECT_TRUE(catalog().entries.back().proven);
}

TEST_F(BadStore, WhatAListDoesNotShowIsNoReasonToRemove) {
  ASSERT_EQ(change_and_backup(1).outcome, RunOutcome::kUploaded);
  go_wrong("list", {Trouble::kLiedNothing}, 1, false);
  const auto report = change_and_backup(1);
  EXPECT_EQ(report.outcome, RunOutcome::kUploaded);
  EXPECT_NE(report.warning.find("does not list what was just written"), std::string::npos);
  faults = {};
  EXPECT_EQ(revisions().size(), 2U);
}

}  // namespace
}  // namespace archive
