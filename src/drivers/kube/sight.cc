#include "drivers/kube/sight.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "drivers/live/member_facts.h"
#include "json/json.h"
#include "render/kubernetes.h"

namespace k8s {
namespace {

using Process = plan::Process;
using Data = plan::Data;

// What no new pod would do better.
constexpr std::array<std::string_view, 8> kBadConfig{
    "ErrImagePull",         "ImagePullBackOff",   "InvalidImageName",
    "ErrImageNeverPull",    "RunContainerError",  "CreateContainerConfigError",
    "CreateContainerError", "RegistryUnavailable"};

const json::Value* find_named(const json::Value* list, std::string_view key,
                              std::string_view name) {
  const auto* items = list == nullptr ? nullptr : list->if_array();
  if (items == nullptr) return nullptr;
  const auto found =
      std::ranges::find_if(*items, [&](const auto& item) { return text_at(item, key) == name; });
  return found == items->end() ? nullptr : &*found;
}

const json::Value* etcd_status(const json::Value& pod) {
  return find_named(pod.at("status.containerStatuses"), "name", "etcd");
}

struct Judged {
  base::Fact<Process> process;
  std::optional<plan::Ending> ended;
};

Judged unknown(std::string why) {
  return {base::Fact<Process>::unknown(std::move(why)), {}};
}

Judged held_up(plan::End end, std::string text) {
  return {Process::kBackoff, plan::Ending{end, std::move(text), {}, 1}};
}

plan::Ending ending_of(const guard::Verdict& verdict) {
  return {live::to_plan(verdict.klass), verdict.signature, verdict.at, verdict.failures};
}

// Of a container that has ended without the guard's words.
plan::Ending ending_without_words(const json::Value& terminated) {
  const auto reason = text_at(terminated, "reason");
  const bool node = reason == "OOMKilled" || reason == "ContainerStatusUnknown";
  return {node ? plan::End::kNode : plan::End::kRetry,
          fmt::format("its container ended: {} {}", reason, text_at(terminated, "message")),
          {},
          1};
}

std::optional<plan::Ending> last_ending(const json::Value& pod) {
  if (const auto verdict = verdict_of(pod)) return ending_of(*verdict);
  const auto* container = etcd_status(pod);
  if (container == nullptr) return std::nullopt;
  for (const auto* at : {"state.terminated", "lastState.terminated"})
    if (const auto* terminated = container->at(at)) return ending_without_words(*terminated);
  return std::nullopt;
}

// Why nothing that this pod says can be believed: its node does not speak. Empty: it does.
std::string silence_of(const Sight& sight, const json::Value& pod) {
  const auto name = text_at(pod, "spec.nodeName");
  if (name.empty()) return {};
  if (text_at(pod, "status.phase") == "Unknown" || text_at(pod, "status.reason") == "NodeLost")
    return fmt::format("node {} does not answer", name);
  if (sight.node.is_absent())
    return fmt::format("node {} is gone, which does not say that its processes ended", name);
  if (!sight.node.known()) return {};  // nodes cannot be read: the pod's own words have to do
  // A person's word that the machine is off.
  if (find_named((*sight.node)->at("spec.taints"), "key", "node.kubernetes.io/out-of-service"))
    return {};
  if (!is_ready(**sight.node)) return fmt::format("node {} is not ready", name);
  return {};
}

bool is_out_of_service(const Sight& sight) {
  return sight.node.known() && !is_ready(**sight.node) &&
         find_named((*sight.node)->at("spec.taints"), "key", "node.kubernetes.io/out-of-service");
}

// What comes before the guard, where a member begins with data: a snapshot of the survivor's, or a
// backup (render/workload.cc).
std::optional<Judged> failed_source(const json::Value& pod) {
  constexpr std::int64_t kDamaged = 11;  // as the guard says of damaged data
  for (const auto& [name, what] : {std::pair("survivor", "the survivor's data cannot be read"),
                                   std::pair("fetch", "the backup cannot be fetched")}) {
    const auto* container = find_named(pod.at("status.initContainerStatuses"), "name", name);
    if (container == nullptr) continue;
    for (const auto* at : {"state.terminated", "lastState.terminated"}) {
      const auto* ended = container->at(at);
      const auto code = ended == nullptr ? 0 : json::get_int(*ended, "exitCode").value_or(0);
      if (code == 0) continue;
      const auto message = text_at(*ended, "message");
      const auto report = json::parse(message);  // what a job says of itself
      const auto error = report ? text_at(*report, "error") : std::string();
      return held_up(code == kDamaged ? plan::End::kDataCorrupt : plan::End::kRetry,
                     fmt::format("{}: {}", what, error.empty() ? message : error));
    }
  }
  return std::nullopt;
}

Judged pending(const json::Value& pod) {
  if (auto failed = failed_source(pod)) return *std::move(failed);
  const auto* scheduled = find_named(pod.at("status.conditions"), "type", "PodScheduled");
  if (scheduled != nullptr && text_at(*scheduled, "status") == "False" &&
      text_at(*scheduled, "reason") == "Unschedulable")
    return held_up(plan::End::kNode, "its pod has no node: " + text_at(*scheduled, "message"));
  for (const auto* at : {"status.initContainerStatuses", "status.containerStatuses"}) {
    const auto* list = pod.at(at);
    if (list == nullptr || !list->is_array()) continue;
    for (const auto& container : *list->if_array()) {
      const auto reason = text_at(container, "state.waiting.reason");
      if (std::ranges::find(kBadConfig, reason) != kBadConfig.end())
        return held_up(plan::End::kConfig,
                       fmt::format("{}: {}", reason, text_at(container, "state.waiting.message")));
    }
  }
  return {Process::kStarting, {}};
}

Judged running(const json::Value& pod) {
  const auto* container = etcd_status(pod);
  if (container == nullptr) return {Process::kStarting, {}};
  if (container->at("state.running") != nullptr) {
    const bool started = json::get_bool(*container, "started").value_or(true);
    return {started ? Process::kRunning : Process::kStarting, {}};
  }
  const auto reason = text_at(*container, "state.waiting.reason");
  if (container->at("state.terminated") == nullptr && reason != "CrashLoopBackOff")
    return pending(pod);
  return {Process::kBackoff, last_ending(pod)};
}

Judged without_pod(const Sight& sight) {
  if (!sight.set.known()) {
    if (sight.set.is_unknown()) return unknown(sight.set.why());
    return {Process::kStopped, {}};
  }
  const auto& set = **sight.set;
  if (json::get_int(set, "spec.replicas").value_or(1) > 0) {
    if (is_going(set)) return {Process::kStopped, {}};
    if (sight.refusal.empty()) return {Process::kStarting, {}};
    return held_up(plan::End::kNode, sight.refusal);
  }
  const auto verdict = guard::decode_verdict(annotation(set, kVerdictAnnotation));
  if (verdict) return {Process::kStopped, ending_of(*verdict)};
  return {Process::kStopped, plan::Ending{plan::End::kStopped, "stopped by the operator", {}, 0}};
}

Judged process_of(const Sight& sight) {
  if (sight.pod.is_unknown()) return unknown(sight.pod.why());
  if (sight.pod.is_absent()) return without_pod(sight);
  const auto& pod = **sight.pod;
  if (is_out_of_service(sight)) return {Process::kStopped, last_ending(pod)};
  if (auto why = silence_of(sight, pod); !why.empty()) return unknown(std::move(why));
  const auto phase = text_at(pod, "status.phase");
  const auto* container = etcd_status(pod);
  const bool ended = container != nullptr && container->at("state.terminated") != nullptr;
  if (is_going(pod)) {
    if (ended || text_at(pod, "spec.nodeName").empty())
      return {Process::kStopped, last_ending(pod)};
    return unknown("its pod is being deleted");
  }
  if (phase == "Succeeded" || phase == "Failed") {
    auto ending = last_ending(pod);
    if (const auto reason = text_at(pod, "status.reason"); !ending && !reason.empty())
      ending = plan::Ending{
          plan::End::kNode, fmt::format("{}: {}", reason, text_at(pod, "status.message")), {}, 1};
    return {Process::kStopped, std::move(ending)};
  }
  return phase == "Running" ? running(pod) : pending(pod);
}

std::optional<Data> data_by_verdict(const std::optional<plan::Ending>& ended) {
  if (!ended) return std::nullopt;
  switch (ended->end) {
    case plan::End::kDataLost:
      return Data::kOlder;
    case plan::End::kDataCorrupt:
      return Data::kCorrupt;
    case plan::End::kForeign:
      return Data::kForeign;
    case plan::End::kNoVolume:
      return Data::kNoMarker;
    case plan::End::kNone:
    case plan::End::kStopped:
    case plan::End::kRetry:
    case plan::End::kRemoved:
    case plan::End::kConfig:
    case plan::End::kNode:
      break;
  }
  return std::nullopt;
}

// No pod of it has ever been with a node.
bool is_nowhere(const Sight& sight) {
  if (sight.pod.is_absent()) return true;
  return sight.pod.known() && text_at(**sight.pod, "status.phase") == "Pending" &&
         text_at(**sight.pod, "spec.nodeName").empty();
}

bool is_put_away(const Sight& sight, const plan::MemberRecord& member) {
  return (member.phase == plan::Phase::kRetired || member.phase == plan::Phase::kSurvivor) &&
         sight.set.is_absent() && sight.pod.is_absent();
}

// S5: with both gone by the server's own words, nobody can ever mount that data again.
base::Fact<Data> data_without_claim(const Sight& sight, const plan::MemberRecord& member) {
  if (!member.ran || is_put_away(sight, member)) return base::Fact<Data>::absent();
  if (sight.volume.is_unknown())
    return base::Fact<Data>::unknown("its claim is gone, and volumes cannot be read");
  if (sight.volume.known())
    return base::Fact<Data>::unknown(fmt::format("its claim is gone, but volume {} is still there",
                                                 text_at(**sight.volume, "metadata.name")));
  return Data::kBlank;
}

base::Fact<Data> data_of(const Sight& sight, const plan::MemberRecord& member,
                         const Judged& judged) {
  if (judged.process == Process::kRunning) return Data::kOwn;
  const auto told = data_by_verdict(judged.ended);
  if (!sight.has_claims) {
    if (told) return *told;
    if (sight.pod.is_absent() && (!member.ran || is_put_away(sight, member)))
      return base::Fact<Data>::absent();
    return base::Fact<Data>::unknown("its data lives in its pod, and nobody has looked into it");
  }
  if (sight.claim.is_unknown()) return base::Fact<Data>::unknown(sight.claim.why());
  if (sight.claim.is_absent()) return data_without_claim(sight, member);
  const auto& claim = **sight.claim;
  if (annotation(claim, render::kVolumeAnnotation) != member.volume) return Data::kForeign;
  if (told) return *told;
  const auto phase = text_at(claim, "status.phase");
  if (phase == "Lost" && member.ran)
    return sight.volume.is_absent()
               ? base::Fact<Data>(Data::kBlank)
               : base::Fact<Data>::unknown(
                     "its claim has lost its volume, which is not seen to be gone");
  if (is_going(claim)) return base::Fact<Data>::unknown("its claim is being deleted");
  const auto state = label(claim, render::kVolumeStateLabel);
  if (state == name_of(render::VolumeState::kRemoved) && is_put_away(sight, member))
    return base::Fact<Data>::absent();
  if (state != name_of(render::VolumeState::kMember))
    return base::Fact<Data>::unknown("its volume is new, and nobody has looked into it");
  if (phase == "Pending") return base::Fact<Data>::unknown("its claim waits for a volume");
  return Data::kOwn;
}

base::Fact<guard::Ticket> ticket_of(const Sight& sight) {
  using Ticket = base::Fact<guard::Ticket>;
  if (sight.set.is_unknown()) return Ticket::unknown(sight.set.why());
  if (sight.set.is_absent()) return Ticket::absent();
  const auto& set = **sight.set;
  if (!is_observed(set))
    return Ticket::unknown("Kubernetes has not taken notice of its ticket yet");
  auto ticket = guard::decode_ticket(template_annotation(set, render::kTicketAnnotation));
  if (!ticket) return Ticket::unknown("its ticket cannot be read: " + ticket.error().message);
  // A pod that lives reads its own copy, which is written after the set's.
  if (sight.pod.known())
    if (const auto own = guard::decode_ticket(annotation(**sight.pod, render::kTicketAnnotation)))
      ticket->initial_cluster = own->initial_cluster;
  return *std::move(ticket);
}

}  // namespace

plan::MemberFacts judge(const Sight& sight, const plan::MemberRecord& member) {
  plan::MemberFacts facts;
  const auto judged = process_of(sight);
  facts.process = judged.process;
  facts.ended = judged.ended;
  facts.data = data_of(sight, member, judged);
  facts.volume_going = sight.has_claims && sight.claim.known() && is_going(**sight.claim);
  // Its claim is gone, so a pod without a node will not get one: what the scheduler says of it
  // would hide the loss.
  if (member.ran && sight.has_claims && sight.claim.is_absent() && is_nowhere(sight)) {
    facts.process = Process::kStopped;
    facts.ended = plan::Ending{plan::End::kNoVolume, "its claim is gone", {}, 1};
  }
  live::judge_ticket(ticket_of(sight), facts);
  if (judged.process == Process::kRunning) {
    const auto& pod = **sight.pod;
    facts.template_hash = annotation(pod, render::kTemplateAnnotation);
    if (const auto ticket = guard::decode_ticket(annotation(pod, render::kTicketAnnotation)))
      facts.version = ticket->version;
  }
  return facts;
}

std::string text_at(const json::Value& object, std::string_view path) {
  return json::get_string(object, path).value_or("");
}

namespace {

std::string keyed(const json::Value* map, std::string_view key) {
  const auto* value = map == nullptr ? nullptr : map->find(key);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : *text;
}

}  // namespace

std::string label(const json::Value& object, std::string_view key) {
  return keyed(object.at("metadata.labels"), key);
}

std::string annotation(const json::Value& object, std::string_view key) {
  return keyed(object.at("metadata.annotations"), key);
}

std::string template_annotation(const json::Value& set, std::string_view key) {
  return keyed(set.at("spec.template.metadata.annotations"), key);
}

bool is_going(const json::Value& object) {
  return object.at("metadata.deletionTimestamp") != nullptr;
}

std::string owner_uid(const json::Value& object) {
  const auto* owners = object.at("metadata.ownerReferences");
  if (owners == nullptr || !owners->is_array()) return {};
  for (const auto& owner : *owners->if_array())
    if (json::get_bool(owner, "controller").value_or(false)) return text_at(owner, "uid");
  return {};
}

bool is_ready(const json::Value& node_or_pod) {
  const auto* ready = find_named(node_or_pod.at("status.conditions"), "type", "Ready");
  return ready != nullptr && text_at(*ready, "status") == "True";
}

std::optional<guard::Verdict> verdict_of(const json::Value& pod) {
  const auto* container = etcd_status(pod);
  if (container == nullptr) return std::nullopt;
  for (const auto* at : {"state.terminated.message", "lastState.terminated.message"}) {
    auto verdict = guard::decode_verdict(text_at(*container, at));
    if (verdict && verdict->klass != guard::Class::kNone) return *std::move(verdict);
  }
  return std::nullopt;
}

bool is_observed(const json::Value& object) {
  return json::get_int(object, "status.observedGeneration").value_or(0) >=
         json::get_int(object, "metadata.generation").value_or(0);
}

}  // namespace k8s
