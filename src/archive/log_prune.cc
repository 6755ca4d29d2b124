#include "archive/log_prune.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <vector>

#include "archive/log_tail.h"

namespace archive {
namespace {

LogPruned remove_all(const Shelf& shelf, const std::vector<SegmentName>& names,
                     const objstore::Call& call) {
  LogPruned out;
  for (const auto& name : names) {
    if (const auto gone = shelf.store().remove(shelf.key(name.text()), call); !gone) {
      out.problem = gone.error().message;
      return out;
    }
    ++out.removed;
  }
  return out;
}

// The lowest revision of a backup that anybody may want; none: no backup is known to be good. Of
// all that are there: one that was read as damaged may be good.
std::optional<std::int64_t> oldest(const Catalog& catalog) {
  std::optional<std::int64_t> out;
  bool verified = false;
  for (const auto& entry : catalog.entries) {
    out = std::min(out.value_or(entry.name.revision), entry.name.revision);
    verified = verified || entry.verified;
  }
  return verified ? out : std::nullopt;
}

// The oldest are read until one is needed, so that a long log costs no more than a short one.
base::Result<std::vector<SegmentName>> needless(const Shelf& shelf, const Catalog& catalog,
                                                const std::vector<ListedSegment>& listed,
                                                const objstore::Call& call) {
  std::vector<SegmentName> out;
  const auto from = oldest(catalog);
  if (!from) return out;
  const auto sealed = std::find_if(listed.rbegin(), listed.rend(),
                                   [](const ListedSegment& one) { return one.name.part == 0; });
  const auto newest = sealed == listed.rend() ? listed.begin() : std::prev(sealed.base());
  for (auto at = listed.begin(); at != newest; ++at) {
    TRY(const auto entry, read_listed(shelf, *at, [&] { return call; }));
    if (!entry) continue;
    // From the first one on that is needed, or of which nothing is known, all stay. Of parts that
    // were left behind nothing can be known, and it is no more than of what is around them.
    if (at->name.part == 0 && (!entry->head || entry->head->last > *from)) break;
    if (entry->head && entry->head->last > *from) continue;
    out.push_back(at->name);
  }
  return out;
}

}  // namespace

LogPruned prune_log(const Shelf& shelf, const Incarnation& incarnation, const World& world,
                    const objstore::Call& call) {
  const auto listed = list_segments(shelf, incarnation, call);
  if (!listed) return {.problem = listed.error().message};
  if (listed->empty()) return {};
  const auto catalog = read_life(shelf, incarnation, call);
  if (!catalog) return {.problem = catalog.error().message};
  const auto names = needless(shelf, *catalog, *listed, call);
  if (!names) return {.problem = names.error().message};
  world.pass("log_prune.before");
  return remove_all(shelf, *names, call);
}

LogPruned remove_log(const Shelf& shelf, const Incarnation& incarnation,
                     const objstore::Call& call) {
  const auto listed = list_segments(shelf, incarnation, call);
  if (!listed) return {.problem = listed.error().message};
  std::vector<SegmentName> names;
  for (const auto& one : *listed) names.push_back(one.name);
  return remove_all(shelf, names, call);
}

}  // namespace archive
