// What is told of EtcdBackup and EtcdRestore objects: CoreOS's fields, truthfully filled, and ours
// beside them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.h"
#include "json/value.h"

namespace api {

struct BackupRequestStatus {
  std::optional<bool> succeeded;  // the newest try that ended; none: no try of this spec has
  std::string reason;             // why it failed, or what it waits for
  // Of the newest success.
  std::string etcd_version, location;
  std::int64_t etcd_revision = 0;
  std::optional<base::Instant> last_success;  // whole seconds, as clients of the group read them
  std::int64_t observed_generation = 0;       // 0: of CoreOS's operator, or nothing was told yet
  bool operator==(const BackupRequestStatus&) const = default;
};

struct RestoreRequestStatus {
  std::optional<bool> succeeded;  // once it is over: carried out, or refused
  std::string reason;             // why it was refused, what it waits for, the point it reached
  std::int64_t revision = 0;      // of the backup, which lies at `location`
  std::string location;
  std::int64_t observed_generation = 0;
  bool operator==(const RestoreRequestStatus&) const = default;
};

json::Value to_json(const BackupRequestStatus& status);
json::Value to_json(const RestoreRequestStatus& status);
// What cannot be read is as if it was never told.
BackupRequestStatus parse_backup_status(const json::Value& status);
RestoreRequestStatus parse_restore_status(const json::Value& status);

}  // namespace api
