#include "manager/backup_request.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace manager {
namespace {

using namespace std::chrono_literals;
using Keys = std::vector<base::ClusterKey>;

const base::Instant kNow = *base::parse_rfc3339("2026-11-22T03:00:00.000Z");

api::BackupRequest once() {
  return {};
}
api::BackupRequest every(base::Duration interval) {
  api::BackupRequest out;
  out.interval = interval;
  return out;
}
k8s::BackupTry ended(plan::JobEnd end, base::Instant started) {
  k8s::BackupTry out{.epoch = 3,
                     .tries = 1,
                     .generation = 1,
                     .started = started,
                     .not_before = started,
                     .running = false,
                     .report = {}};
  out.report.end = end;
  out.report.revision = 7;
  out.report.location = "s3://b/default/c/x/full-7";
  out.report.etcd_version = "3.5.12";
  if (end == plan::JobEnd::kFailed) out.report.error = "the key is wrong";
  return out;
}

TEST(BackupRequest, OnceIsOnceForEachText) {
  auto step = next_step(once(), 1, {}, nullptr, kNow);
  ASSERT_TRUE(step.start);
  EXPECT_EQ(step.start->epoch, 1);
  EXPECT_EQ(step.start->not_before, kNow);
  EXPECT_FALSE(step.status.succeeded) << "nothing is said before it has ended";
  auto tried = ended(plan::JobEnd::kUploaded, kNow);
  tried.report.time = kNow + 1s;
  step = next_step(once(), 1, step.status, &tried, kNow + 5s);
  EXPECT_FALSE(step.start);
  EXPECT_FALSE(step.at);
  EXPECT_EQ(step.status.succeeded, true);
  EXPECT_EQ(step.status.etcd_revision, 7);
  EXPECT_EQ(step.status.etcd_version, "3.5.12");
  EXPECT_EQ(step.status.last_success, kNow + 1s);
  // Its Jobs are gone: what was told stays so.
  EXPECT_FALSE(next_step(once(), 1, step.status, nullptr, kNow + 1h).start);
  const auto edited = next_step(once(), 2, step.status, &tried, kNow + 1h);
  ASSERT_TRUE(edited.start);
  EXPECT_EQ(edited.start->epoch, 4);
  EXPECT_FALSE(edited.status.succeeded) << "of another text";
}

TEST(BackupRequest, OneThatCoreOsFinishedIsNotMadeAgain) {
  api::BackupRequestStatus told;
  told.succeeded = true;
  EXPECT_FALSE(next_step(once(), 4, told, nullptr, kNow).start);
  told.succeeded = false;
  EXPECT_TRUE(next_step(once(), 4, told, nullptr, kNow).start);
}

TEST(BackupRequest, AFailureIsToldAndTriedAgainLaterAndLater) {
  auto tried = ended(plan::JobEnd::kFailed, kNow);
  auto step = next_step(once(), 1, {}, &tried, kNow + 1s);
  EXPECT_EQ(step.status.succeeded, false);
  EXPECT_EQ(step.status.reason, "the key is wrong");
  EXPECT_FALSE(step.start);
  EXPECT_EQ(step.at, kNow + 10s);
  step = next_step(once(), 1, step.status, &tried, kNow + 10s);
  ASSERT_TRUE(step.start);
  EXPECT_EQ(step.start->epoch, 4);
  EXPECT_EQ(step.start->tries, 2);
  EXPECT_EQ(step.start->not_before, kNow) << "what the first may have done counts";
  tried.tries = 40;
  EXPECT_EQ(next_step(once(), 1, step.status, &tried, kNow + 1s).at, kNow + 10min);
}

TEST(BackupRequest, OneThatRunsIsWaitedForAlsoIfItIsOfAnotherText) {
  auto tried = ended(plan::JobEnd::kFailed, kNow);
  tried.running = true;
  EXPECT_FALSE(next_step(once(), 1, {}, &tried, kNow).start);
  EXPECT_FALSE(next_step(once(), 2, {}, &tried, kNow).start);
}

TEST(BackupRequest, APeriodicOneCountsFromItsLastSuccess) {
  const auto wish = every(1h);
  EXPECT_TRUE(next_step(wish, 1, {}, nullptr, kNow).start) << "the first comes at once";
  auto tried = ended(plan::JobEnd::kUploaded, kNow);
  tried.report.time = kNow + 2s;
  auto step = next_step(wish, 1, {}, &tried, kNow + 5s);
  EXPECT_FALSE(step.start);
  EXPECT_EQ(step.at, kNow + 2s + 1h);
  step = next_step(wish, 1, step.status, &tried, *step.at);
  ASSERT_TRUE(step.start);
  EXPECT_EQ(step.start->not_before, kNow + 3s) << "the last one does not count again";
  EXPECT_EQ(step.last_revision, 7);
  // Nothing new since: the look counts, not the backup that is there already.
  auto same = ended(plan::JobEnd::kUnchanged, kNow + 1h);
  same.report.time = kNow + 2s;
  EXPECT_EQ(next_step(wish, 1, step.status, &same, kNow + 1h + 5s).at, kNow + 2h);
}

TEST(BackupRequest, AFailureKeepsWhatIsKnownOfTheLastSuccess) {
  const auto wish = every(20s);
  auto good = ended(plan::JobEnd::kUploaded, kNow);
  const auto told = next_step(wish, 1, {}, &good, kNow).status;
  auto bad = ended(plan::JobEnd::kFailed, kNow + 20s);
  bad.tries = 9;
  const auto step = next_step(wish, 1, told, &bad, kNow + 21s);
  EXPECT_EQ(step.status.succeeded, false);
  EXPECT_EQ(step.status.last_success, told.last_success);
  EXPECT_EQ(step.status.location, told.location);
  EXPECT_EQ(step.at, kNow + 40s) << "no later than its interval";
}

TEST(BackupRequest, AClockThatWasAheadDoesNotHoldItUp) {
  auto tried = ended(plan::JobEnd::kNotDue, kNow);
  tried.report.time = kNow + 24h;
  auto step = next_step(every(1h), 1, {}, &tried, kNow + 1s);
  EXPECT_EQ(step.at, kNow + 1h);
  // Nor does its end count anew with each look.
  step = next_step(every(1h), 1, step.status, &tried, kNow + 1h);
  EXPECT_TRUE(step.start);
  EXPECT_EQ(step.status.last_success, kNow);
}

TEST(BackupRequest, WhatFailedOrIsLateIsNotHealthy) {
  const auto healthy = [](const api::BackupRequest& wish, std::optional<bool> succeeded,
                          std::optional<base::Duration> last) {
    api::BackupRequestStatus status;
    status.succeeded = succeeded;
    if (last) status.last_success = kNow - *last;
    return is_healthy(wish, status, kNow - 24h, kNow);
  };
  EXPECT_EQ(is_healthy(once(), {}, kNow - 1h, kNow), std::nullopt);
  EXPECT_EQ(is_healthy(once(), {}, kNow - 1h - 2min, kNow), false) << "nothing came of it";
  EXPECT_EQ(healthy(once(), true, 23h), true) << "it needs no other";
  EXPECT_EQ(healthy(once(), false, {}), false);
  EXPECT_EQ(healthy(every(1h), true, 2h), true);
  EXPECT_EQ(healthy(every(1h), true, 2h + 2min), false);
  EXPECT_EQ(healthy(every(1h), false, 1min), false);
  EXPECT_EQ(healthy(every(24h), {}, {}), std::nullopt);
}

TEST(BackupRequest, AddressesOfAClusterAreKnown) {
  const base::ClusterKey c{"shop", "c"};
  const auto is_c = [&](const char* url) {
    const auto found = clusters_at(url, "shop");
    return std::ranges::find(found, c) != found.end();
  };
  for (const char* url :
       {"https://c-client:2379", "http://c-client.shop:2379", "https://c-client.shop.svc:2379/",
        "https://c-client.shop.svc.cluster.local:2379", "https://c.shop.svc:2379",
        "https://c-0-0.c.shop.svc.cluster.local:2379", "https://c-0-0.c.shop.svc:2379",
        "http://c-0-0.c:2379"})
    EXPECT_TRUE(is_c(url)) << url;
  for (const char* url :
       {"https://10.0.0.7:2379", "https://c-client.other.svc:2379", "https://d-client:2379",
        "https://c-client.example.com:2379", "https://[::1]:2379", "https://-client:2379"})
    EXPECT_FALSE(is_c(url)) << url;
}

}  // namespace
}  // namespace manager
