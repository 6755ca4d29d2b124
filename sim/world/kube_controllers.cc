#include "sim/world/kube_controllers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "sim/world/kube_answers.h"

namespace sim {
namespace {

kube::Name name_of(const json::Value& object) {
  return {text_at(object, "metadata.namespace"), text_at(object, "metadata.name")};
}

bool is_going(const json::Value& object) {
  return object.at("metadata.deletionTimestamp") != nullptr;
}

bool is_ready(const json::Value& pod) {
  const auto* conditions = pod.at("status.conditions");
  if (conditions == nullptr || !conditions->is_array() || is_going(pod)) return false;
  return std::ranges::any_of(*conditions->if_array(), [](const json::Value& condition) {
    return text_at(condition, "type") == "Ready" && text_at(condition, "status") == "True";
  });
}

bool is_over(const json::Value& job) {
  const auto* conditions = job.at("status.conditions");
  if (conditions == nullptr || !conditions->is_array()) return false;
  return std::ranges::any_of(*conditions->if_array(), [](const json::Value& condition) {
    const auto type = text_at(condition, "type");
    return (type == "Complete" || type == "Failed") && text_at(condition, "status") == "True";
  });
}

bool is_of(const json::Value& object, const std::string& uid) {
  const auto* owners = object.at("metadata.ownerReferences");
  return owners != nullptr && owners->is_array() &&
         std::ranges::any_of(*owners->if_array(), [&](const json::Value& owner) {
           return text_at(owner, "uid") == uid;
         });
}

std::string revision_of(const json::Value& set) {
  const auto* pods = set.at("spec.template");
  return fmt::format("{}-{:08x}", text_at(set, "metadata.name"),
                     base::crc32c(json::print(pods == nullptr ? json::Value() : *pods)));
}

// A pod of its labels and names that nobody has.
bool is_free(const json::Value& pod, const json::Value& set) {
  const auto* wanted = set.at("spec.selector.matchLabels");
  const auto* labels = pod.at("metadata.labels");
  const auto* owners = pod.at("metadata.ownerReferences");
  const auto prefix = text_at(set, "metadata.name") + "-";
  const auto name = text_at(pod, "metadata.name");
  return (owners == nullptr || owners->if_array()->empty()) && !is_going(pod) &&
         name.starts_with(prefix) && base::parse_int(name.substr(prefix.size())) &&
         wanted != nullptr && labels != nullptr &&
         std::ranges::all_of(*wanted->if_object(), [&](const auto& member) {
           return labels->find(member.key) != nullptr && *labels->find(member.key) == member.value;
         });
}

json::Array owned_by(const json::Value& owner, const kube::Resource& resource) {
  return json::Array{json::Object{{"apiVersion", resource.api_version()},
                                  {"kind", resource.kind},
                                  {"name", text_at(owner, "metadata.name")},
                                  {"uid", text_at(owner, "metadata.uid")},
                                  {"controller", true},
                                  {"blockOwnerDeletion", true}}};
}

json::Value pod_for(const json::Value& set, std::int64_t number) {
  const auto set_name = text_at(set, "metadata.name");
  const auto name = fmt::format("{}-{}", set_name, number);
  json::Value pod =
      set.at("spec.template") == nullptr ? json::Value(json::Object()) : *set.at("spec.template");
  auto& metadata = pod["metadata"];
  metadata["name"] = name;
  metadata["labels"]["statefulset.kubernetes.io/pod-name"] = name;
  metadata["labels"]["apps.kubernetes.io/pod-index"] = std::to_string(number);
  metadata["labels"]["controller-revision-hash"] = revision_of(set);
  metadata["ownerReferences"] = owned_by(set, kube::kStatefulSets);
  pod["spec"]["hostname"] = name;
  if (const auto service = text_at(set, "spec.serviceName"); !service.empty())
    pod["spec"]["subdomain"] = service;
  return pod;
}

}  // namespace

bool says(const json::Value& object, const json::Value& status) {
  const auto* there = object.find("status");
  return there != nullptr && there->is_object() && status.is_object() &&
         std::ranges::all_of(*status.if_object(), [&](const json::Member& field) {
           const auto* value = there->find(field.key);
           return value != nullptr && *value == field.value;
         });
}

bool KubeControllers::done(const kube::Request& request) {
  const auto before = server_.changes();
  const auto reply = server_.send(request, {}, {});
  return reply && reply->status < 300 && server_.changes() != before;
}

bool KubeControllers::stateful_sets() {
  bool any = false;
  for (const auto& set : server_.all(kube::kStatefulSets))
    if (!is_going(set)) any = one_set(set) || any;
  return any;
}

bool KubeControllers::one_set(const json::Value& set) {
  const auto name = name_of(set);
  const auto uid = text_at(set, "metadata.uid");
  const auto replicas = json::get_int(set, "spec.replicas").value_or(1);
  const auto revision = revision_of(set);
  std::vector<bool> there(static_cast<size_t>(std::max<std::int64_t>(replicas, 0)));
  std::int64_t count = 0, ready = 0, updated = 0;
  bool any = false;
  for (const auto& pod : server_.all(kube::kPods, name.ns)) {
    if (is_free(pod, set))
      any = done(merge_patch(
                kube::kPods, name_of(pod),
                json::Object{{"metadata", json::Object{{"ownerReferences",
                                                        owned_by(set, kube::kStatefulSets)}}}})) ||
            any;
    else if (!is_of(pod, uid))
      continue;
    const auto number = base::parse_int(name_of(pod).name.substr(name.name.size() + 1));
    const bool wanted = number && *number >= 0 && *number < replicas;
    // A pod that is going keeps its name until it is gone.
    if (wanted) there[static_cast<size_t>(*number)] = true;
    const auto phase = text_at(pod, "status.phase");
    const bool ended = phase == "Failed" || phase == "Succeeded";
    if ((!wanted || ended) && !is_going(pod))
      any = done(remove(kube::kPods, name_of(pod),
                        {.expected = {.uid = text_at(pod, "metadata.uid")}})) ||
            any;
    ++count;
    ready += is_ready(pod) ? 1 : 0;
    const auto* labels = pod.at("metadata.labels");
    const auto* hash = labels == nullptr ? nullptr : labels->find("controller-revision-hash");
    updated += hash != nullptr && *hash == json::Value(revision) ? 1 : 0;
  }
  for (size_t number = 0; number < there.size(); ++number)
    if (!there[number])
      any = done(create(kube::kPods, name.ns, pod_for(set, static_cast<std::int64_t>(number)))) ||
            any;
  const json::Value status = json::Object{
      {"status",
       json::Object{{"observedGeneration", json::get_int(set, "metadata.generation").value_or(0)},
                    {"replicas", count},
                    {"readyReplicas", ready},
                    {"updatedReplicas", updated},
                    {"updateRevision", revision}}}};
  if (says(set, *status.find("status"))) return any;
  return done(of_part(merge_patch(kube::kStatefulSets, name, status), "status")) || any;
}

bool KubeControllers::jobs() {
  bool any = false;
  for (const auto& job : server_.all(kube::kJobs))
    if (!is_going(job)) any = one_job(job) || any;
  return any;
}

bool KubeControllers::one_job(const json::Value& job) {
  const auto name = name_of(job);
  const auto uid = text_at(job, "metadata.uid");
  const auto tell = [&](std::string_view type, std::string_view reason) {
    const json::Value condition =
        json::Object{{"type", type}, {"status", "True"}, {"reason", reason}};
    return done(of_part(
        merge_patch(kube::kJobs, name,
                    json::Object{{"status", json::Object{{"conditions", json::Array{condition}}}}}),
        "status"));
  };
  if (is_over(job)) return false;
  const bool suspended = json::get_bool(job, "spec.suspend").value_or(false);
  bool has_pod = false, any = false;
  for (const auto& pod : server_.all(kube::kPods, name.ns)) {
    if (!is_of(pod, uid)) continue;
    has_pod = true;
    const auto phase = text_at(pod, "status.phase");
    if (phase == "Succeeded") return tell("Complete", "CompletionsReached");
    // Also one that is taken away while it works: it is not made again.
    if (phase == "Failed" || (is_going(pod) && !suspended))
      return tell("Failed", "BackoffLimitExceeded");
    if (suspended && !is_going(pod))
      any = done(remove(kube::kPods, name_of(pod),
                        {.expected = {.uid = text_at(pod, "metadata.uid")}})) ||
            any;
  }
  if (suspended || has_pod) return any;
  // One that has been there and is gone.
  if (json::get_int(job, "status.active").value_or(0) > 0)
    return tell("Failed", "BackoffLimitExceeded");
  const auto* made_of = job.at("spec.template");
  json::Value pod = made_of == nullptr ? json::Value(json::Object()) : *made_of;
  pod["metadata"]["name"] = fmt::format("{}-{:05x}", name.name, base::crc32c(uid) & 0xfffffU);
  pod["metadata"]["ownerReferences"] = owned_by(job, kube::kJobs);
  if (!done(create(kube::kPods, name.ns, pod))) return any;
  return done(
      of_part(merge_patch(kube::kJobs, name, json::Object{{"status", json::Object{{"active", 1}}}}),
              "status"));
}

bool KubeControllers::budgets() {
  bool any = false;
  for (const auto& budget : server_.all(kube::kBudgets)) {
    const auto name = name_of(budget);
    const auto* labels = budget.at("spec.selector.matchLabels");
    std::int64_t expected = 0, healthy = 0;
    for (const auto& pod : server_.all(kube::kPods, name.ns)) {
      const auto* its = pod.at("metadata.labels");
      bool matches = labels != nullptr && labels->is_object() && its != nullptr;
      if (matches)
        for (const auto& [key, value] : *labels->if_object())
          matches = matches && its->find(key) != nullptr && *its->find(key) == value;
      expected += matches ? 1 : 0;
      healthy += matches && is_ready(pod) ? 1 : 0;
    }
    const auto most = json::get_int(budget, "spec.maxUnavailable");
    const auto desired =
        most ? expected - *most : json::get_int(budget, "spec.minAvailable").value_or(expected);
    const json::Value status = json::Object{
        {"status",
         json::Object{
             {"observedGeneration", json::get_int(budget, "metadata.generation").value_or(0)},
             {"expectedPods", expected},
             {"currentHealthy", healthy},
             {"desiredHealthy", desired},
             {"disruptionsAllowed", std::max<std::int64_t>(healthy - desired, 0)}}}};
    if (says(budget, *status.find("status"))) continue;
    any = done(of_part(merge_patch(kube::kBudgets, name, status), "status")) || any;
  }
  return any;
}

// Of the claims that a pod names, what is wrong with the first that cannot be used; empty: none is.
std::string KubeControllers::unusable_claim(const json::Value& pod) const {
  const auto* volumes = pod.at("spec.volumes");
  if (volumes == nullptr || !volumes->is_array()) return {};
  for (const auto& volume : *volumes->if_array()) {
    const auto claim = text_at(volume, "persistentVolumeClaim.claimName");
    if (claim.empty()) continue;
    const auto* there = server_.find(kube::kClaims, {name_of(pod).ns, claim});
    if (there == nullptr) return fmt::format("persistentvolumeclaim \"{}\" not found", claim);
    if (is_going(*there))
      return fmt::format("persistentvolumeclaim \"{}\" is being deleted", claim);
  }
  return {};
}

bool KubeControllers::schedule(const std::string& node) {
  bool any = false;
  for (const auto& pod : server_.all(kube::kPods)) {
    if (!text_at(pod, "spec.nodeName").empty() || is_going(pod)) continue;
    if (const auto why = unusable_claim(pod); !why.empty()) {
      const json::Value condition = json::Object{{"type", "PodScheduled"},
                                                 {"status", "False"},
                                                 {"reason", "Unschedulable"},
                                                 {"message", why}};
      const json::Value status = json::Object{
          {"status", json::Object{{"phase", "Pending"}, {"conditions", json::Array{condition}}}}};
      any = (!says(pod, *status.find("status")) &&
             done(of_part(merge_patch(kube::kPods, name_of(pod), status), "status"))) ||
            any;
      continue;
    }
    any = done(merge_patch(kube::kPods, name_of(pod),
                           json::Object{{"spec", json::Object{{"nodeName", node}}}})) ||
          any;
  }
  return any;
}

void KubeControllers::pod_status(const kube::Name& pod, const std::string& phase, bool ready) {
  const json::Value status = json::Object{
      {"status", json::Object{{"phase", phase},
                              {"conditions",
                               json::Array{json::Object{{"type", "Ready"},
                                                        {"status", ready ? "True" : "False"}}}}}}};
  static_cast<void>(done(of_part(merge_patch(kube::kPods, pod, status), "status")));
}

bool KubeControllers::pods_end(const std::string& node) {
  const auto before = server_.changes();
  for (const auto& pod : server_.all(kube::kPods))
    if (text_at(pod, "spec.nodeName") == node) server_.pod_ended(name_of(pod));
  return server_.changes() != before;
}

}  // namespace sim
