#include "drivers/jobs/jobs.h"

#include <gtest/gtest.h>

#include "archive/names.h"
#include "base/text.h"
#include "plan/restore.h"

namespace jobs {
namespace {

using namespace std::chrono_literals;

base::Instant at(const char* text) {
  return *base::parse_rfc3339(text);
}

plan::Record record() {
  plan::Record out;
  out.key = {"shop", "c"};
  out.incarnation = "0000019abcdef012-1a2b3c4d";
  out.bootstrapped_at = at("2026-11-22T03:15:00Z");
  plan::MemberRecord voter, learner;
  voter.name = "c-0";
  voter.phase = plan::Phase::kVoter;
  voter.addresses.client_url = "https://c-0:2379";
  learner.name = "c-1";
  learner.phase = plan::Phase::kLearner;
  out.members = {{"c-0", voter}, {"c-1", learner}};
  return out;
}

TEST(Jobs, ANewLifeFollowsEveryOneThatIsKnownOf) {
  const auto now = at("2026-11-22T12:00:00Z");
  plan::Observation seen;
  const auto begin = [&](const plan::Record& of) {
    const auto life =
        archive::Incarnation::parse(fresh_incarnation(of, seen, now, 0xabcdef0123456789));
    EXPECT_TRUE(life);
    return life ? life->begin : base::Instant{};
  };
  plan::Record of;
  of.key = {"shop", "c-d"};
  EXPECT_EQ(fresh_incarnation(of, seen, now, 0xabcdef0123456789), "20261122T120000Z-23456789");
  of.incarnation = "20261121T120000Z-aaaa";
  EXPECT_EQ(begin(of), now);
  of.incarnation = "20261122T120000Z-aaaa";  // of the same second
  EXPECT_EQ(begin(of), now + 1s);
  // Of a clock that was a day ahead.
  of.incarnation = "20261123T120000Z-aaaa";
  EXPECT_EQ(begin(of), at("2026-11-23T12:00:01Z"));
  of.incarnation.clear();
  of.old_tokens = {"c-d-20261123T120005Z-bbbb", "c-d", "x"};
  EXPECT_EQ(begin(of), at("2026-11-23T12:00:06Z"));
  of.members["c-0"].incarnation = "20261123T120007Z-cccc";
  EXPECT_EQ(begin(of), at("2026-11-23T12:00:08Z"));
  of.restore.location = "s3://b/shop/c-d/20261124T000000Z-dddd/full-00000000000000000012-x";
  EXPECT_EQ(begin(of), at("2026-11-24T00:00:01Z"));
  plan::JobReport fetched;
  fetched.name = "20261124T000100Z-dddd/full-00000000000000000012-x";
  seen.fetch_job = plan::StoreJob{1, false, fetched};
  EXPECT_EQ(begin(of), at("2026-11-24T00:01:01Z"));
  // Of a record as it was written before lives had such names.
  plan::Record old = record();
  old.bootstrapped_at = at("2026-11-25T00:00:00Z");
  EXPECT_EQ(begin(old), at("2026-11-25T00:00:01Z"));
  of.incarnation = "99991231T235959Z-eeee";
  EXPECT_EQ(begin(of), now);
}

TEST(Jobs, APlaceIsItsUrl) {
  api::ObjectLocation place;
  place.path = "bucket/prefix";
  for (const auto& [kind, url] :
       {std::pair("s3", "s3://bucket/prefix"), std::pair("gcs", "gs://bucket/prefix"),
        std::pair("abs", "azblob://bucket/prefix"), std::pair("oss", "oss://bucket/prefix")}) {
    place.kind = kind;
    EXPECT_EQ(store_of(place).url, url);
  }
  place.kind = "local";
  place.path = "/backups";
  EXPECT_EQ(store_of(place).url, "file:///backups");
}

TEST(Jobs, AreToldWhatObjectsAreWrittenWith) {
  api::ObjectLocation place;
  place.kind = "s3";
  place.path = "bucket";
  place.object_class = "STANDARD_IA";
  place.encryption = "aws:kms";
  place.kms_key = "alias/backups";
  const auto told = store_of(place);
  EXPECT_EQ(told.storage_class, "STANDARD_IA");
  EXPECT_EQ(told.encryption, "aws:kms");
  EXPECT_EQ(told.kms_key, "alias/backups");
}

TEST(Jobs, ABackupIsToldWhatIsKnownOfTheLast) {
  api::Backup wish;
  wish.interval = 60s;
  wish.max_backups = 3;
  wish.retention.daily = 7;
  auto of = record();
  of.backup.started_at = at("2026-11-22T04:00:00Z");
  auto job = backup_job(wish, of, 4);
  EXPECT_TRUE(job.incarnation.starts_with("20261122T031500Z-")) << job.incarnation;
  EXPECT_EQ(job.epoch, 4);
  EXPECT_EQ(job.max_backups, 3U);
  EXPECT_EQ(job.retention.daily, 7U);
  // One that somebody took within the interval does.
  EXPECT_EQ(job.not_before, at("2026-11-22T03:59:00Z"));
  EXPECT_FALSE(job.last_revision);
  of.backup.name = "x";
  of.backup.revision = 12;
  of.backup.taken = at("2026-11-22T03:58:00Z");
  job = backup_job(wish, of, 5);
  EXPECT_EQ(job.not_before, at("2026-11-22T03:58:01Z"));
  EXPECT_EQ(job.last_revision, 12);
  of.backup.requested_at = at("2026-11-22T03:59:59Z");
  EXPECT_EQ(backup_job(wish, of, 6).not_before, at("2026-11-22T03:59:59Z"));
  add_endpoints(of, job);
  ASSERT_EQ(job.endpoints.size(), 1U) << "learners give no backup";
  EXPECT_EQ(job.endpoints[0].member, "c-0");
}

TEST(Jobs, ASafetyCopyPushesNothingOut) {
  api::Backup wish;
  wish.max_backups = 3;
  wish.retention.daily = 7;
  auto of = record();
  of.in_place.stage = plan::InPlace::kSave;
  const auto job = backup_job(wish, of, 4);
  EXPECT_EQ(job.max_backups, 0U) << "all are kept";
  EXPECT_EQ(job.retention.daily, 0U);
}

TEST(Jobs, ReportsSayWhereABackupIs) {
  auto job = backup_job({}, record(), 1);
  job.common.cluster = {"shop", "c"};
  job.common.store.url = "s3://bucket";
  job.common.scratch = "/scratch";
  add_endpoints(record(), job);
  archive::RunReport report;
  report.outcome = archive::RunOutcome::kUploaded;
  report.name = "20261122T031500Z-8f3a/full-1";
  report.revision = 7;
  auto said = run_report(archive::to_json(job), archive::to_json(report));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->end, plan::JobEnd::kUploaded);
  EXPECT_EQ(said->location, "s3://bucket/shop/c/20261122T031500Z-8f3a/full-1");
  EXPECT_EQ(name_in_store(said->location), report.name);
  EXPECT_FALSE(run_report(archive::to_json(job), "exit status 2"));
  EXPECT_EQ(name_in_store("full-1"), "");
}

TEST(Jobs, WhatWasPassedOverIsAWarning) {
  archive::FetchReport report;
  report.outcome = archive::FetchOutcome::kFetched;
  report.name = "a/full-1";
  report.etcd_version = "3.5.12";
  report.skipped = {{"a/full-2", "its hash differs"}};
  const auto said = fetch_report("{}", archive::to_json(report));
  ASSERT_TRUE(said);
  EXPECT_EQ(said->end, plan::JobEnd::kFetched);
  EXPECT_NE(said->warning.find("a/full-2 was passed over"), std::string::npos) << said->warning;
  report.outcome = archive::FetchOutcome::kEmpty;
  EXPECT_EQ(fetch_report("", archive::to_json(report))->end, plan::JobEnd::kEmpty);
}

TEST(Jobs, APointIsAskedForAsTheRestoreBlockSays) {
  api::ClusterSpec spec;
  plan::Record of;
  EXPECT_EQ(plan::begins_by(of, spec), nullptr);
  spec.restore.emplace().to_revision = 7;
  const auto job = fetch_job("", plan::begins_by(of, spec));
  EXPECT_EQ(job.to_revision, 7);
  EXPECT_FALSE(job.latest);
  EXPECT_EQ(job.incarnation, "");
  EXPECT_TRUE(archive::parse_fetch_job(archive::to_json([&] {
    auto whole = job;
    whole.common.cluster = {"n", "c"};
    whole.common.store.url = "/s";
    whole.common.scratch = "/t";
    whole.to = "/to";
    return whole;
  }())));
  // In the life of a certain backup.
  const auto life = fetch_job("20261122T031500Z-8f3a/full-1", plan::begins_by(of, spec));
  EXPECT_EQ(life.incarnation, "20261122T031500Z-8f3a");
  EXPECT_EQ(life.name, "");
  spec.restore->to_revision = 0;
  spec.restore->to_time = at("2026-11-22T03:15:00Z");
  EXPECT_EQ(fetch_job("", plan::begins_by(of, spec)).to_time, at("2026-11-22T03:15:00Z"));
  // What is lost later comes back from the cluster's own backups, as new as it can be.
  of.restore.after_loss = true;
  spec.backup.emplace();
  EXPECT_EQ(plan::begins_by(of, spec), nullptr);
}

TEST(Jobs, AnotherRevisionThanTheOneAskedForIsNotTaken) {
  archive::FetchJob job;
  job.common = {.cluster = {"n", "c"}, .store = {.url = "/s"}, .scratch = "/t"};
  job.to = "/to";
  job.to_revision = 940;
  archive::FetchReport report;
  report.outcome = archive::FetchOutcome::kFetched;
  report.name = "20261122T031500Z-8f3a/full-900";
  report.revision = 940;
  EXPECT_EQ(fetch_report(archive::to_json(job), archive::to_json(report))->end,
            plan::JobEnd::kFetched);
  report.revision = 900;
  const auto said = fetch_report(archive::to_json(job), archive::to_json(report));
  EXPECT_EQ(said->end, plan::JobEnd::kFailed);
  EXPECT_NE(said->error.find("revision 940 was asked for"), std::string::npos) << said->error;
}

TEST(Jobs, TheSecondLookIsForWhatTheFirstHasFound) {
  const auto first = fetch_job("", nullptr);
  EXPECT_TRUE(first.latest);
  EXPECT_FALSE(fetch_job("20261122T031500Z-8f3a/full-1", nullptr).latest)
      << "that one, and nothing behind it";
  archive::FetchReport report;
  report.outcome = archive::FetchOutcome::kFetched;
  report.name = "20261122T031500Z-8f3a/full-00000000000000000007-20261122T031500Z-0123456789abcdef";
  report.revision = 7;
  report.time = at("2026-11-22T03:15:00Z");
  const auto again = [&] {
    const auto said = fetch_report("{}", archive::to_json(report));
    plan::RestoreRecord found;
    found.location = "s3://b/shop/c/" + said->name;
    found.revision = said->revision;
    const auto job = fetch_again_job(found);
    EXPECT_TRUE(job) << job.error().text();
    return *job;
  };
  EXPECT_EQ(again().name, report.name);
  EXPECT_FALSE(again().to_revision);
  report.revision = 12;
  report.log_records = 5;
  EXPECT_EQ(again().name, "");
  EXPECT_EQ(again().to_revision, 12);
  EXPECT_EQ(again().incarnation, "20261122T031500Z-8f3a");
  EXPECT_FALSE(fetch_again_job({}));
}

TEST(Jobs, ADrillTakesAProofThatNobodyHeardOf) {
  api::Backup wish;
  auto of = record();
  of.drill.started_at = at("2026-11-22T04:00:00Z");
  EXPECT_EQ(drill_job(wish, of).not_before, at("2026-11-21T04:00:00Z"));
  wish.verify_interval = 1h;
  EXPECT_EQ(drill_job(wish, of).not_before, at("2026-11-22T03:00:00Z"));
  of.drill.proven_at = at("2026-11-22T03:30:00Z");
  auto job = drill_job(wish, of);
  EXPECT_EQ(job.not_before, at("2026-11-22T03:30:01Z"));
  job.common.cluster = {"shop", "c"};
  job.common.store.url = "s3://bucket";
  job.common.scratch = "/scratch";
  job.programs = {"3.5.12", "/etcd", "/etcdutl"};
  archive::DrillReport report;
  report.name = "20261122T031500Z-8f3a/full-1";
  report.keys = 9;
  for (const auto& [outcome, end] :
       {std::pair(archive::DrillOutcome::kProven, plan::JobEnd::kProven),
        std::pair(archive::DrillOutcome::kBad, plan::JobEnd::kBad),
        std::pair(archive::DrillOutcome::kEmpty, plan::JobEnd::kEmpty),
        std::pair(archive::DrillOutcome::kFailed, plan::JobEnd::kFailed)}) {
    report.outcome = outcome;
    const auto said = drill_report(archive::to_json(job), archive::to_json(report));
    ASSERT_TRUE(said);
    EXPECT_EQ(said->end, end);
    EXPECT_EQ(said->keys, 9);
    EXPECT_EQ(said->location, "s3://bucket/shop/c/20261122T031500Z-8f3a/full-1");
  }
  EXPECT_FALSE(drill_report("", "killed"));
}

TEST(Jobs, AFollowerIsToldTheSameAsLongAsNothingOfItsOwnChanges) {
  api::Backup wish;
  wish.max_lag = 2s;
  auto of = record();
  const auto job = follow_job(wish, of, 3);
  EXPECT_EQ(job.run.epoch, 3);
  EXPECT_EQ(job.max_lag, 2s);
  of.backup.name = "i/full-1";
  of.backup.revision = 7;
  of.backup.requested_at = of.backup.started_at = at("2026-11-22T04:00:00Z");
  EXPECT_EQ(follow_job(wish, of, 3), job) << "a backup that comes restarts it";
  wish.max_lag = 1h;
  EXPECT_EQ(follow_job(wish, of, 3).max_lag, 60s) << "more is refused by the job";
}

TEST(Jobs, WhatAFollowerDoesNotSayOfNowIsUnknown) {
  const auto now = at("2026-11-22T04:00:00Z");
  archive::FollowStatus status{.state = archive::FollowState::kFollowing,
                               .time = now - 1s,
                               .lag_ms = 250,
                               .base = "i/full-1",
                               .weak_fence = true,
                               .weak_why = "it took two",
                               .problem = "slow",
                               .holes = 2,
                               .last_hole = "revisions 7 to 19"};
  auto said = running_follower(archive::to_json(status), now);
  EXPECT_TRUE(said.running);
  EXPECT_EQ(said.lag, base::Fact<base::Duration>(250ms));
  EXPECT_EQ(said.base, "i/full-1");
  EXPECT_EQ(said.problem, "slow");
  EXPECT_EQ(said.weak_fence, "it took two");
  EXPECT_EQ(said.holes, 2);
  EXPECT_EQ(said.last_hole, "revisions 7 to 19");
  // Old, or of a time to come.
  status.lag_ms = 0;
  for (const auto time : {now - 11s, now + 11s}) {
    status.time = time;
    said = running_follower(archive::to_json(status), now);
    EXPECT_TRUE(said.lag.is_unknown()) << base::to_rfc3339(time);
    EXPECT_EQ(said.base, "");
  }
  EXPECT_TRUE(running_follower("", now).lag.is_unknown());
  EXPECT_TRUE(running_follower("{\"state\":", now).lag.is_unknown());
  // Without a watch nothing that came is waiting; what did not come is not known.
  status.time = now;
  status.state = archive::FollowState::kWaiting;
  status.lag_ms = 0;
  EXPECT_TRUE(running_follower(archive::to_json(status), now).lag.is_unknown());
  status.lag_ms = 9000;
  EXPECT_EQ(running_follower(archive::to_json(status), now).lag, base::Fact<base::Duration>(9s));
  // How old what it has not read yet is, nobody knows.
  status = {
      .state = archive::FollowState::kFollowing, .time = now, .lag_ms = 200, .catching_up = true};
  EXPECT_TRUE(running_follower(archive::to_json(status), now).lag.is_unknown());
}

TEST(Jobs, AChangeThatIsOnItsWayGetsOlderWhileAFollowerIsSilent) {
  const auto now = at("2026-11-22T04:00:00Z");
  archive::FollowStatus status{.state = archive::FollowState::kFollowing,
                               .time = now - 30s,
                               .lag_ms = 500,
                               .base = "i/full-1"};
  auto said = running_follower(archive::to_json(status), now);
  EXPECT_EQ(said.lag, base::Fact<base::Duration>(30'500ms));
  EXPECT_EQ(said.base, "i/full-1");
  EXPECT_EQ(said.problem, "it waits for its store, and said nothing for 30s");
  status.age_ms = 30'000;
  EXPECT_EQ(answering_follower(archive::to_json(status)).lag, base::Fact<base::Duration>(30'500ms));
  status.problem = "the store refuses";
  EXPECT_EQ(answering_follower(archive::to_json(status)).problem, "the store refuses");
  // Between two words nothing is added, and of nothing nothing comes.
  status.age_ms = 1'900;
  EXPECT_EQ(answering_follower(archive::to_json(status)).lag, base::Fact<base::Duration>(500ms));
  status.age_ms = 30'000;
  status.lag_ms = 0;
  EXPECT_TRUE(answering_follower(archive::to_json(status)).lag.is_unknown());
  status.lag_ms = 500;
  status.catching_up = true;
  EXPECT_TRUE(answering_follower(archive::to_json(status)).lag.is_unknown());
}

// Asked over the network its own clock tells how old its words are: clocks of nodes differ.
TEST(Jobs, WhatAFollowerAnswersIsAsOldAsItSays) {
  archive::FollowStatus status{.state = archive::FollowState::kFollowing,
                               .time = at("2001-01-01T00:00:00Z"),
                               .lag_ms = 250,
                               .base = "i/full-1"};
  EXPECT_TRUE(answering_follower(archive::to_json(status)).lag.is_unknown()) << "no age";
  status.age_ms = 1'000;
  auto said = answering_follower(archive::to_json(status));
  EXPECT_TRUE(said.running);
  EXPECT_FALSE(said.outdated);
  EXPECT_EQ(said.lag, base::Fact<base::Duration>(250ms));
  EXPECT_EQ(said.base, "i/full-1");
  status.lag_ms = 0;
  for (const std::int64_t age : {11'000, -1}) {
    status.age_ms = age;
    status.outdated = true;
    said = answering_follower(archive::to_json(status));
    EXPECT_TRUE(said.lag.is_unknown()) << age;
    EXPECT_EQ(said.base, "");
    EXPECT_TRUE(said.running && said.outdated) << "what it works with it knows without a watch";
  }
  said = answering_follower("it has not begun yet");
  EXPECT_TRUE(said.running && said.lag.is_unknown() && !said.outdated);
}

TEST(Jobs, HowAFollowerEndedIsTold) {
  EXPECT_EQ(ended_follower("", "OOMKilled").problem, "OOMKilled");
  EXPECT_EQ(ended_follower("").problem, "it ended without a word");
  EXPECT_EQ(ended_follower(archive::to_json(archive::FollowReport{})).problem,
            "it was ended by somebody");
  const auto stale = ended_follower(
      archive::to_json(archive::FollowReport{.error = "epoch 7", .error_kind = "stale"}));
  EXPECT_EQ(stale.problem, "epoch 7");
  EXPECT_TRUE(stale.overrun);
  const auto other = ended_follower(
      archive::to_json(archive::FollowReport{.error = "went back", .error_kind = "behind"}));
  EXPECT_FALSE(other.overrun || other.running || other.lag.known());
}

}  // namespace
}  // namespace jobs
