// What is said of the continuous log.
#pragma once

#include <optional>

#include "api/status.h"
#include "plan/backup.h"

namespace plan {

// BackupContinuous; no value: nothing is to be said.
std::optional<api::Condition> judge_history(const BackupWords& of);

}  // namespace plan
