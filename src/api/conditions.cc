#include "api/conditions.h"

#include <algorithm>
#include <array>

namespace api {
namespace {

using enum ConditionType;

constexpr std::array kConditions{
    ConditionInfo{kAvailable, "Available", Truth::kTrue,
                  "a quorum answered a linearizable read, younger than the staleness bound",
                  "read the message: it names the members that do not answer"},
    ConditionInfo{kProgressing, "Progressing", Truth::kFalse,
                  "an operation is under way; status.operation says which and its step",
                  "wait; an operation ends by its deadline"},
    ConditionInfo{kDegraded, "Degraded", Truth::kFalse,
                  "the cluster serves, or should, with less than was asked for",
                  "read the message: it names the member and what is being done"},
    ConditionInfo{kBackupHealthy, "BackupHealthy", Truth::kTrue,
                  "the last backup is not older than two intervals",
                  "check the destination and its credentials"},
    ConditionInfo{kBackupProven, "BackupProven", Truth::kTrue,
                  "a backup of this incarnation was restored for real and compared",
                  "wait for the next drill, or look at its last result"},
    ConditionInfo{kBackupContinuous, "BackupContinuous", Truth::kTrue,
                  "what happens in the cluster is in its store within maxLagSeconds",
                  "read the message: it names what the writer of the log waits for"},
    ConditionInfo{kCertificatesValid, "CertificatesValid", Truth::kTrue,
                  "every certificate in use is valid and not close to its end",
                  "read the message: it names the certificate and the day"},
    ConditionInfo{kUpgradeBlocked, "UpgradeBlocked", Truth::kFalse,
                  "the wanted version may not be reached from the present one, or not now",
                  "follow the way that the message gives"},
    ConditionInfo{kNeedsApproval, "NeedsApproval", Truth::kFalse,
                  "the next step may lose data or cannot be undone; a person must agree",
                  "approve the operation whose id the message gives, or mend the members"},
    ConditionInfo{kSpecValid, "SpecValid", Truth::kTrue,
                  "the declared object is valid; otherwise the last valid one stays in force",
                  "mend the fields that the message names"},
    ConditionInfo{kNameConflict, "NameConflict", Truth::kFalse,
                  "another object claims this name, or names its services would have",
                  "rename or delete one of the two; nothing is touched until then"},
    ConditionInfo{kForeignObjects, "ForeignObjects", Truth::kFalse,
                  "objects that are not ours have names that this cluster needs; they are left "
                  "alone (on Kubernetes; said only while there are some)",
                  "remove them, give the cluster another name, or make it their owner"},
    ConditionInfo{kRestored, "Restored", Truth::kTrue,
                  "the cluster began from a backup or a survivor; False says why it did not",
                  "if the cluster should hold what a backup has, check the restore source"},
    ConditionInfo{kEphemeralStorage, "EphemeralStorage", Truth::kFalse,
                  "the data live on a disk that goes away with the member (on Kubernetes; said "
                  "only while it is so)",
                  "declare storage"},
    ConditionInfo{kFieldsNotActedOn, "FieldsNotActedOn", Truth::kFalse,
                  "fields of the object that have no effect on this platform or in this version",
                  "remove them, or read on which platform and since which version they work"},
    ConditionInfo{kVersionHazard, "VersionHazard", Truth::kFalse,
                  "the etcd version that runs has known faults", "set a version without them"},
    ConditionInfo{kEvenSize, "EvenSize", Truth::kFalse,
                  "an even number of members survives no more failures than one fewer would",
                  "set an odd size"},
    ConditionInfo{kStale, "Stale", Truth::kFalse,
                  "the newest look at the cluster is older than the staleness bound",
                  "check that the operator runs and reaches the members"},
};

}  // namespace

std::span<const ConditionInfo> condition_table() {
  return kConditions;
}

std::string_view name_of(ConditionType type) {
  const auto at = std::ranges::find(kConditions, type, &ConditionInfo::type);
  return at == kConditions.end() ? std::string_view() : at->name;
}

std::optional<ConditionType> parse_condition_type(std::string_view name) {
  const auto at = std::ranges::find(kConditions, name, &ConditionInfo::name);
  if (at == kConditions.end()) return std::nullopt;
  return at->type;
}

}  // namespace api
