// What is said about one cluster, in the shape of operator.etcd.io: plain values that the planner
// fills and the codecs print. A field that was not observed stays empty; it is never guessed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/version.h"
#include "base/ids.h"
#include "base/time.h"

namespace api {

// The list with names, meanings and documentation is in conditions.h.
enum class ConditionType {
  kAvailable,
  kProgressing,
  kDegraded,
  kBackupHealthy,
  kBackupProven,
  kBackupContinuous,
  kCertificatesValid,
  kUpgradeBlocked,
  kNeedsApproval,
  kSpecValid,
  kNameConflict,
  kForeignObjects,
  kRestored,
  kEphemeralStorage,
  kFieldsNotActedOn,
  kVersionHazard,
  kEvenSize,
  kStale
};
std::string_view name_of(ConditionType type);  // "Available"
// No value: no condition has this name.
std::optional<ConditionType> parse_condition_type(std::string_view name);

enum class Truth { kFalse, kTrue, kUnknown };
std::string_view name_of(Truth truth);  // "True"
std::optional<Truth> parse_truth(std::string_view name);

struct Condition {
  ConditionType type = ConditionType::kAvailable;
  Truth status = Truth::kUnknown;
  std::string reason;   // CamelCase, one word, stable
  std::string message;  // for people; names the next step where there is one
  std::optional<base::Instant> last_transition;
  bool operator==(const Condition&) const = default;
};

enum class Role { kUnknown, kFollower, kLeader, kLearner };
std::string_view name_of(Role role);  // "leader"; kUnknown is ""

struct MemberStatus {
  std::string name;
  base::MemberId id;
  Role role = Role::kUnknown;
  std::optional<Version> version;  // of the running binary
  Truth healthy = Truth::kUnknown;
  std::int64_t db_size = 0,
               db_in_use = 0;  // bytes; rounded by the codec, so that it seldom changes
  std::string note;            // why it is not healthy, empty when it is
  bool operator==(const MemberStatus&) const = default;
};

struct OperationStatus {
  std::string id;    // what `approve` names
  std::string kind;  // "Upgrade"
  std::string step;  // "restart member production-etcd-2"
  std::optional<base::Instant> started_at, deadline;
  std::string reason;
  bool operator==(const OperationStatus&) const = default;
};

struct LastBackup {
  std::optional<base::Instant> time;
  std::int64_t revision = 0;
  std::string location;
  bool proven = false;
  bool operator==(const LastBackup&) const = default;
};

struct BootstrapStatus {
  std::string source;         // "New", "Restore", "Survivor", "RetainedVolumes"
  std::int64_t revision = 0;  // 0: none
  std::optional<base::Instant> time;
  bool operator==(const BootstrapStatus&) const = default;
};

// One word for people and printer columns; everything exact is in the conditions.
enum class Phase {
  kUnknown,
  kPending,
  kCreating,
  kRunning,
  kUpdating,
  kRecovering,
  kDegraded,
  kNeedsApproval,
  kPaused,
  kHibernated,
  kDeleting,
  kFailed
};
std::string_view name_of(Phase phase);  // "Running"

struct ClusterStatus {
  Phase phase = Phase::kUnknown;
  std::int64_t observed_generation = 0;
  std::optional<base::Instant> observed_at;  // of the newest look at the live cluster
  std::vector<Condition> conditions;         // at most one of each type
  std::vector<MemberStatus> members;
  int desired_size = 0, current_size = 0, ready_size = 0;  // wanted; voters; healthy voters
  base::ClusterId cluster_id;
  base::MemberId leader;
  std::string selector;                    // for the scale subresource
  std::optional<Version> current_version;  // the lowest that runs
  std::optional<Version> target_version;
  std::vector<std::string> endpoints;  // client URLs
  std::optional<LastBackup> last_backup;
  std::optional<OperationStatus> operation;
  std::optional<BootstrapStatus> bootstrap;
  bool operator==(const ClusterStatus&) const = default;
};

// No value: there is no condition of this type.
const Condition* find_condition(const ClusterStatus& status, ConditionType type);
// Puts `condition` in place of the one of its type. The transition time of the old one is kept when
// the truth did not change, else it is `now`.
void set_condition(ClusterStatus& status, Condition condition, base::Instant now);

}  // namespace api
