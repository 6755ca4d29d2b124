// Removes backups that are not wanted any more, and what killed jobs left.
#pragma once

#include <optional>
#include <string>

#include "archive/catalog.h"
#include "archive/retention.h"
#include "archive/world.h"

namespace archive {

// The manifest first: what is left of it is no backup then.
base::Status remove_backup(const Shelf& shelf, const Name& name, const World& world,
                           const objstore::Call& call);

// Whether the store still shows what made `entry` needless: what was read once as damaged may read
// as good now, and nothing is removed because of one bad read.
base::Result<bool> still_needless(const Shelf& shelf, const Entry& entry,
                                  const objstore::Call& call);

struct Pruned {
  unsigned removed = 0, kept = 0;
  std::string problem = {};  // empty: all that may go is gone
};
// Of one incarnation. If `made` is given nothing is removed unless the store shows it as verified,
// and it is never removed itself.
Pruned prune(const Shelf& shelf, const Incarnation& incarnation, const Retention& retention,
             const std::optional<Name>& made, const World& world, const objstore::Call& call);

// Parts without a manifest and uploads without an end that were begun before `before`.
base::Status sweep_leftovers(const Shelf& shelf, const Catalog& catalog, base::Instant before,
                             const World& world, const objstore::Call& call);

}  // namespace archive
