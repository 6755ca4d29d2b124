// When a drill is due, and what is said of drills.
#pragma once

#include <optional>

#include "api/status.h"
#include "plan/backup.h"

namespace plan {

// A backup by schedule that is due waits for the drill that runs, mostly until `limit`.
bool waits_for_drill(const Context& c, base::Instant limit);
// The drill that runs is ended for a backup. It is no failure; but by schedule one drill after the
// other must not be.
void end_drill(Context& c, bool by_schedule);

// BackupProven; no value: nothing is to be said.
std::optional<api::Condition> judge_proof(const BackupWords& of);

}  // namespace plan
