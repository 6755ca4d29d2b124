#include "manager/backup_request.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"

namespace manager {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kRetryFirst = 10s, kRetryLongest = 10min;
constexpr base::Duration kLate = 1h;  // of one that is asked for once

base::Duration retry_after(int tries) {
  return std::min<base::Duration>(kRetryFirst * (1 << std::clamp(tries - 1, 0, 8)), kRetryLongest);
}

bool is_done(plan::JobEnd end) {
  return end == plan::JobEnd::kUploaded || end == plan::JobEnd::kUnchanged ||
         end == plan::JobEnd::kNotDue;
}

// What its end says is told.
void take_end(const k8s::BackupTry& tried, base::Instant now, api::BackupRequestStatus& status) {
  const auto& report = tried.report;
  status.succeeded = is_done(report.end);
  if (!*status.succeeded) {
    status.reason = report.error.empty() ? "the job gave no cause" : report.error;
    return;
  }
  status.reason = report.warning;
  status.etcd_version = report.etcd_version;
  status.etcd_revision = report.revision;
  status.location = report.location;
  // The cluster was looked at, and had nothing new; or the Job's machine was ahead of us, and "now"
  // would be later with each look.
  const bool dated = report.end != plan::JobEnd::kUnchanged && report.time && *report.time <= now;
  status.last_success = std::min(dated ? *report.time : tried.started, now);
}

}  // namespace

bool is_finished(const api::BackupRequest& wish, std::int64_t generation,
                 const api::BackupRequestStatus& told) {
  return wish.interval.count() == 0 && told.succeeded == true &&
         (told.observed_generation == generation || told.observed_generation == 0);
}

BackupStep next_step(const api::BackupRequest& wish, std::int64_t generation,
                     const api::BackupRequestStatus& told, const k8s::BackupTry* newest,
                     base::Instant now) {
  BackupStep out{.status = told, .start = {}, .last_revision = {}, .at = {}};
  if (is_finished(wish, generation, told)) return out;
  // Whatever was told of another text may be of another cluster, or of another store.
  if (told.observed_generation != generation) out.status = {};
  out.status.observed_generation = generation;
  const int epoch = newest == nullptr ? 0 : newest->epoch;
  const auto* tried = newest != nullptr && newest->generation == generation ? newest : nullptr;
  out.at = now;
  if (newest != nullptr && newest->running) return out;
  if (tried != nullptr) take_end(*tried, now, out.status);
  if (is_finished(wish, generation, out.status)) {
    out.at.reset();
    return out;
  }
  const auto& last = out.status.last_success;
  const bool failed = tried != nullptr && out.status.succeeded == false;
  if (failed)
    out.at = tried->started + (wish.interval.count() == 0
                                   ? retry_after(tried->tries)
                                   : std::min(retry_after(tried->tries), wish.interval));
  else if (last)
    out.at = *last + wish.interval;
  if (now < *out.at) return out;
  k8s::BackupTry next{.epoch = epoch + 1,
                      .tries = failed ? tried->tries + 1 : 1,
                      .generation = generation,
                      .started = now,
                      .not_before = now,
                      .running = true,
                      .report = {}};
  // A try before this one may have been done, and nobody heard of it.
  if (last)
    next.not_before = *last + 1s;
  else if (failed)
    next.not_before = tried->not_before;
  if (last) out.last_revision = out.status.etcd_revision;
  out.start = std::move(next);
  return out;
}

std::optional<bool> is_healthy(const api::BackupRequest& wish,
                               const api::BackupRequestStatus& status, base::Instant created,
                               base::Instant now) {
  if (status.succeeded == false) return false;
  const bool once = wish.interval.count() == 0;
  if (once && status.succeeded == true) return true;
  // A try takes its time, too.
  const auto late = wish.timeout + (once ? kLate : 2 * wish.interval);
  if (now - status.last_success.value_or(created) > late) return false;
  return status.succeeded;
}

std::vector<base::ClusterKey> clusters_at(std::string_view url, const std::string& ns) {
  const auto scheme = url.find("://");
  if (scheme != std::string_view::npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('/'));
  url = url.substr(0, url.find(':'));
  const auto labels = base::split(url, '.');
  std::vector<base::ClusterKey> out;
  const auto service = [&](size_t at) {
    const auto after = at + 1 < labels.size() ? std::string(labels[at + 1]) : ns;
    if (at + 2 < labels.size() && labels[at + 2] != "svc") return;
    constexpr std::string_view kClient = "-client";
    const auto name = labels[at];
    if (at == 0 && name.ends_with(kClient) && name.size() > kClient.size())
      out.push_back({after, std::string(name.substr(0, name.size() - kClient.size()))});
    else if (!name.empty())
      out.push_back({after, std::string(name)});
  };
  service(0);
  if (labels.size() > 1) service(1);  // of the pod that is named before it
  return out;
}

}  // namespace manager
