#include "archive/follow.h"

#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "archive/archive_testing.h"
#include "archive/log.h"
#include "archive/log_testing.h"
#include "etcd/bolt/hashkv.h"
#include "posix/test_file_limit.h"

namespace {

using archive::FetchOutcome;
using archive::FollowJob;
using archive::FollowReport;
using archive::FollowStatus;
using archive::testing::change;
using archive::testing::Killed;
using base::Code;

// What the members tell to one that watches.
struct Stream {
  std::mt19937_64 random{3};
  std::int64_t compacted = 0, hole = 0;  // hole: a revision that is not sent
  std::uint64_t auth = 1;
  unsigned opened = 0, breaks_after = 0;  // batches until the stream ends; 0: never
  std::map<std::int64_t, std::int64_t> leases;
  std::vector<std::int64_t> from;  // where each watch began
};

class FakeWatch final : public etcd::Watch {
 public:
  FakeWatch(archive::testing::FakeCluster& cluster, objstore::HandClock& clock, Stream& stream,
            std::int64_t from)
      : cluster_(cluster), clock_(clock), stream_(stream), next_(from) {}
  base::Result<std::optional<etcd::Batch>> next(base::Duration wait) override {
    std::this_thread::yield();
    clock_.pass(base::Duration(1));
    if (next_ <= stream_.compacted) {
      compacted_ = stream_.compacted;
      return base::fail(Code::kNotFound, "compacted");
    }
    if (stream_.breaks_after > 0 && ++given_ > stream_.breaks_after)
      return base::fail(Code::kUnavailable, "the member ended the watch");
    const auto newest = cluster_.sample.revision;
    if (next_ > newest) {
      clock_.pass(wait);
      if (!std::exchange(asked_, false)) return std::nullopt;
      return etcd::Batch{.revision = newest, .cluster_id = {cluster_.id}, .events = {}};
    }
    const auto last =
        std::min<std::int64_t>(newest, next_ + static_cast<std::int64_t>(stream_.random() % 4));
    etcd::Batch batch{.revision = newest,
                      .cluster_id = {cluster_.id},
                      .events = archive::testing::events_of(cluster_.sample, next_, last)};
    if (next_ <= stream_.hole && stream_.hole <= last)
      batch.events = archive::testing::events_of(cluster_.sample, stream_.hole + 1, last + 1);
    next_ = last + 1;
    return batch;
  }
  void ask_progress() override { asked_ = true; }
  [[nodiscard]] std::int64_t compacted() const override { return compacted_; }

 private:
  archive::testing::FakeCluster& cluster_;
  objstore::HandClock& clock_;
  Stream& stream_;
  std::int64_t next_, compacted_ = 0;
  unsigned given_ = 0;
  bool asked_ = false;
};

class FakeHistory final : public etcd::HistoryApi {
 public:
  FakeHistory(archive::testing::FakeCluster& cluster, objstore::HandClock& clock, Stream& stream)
      : cluster_(cluster), clock_(clock), stream_(stream) {}
  base::Result<std::unique_ptr<etcd::Watch>> watch(std::int64_t from, base::Duration) override {
    ++stream_.opened;
    stream_.from.push_back(from);
    return std::make_unique<FakeWatch>(cluster_, clock_, stream_, from);
  }
  base::Result<std::optional<std::int64_t>> granted_ttl(std::int64_t lease,
                                                        base::Duration) override {
    const auto at = stream_.leases.find(lease);
    if (at == stream_.leases.end()) return std::nullopt;
    return at->second;
  }
  base::Result<etcd::AuthState> auth(base::Duration) override {
    return etcd::AuthState{.enabled = stream_.auth > 1, .revision = stream_.auth};
  }

 private:
  archive::testing::FakeCluster& cluster_;
  objstore::HandClock& clock_;
  Stream& stream_;
};

class Follow : public archive::testing::Bench {
 protected:
  using Step = std::function<bool(const FollowStatus&)>;  // true: the next one

  archive::World follow_world() {
    auto out = world();
    out.nonce = [this] { return fmt::format("{:016x}", ++own_nonces_); };
    out.history = [this](const archive::Endpoint&) {
      return std::make_unique<FakeHistory>(cluster, clock, stream);
    };
    out.wait = [this](base::Duration time) { clock.pass(time); };
    out.at = [this](std::string_view point) {
      if (point == "log_seal.before") full_disk.reset();
      if (point == kill_at && --kill_after == 0) throw Killed();
    };
    out.stop = stop_.get_token();
    return out;
  }
  FollowJob follow_job() {
    FollowJob out{.run = job(), .max_lag = std::chrono::milliseconds(1000)};
    out.run.epoch = epoch;
    return out;
  }
  // Until all steps are done and the store has everything.
  FollowReport follow(std::vector<Step> steps = {}) {
    stop_ = {};
    size_t step = 0;
    int turns = 0;
    return archive::follow(follow_job(), follow_world(), [&](const FollowStatus& status) {
      last = status;
      if (++turns > 20'000) {
        ADD_FAILURE() << "no end at step " << step << ": " << to_json(status);
        stop_.request_stop();
      }
      if (step < steps.size()) {
        if (steps[step](status)) ++step;
      } else if (status.saved == cluster.sample.revision && !status.base.empty()) {
        stop_.request_stop();
      }
    });
  }
  Step changes(int count) {
    return [this, count](const FollowStatus& status) {
      if (status.base.empty()) return false;  // the backup reads what this changes
      for (int i = 0; i < count; ++i) {
        change(cluster.sample, random);
        then[cluster.sample.revision] = cluster.sample;
      }
      return true;
    };
  }
  Step until(std::function<bool(const FollowStatus&)> holds) { return holds; }

  archive::Log log() {
    auto read = archive::read_log(shelf(), *archive::Incarnation::parse(life), call());
    EXPECT_TRUE(read) << read.error().text();
    return read ? *std::move(read) : archive::Log{};
  }
  archive::FetchReport fetch_at(std::int64_t revision, bool exact = true) {
    auto wanted = fetch_job();
    wanted.to_revision = revision;
    wanted.exact = exact;
    return archive::fetch(wanted, world());
  }
  // As the sample was then.
  void expect_reached(std::int64_t revision) {
    const auto report = fetch_at(revision);
    ASSERT_EQ(report.outcome, FetchOutcome::kFetched) << report.error;
    EXPECT_EQ(report.starts_at, revision);
    const auto bytes = then.at(revision).file();
    const bolt::StringSource source(bytes);
    const auto database = bolt::Database::open(source, bytes.size() - bolt::kTrailer);
    const auto hash = bolt::hash_kv(
        *database,
        {.revision = revision, .compact_revision = report.hash_compact_revision, .sip = {1, 2}});
    ASSERT_TRUE(hash) << hash.error().text();
    EXPECT_EQ(report.hash, hash->hash) << revision;
  }

  Stream stream;
  std::mt19937_64 random{17};
  std::map<std::int64_t, bolt::testing::Sample> then;
  FollowStatus last;
  std::int64_t epoch = 1;
  int kill_after = 1;
  std::optional<posix::TestFileLimit> full_disk;  // until something is sealed

 private:
  std::stop_source stop_;
  std::atomic<std::uint64_t> own_nonces_ = 1000;
};

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

TEST_F(Follow, AnotherUserMeansAnotherBackup) {
  const auto report = follow(
      {changes(5),
       [&](const FollowStatus& status) {
         if (status.saved < cluster.sample.revision) return false;
         stream.auth = 2;
         return true;
       },
       until([&](const FollowStatus&) { return catalog().entries.size() == 2; }), changes(5)});
  EXPECT_EQ(report.error, "");
  EXPECT_EQ(log().ranges.size(), 1U);
  EXPECT_EQ(log().entries.back().head->auth_revision, 2U);
  EXPECT_EQ(log().entries.front().head->auth_revision, 1U);
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
               const std::string& key) -> std::optional<objstore::Fault> {
    if (key.find("/log-") == std::string::npos || operation != "put" || left == 0) return {};
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
