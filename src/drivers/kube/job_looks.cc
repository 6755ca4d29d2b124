#include "drivers/kube/job_looks.h"

#include <fmt/format.h>

#include <utility>

#include "drivers/kube/sight.h"
#include "render/store_jobs.h"

namespace k8s {
namespace {

// Told to be in the way: a Secret may come a moment after its cluster, a volume takes its time.
constexpr base::Duration kPatience{15'000};
// A node may have to be made first, or a volume to be let go by another one.
constexpr base::Duration kNodePatience{300'000};
constexpr base::Duration kAskAgain{15'000};
constexpr size_t kLongestWords = 1'000;

}  // namespace

base::Result<kube::Object> JobLooks::pod_of(const json::Value& job, bool ask,
                                            const std::stop_token& stop) {
  const auto uid = text_at(job, "metadata.uid");
  kube::Object newest;
  const auto take = [&](kube::Object pod) {
    if (owner_uid(*pod) != uid) return;
    if (newest == nullptr || text_at(*newest, "metadata.creationTimestamp") <=
                                 text_at(*pod, "metadata.creationTimestamp"))
      newest = std::move(pod);
  };
  const auto of = label(job, render::kJobOfLabel);
  if (!ask) {
    for (auto& pod : shared_.stores.job_pods.group(objects_.key().ns, of)) take(std::move(pod));
    return newest;
  }
  TRY(const auto found,
      objects_.list(kube::kPods, fmt::format("{}={}", render::kJobOfLabel, of), stop));
  const auto* items = found.find("items");
  if (items != nullptr && items->is_array())
    for (const auto& pod : *items->if_array()) take(std::make_shared<const json::Value>(pod));
  return newest;
}

// The newest warning about an object; empty: there is none.
std::string JobLooks::warning_about(std::string_view kind, const std::string& object,
                                    const std::stop_token& stop) {
  const auto fields = fmt::format("regarding.kind={},regarding.name={}", kind, object);
  const auto events = objects_.send(
      kube::list(kube::kEvents, objects_.key().ns, {.selection = {.fields = fields}, .limit = 50}),
      stop);
  const auto* items = events && events->find("items") ? events->find("items")->if_array() : nullptr;
  std::string newest, words;
  if (items != nullptr)
    for (const auto& event : *items) {
      if (text_at(event, "type") != "Warning") continue;
      auto at = text_at(event, "series.lastObservedTime");
      if (at.empty()) at = text_at(event, "deprecatedLastTimestamp");
      if (at.empty()) at = text_at(event, "eventTime");
      if (at < newest) continue;
      newest = std::move(at);
      words = fmt::format("{}: {}", text_at(event, "reason"), text_at(event, "note"));
    }
  return words;
}

// Why a job that has not begun shall not begin any more; empty: it is waited for.
std::string JobLooks::why_give_up(const json::Value& job, const json::Value* pod,
                                  const JobSight& sight, const std::stop_token& stop) {
  const auto job_name = text_at(job, "metadata.name");
  const auto now = shared_.parts.clock.tick();
  auto& wait = waits_.emplace(job_name, Wait{now, now}).first->second;
  if (now - wait.since < (sight.needs_node ? kNodePatience : kPatience)) return {};
  if (!sight.held_up.empty()) return sight.held_up;
  if (now < wait.ask_at) return {};
  wait.ask_at = now + kAskAgain;
  auto words = pod == nullptr ? warning_about("Job", job_name, stop)
                              : warning_about("Pod", text_at(*pod, "metadata.name"), stop);
  const bool attaches = words.starts_with("FailedAttachVolume");
  return attaches && now - wait.since < kNodePatience ? std::string() : words;
}

// It never begins after this, so that another can be tried.
base::Status JobLooks::give_up(const json::Value& job, const std::string& why,
                               const std::stop_token& stop) {
  json::Object annotations;
  annotations[render::kGivenUpAnnotation] = why.substr(0, kLongestWords);
  const json::Value patch =
      json::Object{{"metadata", json::Object{{"annotations", std::move(annotations)}}},
                   {"spec", json::Object{{"suspend", true}}}};
  TRY_OK(objects_.send(
      kube::merge_patch(kube::kJobs, {objects_.key().ns, text_at(job, "metadata.name")}, patch,
                        {.uid = text_at(job, "metadata.uid")}),
      stop));
  return {};
}

base::Fact<JobSight> JobLooks::look_at(const json::Value& job, const std::stop_token& stop) {
  using Seen = base::Fact<JobSight>;
  auto pod = pod_of(job, /*ask=*/false, stop);
  if (!pod) return Seen::unknown(pod.error().message);
  auto sight = judge_job(job, pod->get());
  if (!sight.running && sight.report.empty()) {
    pod = pod_of(job, /*ask=*/true, stop);
    if (!pod) return Seen::unknown(pod.error().message);
    sight = judge_job(job, pod->get());
  }
  if (sight.started || !sight.running) {
    waits_.erase(text_at(job, "metadata.name"));
  } else if (const auto why = why_give_up(job, pod->get(), sight, stop); !why.empty()) {
    if (const auto given = give_up(job, why, stop); !given)
      return Seen::unknown(given.error().message);
  }
  return sight;
}

}  // namespace k8s
