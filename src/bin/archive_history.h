// The part of archive list|verify|prune that is about the history behind backups.
#pragma once

#include "archive/catalog.h"
#include "archive/shelf.h"
#include "archive/world.h"
#include "bin/command_line.h"
#include "json/value.h"

namespace bin {

struct History {
  const archive::Shelf& shelf;
  const archive::Catalog& catalog;
  const archive::World& world;
  const objstore::Call& call;
};

// With `only` nothing but it, else behind the list of backups.
int list_history(const History& history, const ArchiveFlags& flags, bool only);
// Reads every segment; a row for each. False: one is damaged, or is missing. An error: the store,
// the key.
base::Result<bool> verify_history(const History& history, const ArchiveFlags& flags,
                                  json::Array& rows);
// After backups were removed: of the incarnation of the flags. How many segments went.
base::Result<unsigned> prune_history(const History& history, const ArchiveFlags& flags);

}  // namespace bin
