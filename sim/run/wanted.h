// What the simulated user wants at this moment.
#pragma once

#include <optional>
#include <string>

#include "json/value.h"
#include "plan/plan.h"

namespace sim {

struct Wanted {
  int size = 3;
  std::string version = "3.5.33";
  int edit = 0;  // of the template: another number is another set of flags
  bool paused = false, hibernate = false, stopped = false, deleted = false;
  bool delete_data = false;  // with the deletion
  bool ask_first = false;    // recovery.onQuorumLoss: Approve
  bool tls = true;
  base::Duration validity{0};  // of leaves; 0: a year
  base::Duration recovery_wait{120'000}, repair{300'000};
  std::int64_t quota = 0;  // bytes; 0: etcd's default
  std::optional<plan::Approval> approval;
  int generation = 1;
  // Of a backup block; 0: there is none.
  base::Duration backup_interval{0}, verify{0};
  int max_backups = 0;
  bool restore = false;          // a restore block
  bool restore_on_loss = false;  // recovery.onDataLoss: Restore
  std::string backup_now;
};

// Through the product's own parser, defaults and validation.
plan::Intent intent_of(const Wanted& wanted);
// As a person declares it at an API server.
json::Value object_of(const Wanted& wanted);
std::string to_text(const Wanted& wanted);

}  // namespace sim
