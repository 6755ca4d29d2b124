#include "archive/world.h"

namespace archive {

std::vector<std::string> fault_points() {
  return {"sweep.before",         "upload.before",    "upload.half",    "commit.before",
          "commit.after",         "manifest.before",  "manifest.after", "prune_manifest.before",
          "prune_manifest.after", "prune_data.after", "fetched.before", "fetched.after"};
}

}  // namespace archive
