#include "drivers/kube/job_sight.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "drivers/kube/sight.h"
#include "render/store_jobs.h"

namespace k8s {
namespace {

// Waiting for what comes by itself.
constexpr std::array<std::string_view, 2> kNormal{"ContainerCreating", "PodInitializing"};
// It is decided; the rest of the job's pods may take its time to end, on a node that is away for
// ever.
constexpr std::array<std::string_view, 4> kDecided{"Complete", "Failed", "SuccessCriteriaMet",
                                                   "FailureTarget"};

const json::Array& items(const json::Value& object, std::string_view path) {
  static const json::Array kNone;
  const auto* list = object.at(path);
  return list != nullptr && list->is_array() ? *list->if_array() : kNone;
}

std::string words(const json::Value& of, std::string_view what) {
  return fmt::format("{}: {} {}", what, text_at(of, "reason"), text_at(of, "message"));
}

// Why it is over; empty: it is not.
std::string decided(const json::Value& job) {
  for (const auto& condition : items(job, "status.conditions"))
    if (text_at(condition, "status") == "True" &&
        std::ranges::find(kDecided, text_at(condition, "type")) != kDecided.end())
      return words(condition, "its Job is over");
  return {};
}

const json::Value* worker(const json::Value& pod) {
  for (const auto& container : items(pod, "status.containerStatuses"))
    if (text_at(container, "name") == render::kJobContainer) return &container;
  return nullptr;
}

bool lacks_node(const json::Value& pod) {
  return std::ranges::any_of(items(pod, "status.conditions"), [](const auto& condition) {
    return text_at(condition, "type") == "PodScheduled" && text_at(condition, "status") == "False";
  });
}

std::string why_held_up(const json::Value& pod) {
  for (const auto& condition : items(pod, "status.conditions"))
    if (text_at(condition, "type") == "PodScheduled" && text_at(condition, "status") == "False")
      return "its pod has no node: " + text_at(condition, "message");
  for (const auto* list : {"status.initContainerStatuses", "status.containerStatuses"})
    for (const auto& container : items(pod, list)) {
      const auto reason = text_at(container, "state.waiting.reason");
      if (!reason.empty() && std::ranges::find(kNormal, reason) == kNormal.end())
        return fmt::format("its pod does not start: {}: {}", reason,
                           text_at(container, "state.waiting.message"));
    }
  return {};
}

// Its container has ended; false: it has not.
bool take_end(const json::Value& pod, JobSight& sight) {
  const auto* container = worker(pod);
  const auto* end = container == nullptr ? nullptr : container->at("state.terminated");
  if (end == nullptr) {
    const auto phase = text_at(pod, "status.phase");
    if (phase != "Failed" && phase != "Succeeded") return false;
    sight.ended = words(*pod.find("status"), "its pod has ended");
    return true;
  }
  sight.report = text_at(*end, "message");
  sight.ended = fmt::format("its container ended with exit code {}: {} {}",
                            json::get_int(*end, "exitCode").value_or(-1), text_at(*end, "reason"),
                            sight.report);
  return true;
}

}  // namespace

JobSight judge_job(const json::Value& job, const json::Value* pod) {
  JobSight sight;
  const auto* file = job.at("spec.template.metadata.annotations");
  if (file != nullptr)
    if (const auto* text = file->find(render::kJobFileAnnotation); text && text->if_string())
      sight.file = *text->if_string();
  sight.started = true;
  if (pod != nullptr && take_end(*pod, sight)) {
    sight.running = false;
    return sight;
  }
  if (auto why = annotation(job, render::kGivenUpAnnotation); !why.empty()) {
    // A pod that is told to end, and has not begun, does not begin.
    sight.running = pod != nullptr && !is_going(*pod);
    sight.ended = std::move(why);
    return sight;
  }
  if (auto why = decided(job); !why.empty()) {
    sight.running = false;
    sight.ended = std::move(why);
    return sight;
  }
  const auto* container = pod == nullptr ? nullptr : worker(*pod);
  sight.started = container != nullptr && container->at("state.running") != nullptr;
  if (!sight.started && pod != nullptr) {
    sight.held_up = why_held_up(*pod);
    sight.needs_node = lacks_node(*pod);
  }
  return sight;
}

}  // namespace k8s
