#include "archive/log_prune.h"

#include <algorithm>
#include <limits>

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

}  // namespace

std::vector<SegmentName> needless(const Catalog& catalog, const Incarnation& incarnation,
                                  const Log& log) {
  // Of all that are there: one that was read as damaged may be good.
  auto oldest = std::numeric_limits<std::int64_t>::max();
  bool verified = false;
  for (const auto& entry : catalog.entries) {
    if (entry.name.incarnation != incarnation) continue;
    oldest = std::min(oldest, entry.name.revision);
    verified = verified || entry.verified;
  }
  std::vector<SegmentName> out;
  if (!verified) return out;
  const auto sealed =
      std::ranges::count(log.entries, 0, [](const LogEntry& e) { return e.name.part; });
  for (size_t i = 0; i + 1 < static_cast<size_t>(sealed); ++i) {
    const auto& entry = log.entries[i];
    // From the first one on that is needed, or of which nothing is known, all stay.
    if (!entry.head || entry.head->last > oldest) break;
    out.push_back(entry.name);
  }
  return out;
}

LogPruned prune_log(const Shelf& shelf, const Incarnation& incarnation, const World& world,
                    const objstore::Call& call) {
  const auto log = read_log(shelf, incarnation, call);
  if (!log) return {.problem = log.error().message};
  if (log->entries.empty()) return {};
  const auto catalog = read_catalog(shelf, incarnation, call);
  if (!catalog) return {.problem = catalog.error().message};
  world.pass("log_prune.before");
  return remove_all(shelf, needless(*catalog, incarnation, *log), call);
}

LogPruned remove_log(const Shelf& shelf, const Incarnation& incarnation,
                     const objstore::Call& call) {
  const auto log = read_log(shelf, incarnation, call);
  if (!log) return {.problem = log.error().message};
  auto names = log->stale;
  for (const auto& entry : log->entries) names.push_back(entry.name);
  return remove_all(shelf, names, call);
}

}  // namespace archive
