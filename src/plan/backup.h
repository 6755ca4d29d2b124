// When a backup is due, and what is said of backups.
#pragma once

#include <optional>
#include <string>

#include "api/status.h"
#include "plan/concern.h"

namespace plan {

// Where the cluster's backups go, in words that change with the place.
std::string place_of(const api::ObjectLocation& location);

// A version step to another minor waits for a backup that began after it was wanted. No value: it
// does not wait; there is one, or none is taken here.
std::optional<Answer> backup_before(Context& c, const api::Version& to);
// A backup block acts on this platform.
bool takes_backups(const Intent& intent, const Observation& seen);

struct BackupWords {
  const Intent& intent;
  const Observation& seen;
  const Record& record;
  base::Instant now;
  bool rests = false;  // every member is stopped on purpose
};
// BackupHealthy; no value: nothing is to be said.
std::optional<api::Condition> judge_backups(const BackupWords& of);
std::optional<api::LastBackup> last_backup(const Record& record);

}  // namespace plan
