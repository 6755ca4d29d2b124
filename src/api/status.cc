#include "api/status.h"

#include <algorithm>
#include <utility>

namespace api {

std::string_view name_of(Truth truth) {
  switch (truth) {
    case Truth::kFalse:
      return "False";
    case Truth::kTrue:
      return "True";
    case Truth::kUnknown:
      return "Unknown";
  }
  std::unreachable();
}

std::optional<Truth> parse_truth(std::string_view name) {
  for (const auto truth : {Truth::kFalse, Truth::kTrue, Truth::kUnknown})
    if (name_of(truth) == name) return truth;
  return std::nullopt;
}

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kUnknown:
      return "";
    case Role::kFollower:
      return "follower";
    case Role::kLeader:
      return "leader";
    case Role::kLearner:
      return "learner";
  }
  std::unreachable();
}

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::kUnknown:
      return "Unknown";
    case Phase::kPending:
      return "Pending";
    case Phase::kCreating:
      return "Creating";
    case Phase::kRunning:
      return "Running";
    case Phase::kUpdating:
      return "Updating";
    case Phase::kRecovering:
      return "Recovering";
    case Phase::kDegraded:
      return "Degraded";
    case Phase::kNeedsApproval:
      return "NeedsApproval";
    case Phase::kPaused:
      return "Paused";
    case Phase::kHibernated:
      return "Hibernated";
    case Phase::kDeleting:
      return "Deleting";
    case Phase::kFailed:
      return "Failed";
  }
  std::unreachable();
}

const Condition* find_condition(const ClusterStatus& status, ConditionType type) {
  const auto at = std::ranges::find(status.conditions, type, &Condition::type);
  return at == status.conditions.end() ? nullptr : &*at;
}

void set_condition(ClusterStatus& status, Condition condition, base::Instant now) {
  const auto at = std::ranges::find(status.conditions, condition.type, &Condition::type);
  if (at == status.conditions.end()) {
    condition.last_transition = now;
    status.conditions.push_back(std::move(condition));
    return;
  }
  condition.last_transition = at->status == condition.status ? at->last_transition : now;
  *at = std::move(condition);
}

}  // namespace api
