#include "archive/world.h"

namespace archive {

std::vector<std::string> fault_points() {
  return {"sweep.before",         "upload.before",    "upload.half",    "commit.before",
          "commit.after",         "manifest.before",  "manifest.after", "prune_manifest.before",
          "prune_manifest.after", "prune_data.after", "fetched.before", "fetched.after",
          "drill.fetched",        "drill.restored",   "drill.started",  "drill.compared",
          "mark.before",          "mark.after"};
}

std::vector<std::string> log_fault_points() {
  return {"log_part.before", "log_part.after", "log_part.removed", "log_seal.before",
          "log_seal.after",  "follow.base",    "merge.half",       "log_prune.before"};
}

}  // namespace archive
