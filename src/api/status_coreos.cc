// The status that clients of etcd.database.coreos.com know, filled with what was seen.
#include <utility>

#include "api/names.h"
#include "api/status_json.h"

namespace api {
namespace {

constexpr int kClientPort = 2379;

bool is(const ClusterStatus& status, ConditionType type, Truth truth) {
  const auto* condition = find_condition(status, type);
  return condition != nullptr && condition->status == truth;
}

// That group knows four words. "Failed" is not the end here: it says that a person is needed.
std::string_view phase_of(const ClusterStatus& status) {
  if (status.phase == Phase::kFailed || is(status, ConditionType::kNeedsApproval, Truth::kTrue))
    return "Failed";
  if (status.phase == Phase::kUnknown || status.phase == Phase::kPending) return "";
  return status.phase == Phase::kCreating ? "Creating" : "Running";
}

// Why it is not as it should be; empty when it is.
std::string reason_of(const ClusterStatus& status) {
  for (const auto type : {ConditionType::kNeedsApproval, ConditionType::kAvailable}) {
    const auto* condition = find_condition(status, type);
    const Truth good = type == ConditionType::kAvailable ? Truth::kTrue : Truth::kFalse;
    if (condition != nullptr && condition->status != good) return condition->message;
  }
  return {};
}

json::Value members_of(const ClusterStatus& status) {
  json::Array ready, unready;
  for (const auto& member : status.members) {
    const bool good = member.healthy == Truth::kTrue && member.role != Role::kLearner;
    (good ? ready : unready).emplace_back(pod_of_member(member.name));
  }
  json::Object out;
  if (!ready.empty()) out["ready"] = std::move(ready);
  if (!unready.empty()) out["unready"] = std::move(unready);
  return out;
}

// The types of that group are there only while they are true.
void add_passing(const ClusterStatus& status, json::Value& conditions) {
  if (!status.operation) return;
  const auto& operation = *status.operation;
  std::string_view type;
  if (operation.kind == "Recovery") type = "Recovering";
  if (operation.kind == "ScaleUp" || operation.kind == "ScaleDown") type = "Scaling";
  if (operation.kind == "Upgrade") type = "Upgrading";
  if (type.empty()) return;
  json::Object out{{"type", type}, {"status", "True"}};
  if (!operation.reason.empty()) out["reason"] = operation.reason;
  if (!operation.step.empty()) out["message"] = operation.step;
  if (operation.started_at) out["lastTransitionTime"] = base::to_rfc3339(*operation.started_at);
  conditions.push_back(std::move(out));
}

}  // namespace

json::Value to_coreos_json(const ClusterStatus& status, const Cluster& cluster) {
  auto out = to_json(status);
  out["phase"] = phase_of(status);
  if (auto reason = reason_of(status); !reason.empty()) out["reason"] = std::move(reason);
  out["controlPaused"] = cluster.spec.paused;
  out["size"] = status.current_size;
  out["serviceName"] = ObjectNames{cluster.key.name}.client_service();
  out["clientPort"] = kClientPort;
  auto members = *out.find("members");  // a copy: a new key may move what is there
  out["memberStatus"] = std::move(members);
  out["members"] = members_of(status);
  add_passing(status, out["conditions"]);
  if (status.observed_at)
    for (auto& condition : *out["conditions"].if_array())
      condition["lastUpdateTime"] = base::to_rfc3339(*status.observed_at);
  return out;
}

}  // namespace api
