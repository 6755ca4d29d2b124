// When a drill is due, and what is said of drills.
#pragma once

#include <optional>

#include "api/status.h"
#include "plan/backup.h"

namespace plan {

// BackupProven; no value: nothing is to be said.
std::optional<api::Condition> judge_proof(const BackupWords& of);

}  // namespace plan
