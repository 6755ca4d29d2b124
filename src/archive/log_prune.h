// Which pieces of history nothing needs any more.
#pragma once

#include <string>

#include "archive/log.h"
#include "archive/world.h"

namespace archive {

// Pure: those that end at or before the oldest verified backup of the incarnation, so that none of
// them is on the way from a backup that is kept. Without one: none. Never the last sealed one, from
// which the next writer goes on.
std::vector<SegmentName> needless(const Catalog& catalog, const Incarnation& incarnation,
                                  const Log& log);

struct LogPruned {
  unsigned removed = 0;
  std::string problem = {};  // empty: all that may go is gone
};
// After backups of the incarnation were removed. The oldest segments first.
LogPruned prune_log(const Shelf& shelf, const Incarnation& incarnation, const World& world,
                    const objstore::Call& call);
// Of an incarnation that is given up as a whole.
LogPruned remove_log(const Shelf& shelf, const Incarnation& incarnation,
                     const objstore::Call& call);

}  // namespace archive
