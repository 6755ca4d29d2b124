#include "api/status_json.h"

#include <algorithm>
#include <utility>

namespace api {
namespace {

void put(json::Object& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out[key] = text;
}

void put(json::Object& out, std::string_view key, const std::optional<base::Instant>& at) {
  if (at) out[key] = base::to_rfc3339(*at);
}

void put(json::Object& out, std::string_view key, const std::optional<Version>& version) {
  if (version) out[key] = version->text();
}

// Two significant digits, never below what was seen: 20480 is 21000.
std::int64_t rounded(std::int64_t bytes) {
  std::int64_t unit = 1;
  while (bytes / unit >= 100) unit *= 10;
  return (bytes + unit - 1) / unit * unit;
}

json::Value to_json(const Condition& condition, std::int64_t generation) {
  json::Object out{{"type", name_of(condition.type)}, {"status", name_of(condition.status)}};
  put(out, "reason", condition.reason);
  put(out, "message", condition.message);
  put(out, "lastTransitionTime", condition.last_transition);
  if (generation > 0) out["observedGeneration"] = generation;
  return out;
}

json::Value to_json(const MemberStatus& member) {
  json::Object out{{"name", member.name}};
  if (member.id) out["id"] = base::to_text(member.id);
  put(out, "role", std::string(name_of(member.role)));
  put(out, "version", member.version);
  if (member.healthy != Truth::kUnknown) out["healthy"] = member.healthy == Truth::kTrue;
  out["isHealthy"] = member.healthy == Truth::kTrue;
  out["isLearner"] = member.role == Role::kLearner;
  out["isLeader"] = member.role == Role::kLeader;
  if (member.db_size > 0) out["dbSize"] = rounded(member.db_size);
  if (member.db_in_use > 0) out["dbInUse"] = rounded(member.db_in_use);
  put(out, "note", member.note);
  return out;
}

json::Value to_json(const OperationStatus& operation) {
  json::Object out{{"kind", operation.kind}};
  put(out, "id", operation.id);
  put(out, "step", operation.step);
  put(out, "startedAt", operation.started_at);
  put(out, "deadline", operation.deadline);
  put(out, "reason", operation.reason);
  return out;
}

void put_ends(json::Object& out, const ClusterStatus& status) {
  if (status.last_backup) {
    json::Object backup{{"proven", status.last_backup->proven},
                        {"revision", status.last_backup->revision}};
    put(backup, "time", status.last_backup->time);
    put(backup, "location", status.last_backup->location);
    out["lastBackup"] = std::move(backup);
  }
  if (status.operation) out["operation"] = to_json(*status.operation);
  if (status.bootstrap) {
    json::Object bootstrap{{"source", status.bootstrap->source}};
    if (status.bootstrap->revision > 0) bootstrap["revision"] = status.bootstrap->revision;
    put(bootstrap, "time", status.bootstrap->time);
    out["bootstrap"] = std::move(bootstrap);
  }
}

}  // namespace

json::Value to_json(const ClusterStatus& status) {
  json::Object out{{"phase", name_of(status.phase)},
                   {"observedGeneration", status.observed_generation}};
  put(out, "observedAt", status.observed_at);
  out["replicas"] = status.desired_size;
  out["currentReplicas"] = status.current_size;
  out["readyReplicas"] = status.ready_size;
  out["memberCount"] = static_cast<std::int64_t>(status.members.size());
  put(out, "currentVersion", status.current_version);
  put(out, "targetVersion", status.target_version);
  if (status.cluster_id) out["clusterID"] = base::to_text(status.cluster_id);
  if (status.leader) {
    out["leaderID"] = base::to_text(status.leader);
    const auto leader = std::ranges::find(status.members, status.leader, &MemberStatus::id);
    if (leader != status.members.end()) out["leader"] = leader->name;
  }
  json::Array members, conditions;
  for (const auto& member : status.members) members.push_back(to_json(member));
  out["members"] = std::move(members);
  put(out, "selector", status.selector);
  if (!status.endpoints.empty()) out["endpoints"] = status.endpoints;
  put_ends(out, status);
  for (const auto& condition : status.conditions)
    conditions.push_back(to_json(condition, status.observed_generation));
  out["conditions"] = std::move(conditions);
  return out;
}

}  // namespace api
