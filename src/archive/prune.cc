#include "archive/prune.h"

#include <fmt/format.h>

#include <algorithm>

namespace archive {

base::Status remove_backup(const Shelf& shelf, const Name& name, const World& world,
                           const objstore::Call& call) {
  auto& store = shelf.store();
  world.pass("prune_manifest.before");
  TRY_OK(store.remove(shelf.key(name, Part::kManifest), call));
  world.pass("prune_manifest.after");
  TRY_OK(store.remove(shelf.key(name, Part::kData), call));
  world.pass("prune_data.after");
  TRY_OK(store.remove(shelf.key(name, Part::kProven), call));
  return store.remove(shelf.key(name, Part::kBad), call);
}

base::Result<bool> still_needless(const Shelf& shelf, const Entry& entry,
                                  const objstore::Call& call) {
  if (entry.verified) return true;
  TRY(const auto again, read_entry(shelf, entry.name, call));
  return again && !again->verified && !again->held().unknown;
}

Pruned prune(const Shelf& shelf, const Incarnation& incarnation, const Retention& retention,
             const std::optional<Name>& made, const World& world, const objstore::Call& call) {
  Pruned pruned;
  const auto catalog = read_life(shelf, incarnation, call);
  if (!catalog) {
    pruned.problem = catalog.error().message;
    return pruned;
  }
  const auto& entries = catalog->entries;
  pruned.kept = static_cast<unsigned>(entries.size());
  const auto shown = std::ranges::any_of(
      entries, [&](const Entry& e) { return made && e.name == *made && e.verified; });
  if (made && !shown) {
    pruned.problem = "the store does not list what was just written; nothing was removed";
    return pruned;
  }
  std::vector<Held> held;
  for (const auto& entry : entries) held.push_back(entry.held());
  const auto verdicts = judge(held, retention);
  // The oldest first, so that an end in the middle leaves the newer ones.
  for (size_t i = entries.size(); i-- > 0;) {
    if (verdicts[i] != Kept::kNo || (made && entries[i].name == *made)) continue;
    const auto sure = still_needless(shelf, entries[i], call);
    if (!sure) {
      pruned.problem = sure.error().message;
      return pruned;
    }
    if (!*sure) continue;
    if (const auto removed = remove_backup(shelf, entries[i].name, world, call); !removed) {
      pruned.problem = removed.error().message;
      return pruned;
    }
    ++pruned.removed;
    --pruned.kept;
  }
  return pruned;
}

base::Status sweep_leftovers(const Shelf& shelf, const Catalog& catalog, base::Instant before,
                             const World& world, const objstore::Call& call) {
  for (const auto* some : {&catalog.leftovers, &catalog.probes})
    for (const auto& leftover : *some) {
      if (leftover.modified >= before) continue;
      world.pass("sweep.before");
      TRY_OK(shelf.store().remove(shelf.key(leftover.key), call));
    }
  TRY_OK(shelf.store().clean_up(shelf.root(), before, call));
  return {};
}

}  // namespace archive
