// Which pieces of history nothing needs any more.
#pragma once

#include <string>

#include "archive/log.h"
#include "archive/world.h"

namespace archive {

struct LogPruned {
  unsigned removed = 0;
  std::string problem = {};  // empty: all that may go is gone
};
// After backups of the incarnation were removed: those that end at or before its oldest backup, so
// that none of them is on the way from one that is kept, the oldest first. None where no backup is
// verified. Never the last sealed one, from which the next writer goes on.
LogPruned prune_log(const Shelf& shelf, const Incarnation& incarnation, const World& world,
                    const objstore::Call& call);
// Of an incarnation that is given up as a whole.
LogPruned remove_log(const Shelf& shelf, const Incarnation& incarnation,
                     const objstore::Call& call);

}  // namespace archive
