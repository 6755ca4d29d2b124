// Whether one version of etcd may follow another, why not, and the way round. Pure; the rules are
// in the tables of hazards.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/version.h"

namespace api {

enum class StepKind { kSame, kPatchUp, kMinorUp, kPatchDown, kAbort, kDowngrade, kUnknown };
std::string_view name_of(StepKind kind);

struct StepFacts {
  // What etcd itself reports ("3.5.0"); it rises only when every member runs the new minor. None:
  // not known, and then nothing that depends on it is allowed.
  std::optional<Version> cluster_version;
  // etcd's own downgrade to the minor of the target was enabled, and its storage version is there.
  bool downgrade_enabled = false;
  int members = 3;
};

struct StepAnswer {
  bool allowed = false;
  StepKind kind = StepKind::kUnknown;
  std::string reason;        // why not; empty if allowed
  std::vector<Version> way;  // versions to set one after the other; ends in the target if it can
  std::vector<std::string> advice;  // known faults of the target
  // The reason and the way in one sentence.
  [[nodiscard]] std::string text() const;
};

// `from` is the lowest version that runs.
StepAnswer check_step(const Version& from, const Version& to, const StepFacts& facts = {});

}  // namespace api
