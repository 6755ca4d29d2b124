// What writes the continuous log: a Job as the others are, but without an end of its own. A Job and
// no Deployment: only we start another one, so that each has an epoch of its own, by which the log
// fences the older of two that are at work at once.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "drivers/jobs/jobs.h"
#include "drivers/kube/sight.h"
#include "drivers/kube/store_jobs.h"
#include "json/json.h"
#include "pki/digest.h"

namespace k8s {
namespace {

const std::string kFollow = "follow";
constexpr base::Duration kPageDeadline{2'000};

plan::Follower silent(std::string why) {
  plan::Follower out;
  out.running = true;
  out.lag = base::Fact<base::Duration>::unknown(std::move(why));
  return out;
}

}  // namespace

base::Result<StoreJobs::Follower> StoreJobs::follower(int epoch, const Scope& scope) const {
  const auto& spec = scope.cluster().spec;
  if (!spec.backup) return base::fail(base::Code::kFailedPrecondition, "no backup block");
  const auto* at = spec.backup->destination ? &*spec.backup->destination : nullptr;
  Follower out;
  TRY(out.place, place_of(at, objects_.key()));
  add_encryption_key(spec, out.place);
  auto job = jobs::follow_job(*spec.backup, scope.job.record, epoch);
  place_files(out.place, job.run.common);
  job.status_port = render::kStatusPort;
  out.job = {.kind = kFollow,
             .epoch = epoch,
             .words = {"archive", "follow"},
             .store = out.place.access,
             .deadline = std::nullopt};
  reach_members(scope, job.run, out.job);
  out.job.file = archive::to_json(job);
  // A newer operator's program takes the place of an older one's: its image is in it, too.
  const auto object = render::store_job(scope.cluster(), out.job, shared_.options.objects);
  out.job.notes.emplace(render::kToldAnnotation, pki::to_hex(pki::sha256(json::print(object))));
  return out;
}

// By the address of its pod: it has no name, and needs none.
plan::Follower StoreJobs::ask_follower(const json::Value& job, const JobSight& sight,
                                       const Scope& scope) {
  const auto pod = looks_.pod_of(job, /*ask=*/false, scope.stop);
  const auto ip = pod && *pod != nullptr ? text_at(**pod, "status.podIP") : std::string();
  if (!sight.started || ip.empty())
    return silent(sight.held_up.empty() ? "its pod has not begun yet" : sight.held_up);
  const bool v6 = ip.find(':') != std::string::npos;
  const auto url =
      fmt::format("http://{}{}{}:{}/", v6 ? "[" : "", ip, v6 ? "]" : "", render::kStatusPort);
  const auto page = shared_.parts.machine.page(url, kPageDeadline, scope.stop);
  if (!page) return silent("its pod was not heard: " + page.error().message);
  return jobs::answering_follower(*page);
}

base::Fact<plan::Follower> StoreJobs::look_at_follower(const Scope& scope) {
  using Seen = base::Fact<plan::Follower>;
  if (!shared_.stores.jobs.complete() || !shared_.stores.job_pods.complete())
    return Seen::unknown("jobs were not listed yet");
  const auto& record = scope.job.record.follow;
  const auto found = newest(kFollow, record.running ? record.epoch : 0, scope);
  if (!found) return Seen::unknown(found.error().message);
  if (*found == nullptr) return jobs::ended_follower("");
  const auto& job = **found;
  const auto uid = text_at(job, "metadata.uid");
  if (const auto known = ended_.find(uid); known != ended_.end()) return known->second;
  const auto sight = looks_.look_at(job, scope.stop);
  if (!sight.known()) return Seen::unknown(sight.why());
  if (!sight->running) {
    auto out = jobs::ended_follower(sight->report, sight->ended);
    out.epoch = epoch_of(job);
    ended_ = {{uid, out}};
    return out;
  }
  auto out = ask_follower(job, *sight, scope);
  out.epoch = epoch_of(job);
  // What cannot be made now is no reason to end what goes on without it.
  const auto wanted = follower(out.epoch, scope);
  const std::string told(render::kToldAnnotation);
  if (wanted && wanted->job.notes.at(told) != annotation(job, told)) out.outdated = true;
  return out;
}

// They are told to end; what came is written first. One that does not hear it is fenced.
base::Status StoreJobs::end_followers(int before, const Scope& scope) {
  for (const auto& job : all(kFollow, scope.cluster())) {
    if (epoch_of(*job) >= before) continue;
    TRY(const auto pod, looks_.pod_of(*job, /*ask=*/false, scope.stop));
    if (!judge_job(*job, pod.get()).running) continue;
    TRY_OK(objects_.remove(kube::kJobs, text_at(*job, "metadata.name"), scope.cluster().uid,
                           scope.stop));
  }
  return {};
}

base::Status StoreJobs::act(const plan::StartFollower& a, const Scope& scope) {
  // First all that can fail: the one that runs is better than none.
  TRY(const auto wanted, follower(a.epoch, scope));
  TRY_OK(start(wanted.job, wanted.place, scope));
  return end_followers(a.epoch, scope);
}

base::Status StoreJobs::act(const plan::EndFollower& /*a*/, const Scope& scope) {
  return end_followers(std::numeric_limits<int>::max(), scope);
}

base::Status StoreJobs::tidy_followers(const Scope& scope) {
  const auto there = all(kFollow, scope.cluster());
  return there.empty() ? base::Status() : end_followers(epoch_of(*there.front()), scope);
}

}  // namespace k8s
