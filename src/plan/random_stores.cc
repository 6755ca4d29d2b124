#include <algorithm>

#include "plan/random_draw.h"

namespace plan::test {
namespace {

StoreJob draw_job(int epoch) {
  StoreJob job;
  job.epoch = std::max(0, epoch + below(3) - 1);
  job.running = chance(30);
  if (job.running || chance(40)) return job;
  JobReport report;
  report.end = any<JobEnd>(8);
  report.name = "i1/full-900";
  report.revision = 900;
  if (chance(50)) report.time = ago();
  report.error = "refused";
  job.report = report;
  return job;
}

Follower draw_follower(int epoch) {
  Follower out;
  out.epoch = chance(80) ? epoch : below(6);
  out.running = out.epoch > 0 && chance(60);
  out.outdated = out.running && chance(20);
  out.overrun = !out.running && chance(20);
  if (chance(70)) out.lag = chance(70) ? base::Duration(300ms) : base::Duration(1min);
  if (chance(70)) out.base = "i1/full-900";
  if (chance(20)) out.holes = 1 + below(3);
  if (chance(30)) out.problem = "the store does not answer";
  if (chance(20)) out.weak_fence = "it takes a second object of one name";
  return out;
}

// Asked for, or under way, as far as the record may have come.
void draw_in_place(World& w) {
  InPlaceRecord& p = w.record.in_place;
  if (chance(25)) {
    api::Restore& wish = w.intent.in_place.emplace();
    wish.request = chance(50) ? "one" : "two";
    wish.to_revision = chance(50) ? 900 : 0;
    wish.asked_at = chance(80) ? w.now : ago();
  }
  if (!chance(40)) return;
  p.request = chance(70) ? "one" : "two";
  p.stage = any<InPlace>(6);
  if (!w.record.recovery && w.record.formation == Formation::kLatched && p.stage == InPlace::kBegin)
    p.stage = InPlace::kSave;
  if (w.record.recovery && p.goes_on()) {
    p.stage = InPlace::kBegin;
    w.record.recovery->survivor.clear();
  }
  p.operation = "op-in-place";
  if (p.stage == InPlace::kSave) {
    w.record.restore.found = Found::kBackup;
    w.record.restore.running = false;
  }
  if (chance(80)) w.record.backup.location = "the-store/i1/full-900";
  p.since = ago();
  p.deadline = chance(80) ? w.now + 1h : ago();
  if (p.stage >= InPlace::kBegin) p.safety = "default/i1/full-900";
}

}  // namespace

void draw_stores(World& w) {
  api::ClusterSpec& spec = w.intent.cluster.spec;
  if (chance(80)) {
    spec.backup = api::Backup{};
    spec.backup->enabled = chance(90);
    spec.backup->interval = chance(50) ? base::Duration(10s) : base::Duration(30min);
  }
  if (chance(20)) w.intent.backup_now = "monday";
  BackupRecord& b = w.record.backup;
  b.epoch = below(4);
  b.running = b.epoch > 0 && chance(40);
  b.started_at = ago();
  b.of = b.job_of = chance(80) ? "default i1" : "s3:b i1";
  b.since = ago();
  if (chance(60)) b.last_success = chance(50) ? w.now : ago();  // else a backup is due first
  if (chance(20)) b.requested_at = ago();
  b.failures = chance(50) ? 0 : below(3);
  b.failed_at = ago();
  RestoreRecord& r = w.record.restore;
  r.epoch = below(4);
  r.running = r.epoch > 0 && chance(30);
  r.started_at = ago();
  if (chance(50)) r.source = "the default store";
  if (!r.source.empty() && !r.running) r.found = any<Found>(3);
  if (r.found == Found::kBackup) r.operation = "fetch-op";
  r.after_loss = chance(20);
  r.again = chance(20);
  DrillRecord& d = w.record.drill;
  d.epoch = below(4);
  d.running = d.epoch > 0 && chance(30);
  d.started_at = ago();
  d.of = d.job_of = chance(80) ? b.of : "s3:c i1";
  if (chance(50)) d.proven_at = ago();
  d.failures = below(3);
  d.failed_at = ago();
  d.bad = d.failures > 0 && chance(50);
  if (chance(80)) d.since = ago();
  d.ended = below(4);
  if (b.last_success && chance(80)) b.name = "i1/full-900";
  b.replaces = b.requested_at && chance(50);
  if (spec.backup) spec.backup->continuous = chance(60);
  FollowRecord& f = w.record.follow;
  f.epoch = below(4);
  f.running = f.epoch > 0 && chance(60);
  f.started_at = ago();
  f.failures = chance(60) ? 0 : below(4);
  f.failed_at = ago();
  f.overrun = f.failures > 0 && chance(20);
  if (chance(30)) f.behind_since = ago();
  f.holes = below(3);
  draw_in_place(w);
  w.seen.follower = fact(draw_follower(f.epoch));
  w.seen.no_slot = chance(20);
  w.seen.drill_job = fact(draw_job(d.epoch));
  w.seen.backup_job = fact(draw_job(b.epoch));
  w.seen.fetch_job = fact(draw_job(r.epoch));
}

}  // namespace plan::test
