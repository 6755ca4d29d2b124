// A store in a directory: of this machine, or a volume or network file system that is mounted.
#pragma once

#include <memory>
#include <string>

#include "objstore/store.h"

namespace objstore {

// Each object is a file; it appears by rename or link when it is whole and on the disk. Several
// processes may use one directory. `root` is an absolute path and is made if it is absent, unless
// `must_exist`: then NotFound is FailedPrecondition, as a volume that is not mounted looks like it.
struct LocalOptions {
  std::string root;
  bool must_exist = false;
};
base::Result<std::unique_ptr<Store>> open_local(const LocalOptions& options);

}  // namespace objstore
