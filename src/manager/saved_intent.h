// The last good declaration of a cluster and what was commanded beside it, as kept in its
// intent.json, so that a restart with a broken or unreadable manifest goes on with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"

namespace manager {

struct SavedIntent {
  std::string file;      // the manifest's name in its folder
  std::string text;      // the document, or the whole file if it does not stand alone
  std::string spec_crc;  // of the spec as parsed; another one is another generation
  std::int64_t generation = 0;
  bool deleted = false;               // its manifest is gone, and the grace is over
  bool paused = false, stop = false;  // by command
  std::vector<plan::Approval> approvals;
  std::string backup_now;                // by command; each new text asks for one
  std::optional<api::Restore> in_place;  // by command, to go back to; of the cluster's own backups
};
bool operator==(const SavedIntent& a, const SavedIntent& b);

std::string encode(const SavedIntent& saved);
// DataLoss: the bytes are torn or fail their check.
base::Result<SavedIntent> decode_saved_intent(std::string_view bytes);

}  // namespace manager
