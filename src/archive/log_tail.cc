#include "archive/log_tail.h"

#include <fmt/format.h>

#include <algorithm>

namespace archive {
namespace {

using base::Code;

constexpr int kTries = 3;  // where something goes while it is read

// Where the names that end with the last sealed one begin.
size_t begin_of_run(const std::vector<ListedSegment>& sealed) {
  size_t at = sealed.size() - 1;
  while (at > 0 && sealed[at - 1].name.sequence + 1 == sealed[at].name.sequence) --at;
  return at;
}

// Heads tell since when nothing is missing; of what was removed since the names do.
base::Result<std::optional<std::int64_t>> chain_first(const Shelf& shelf,
                                                      const Incarnation& incarnation,
                                                      const std::vector<ListedSegment>& sealed,
                                                      const SegmentHead& last, const Calls& calls) {
  const auto from = begin_of_run(sealed);
  std::optional<std::int64_t> oldest = last.first;
  if (from + 1 < sealed.size()) {
    TRY(const auto first, read_listed(shelf, sealed[from], calls));
    if (!first) return std::nullopt;
    oldest = first->head ? std::optional(first->head->first) : std::nullopt;
  }
  if (last.chain && oldest) return std::max(*last.chain, *oldest);
  TRY(const auto whole, read_log(shelf, incarnation, calls));
  for (const auto& range : whole.ranges)
    if (range.first <= last.first && last.last <= range.last) return range.first;
  return last.first;
}

base::Result<std::optional<LogTail>> try_once(const Shelf& shelf, const Incarnation& incarnation,
                                              const Calls& calls) {
  TRY(const auto listed, list_segments(shelf, incarnation, calls()));
  LogTail tail;
  std::vector<ListedSegment> sealed;
  for (const auto& one : listed) {
    if (one.name.part == 0) {
      sealed.push_back(one);
      continue;
    }
    TRY(auto part, read_listed(shelf, one, calls));
    if (!part) return std::nullopt;
    tail.parts.push_back(*std::move(part));
  }
  if (sealed.empty()) return tail;
  TRY(tail.sealed, read_listed(shelf, sealed.back(), calls));
  if (!tail.sealed) return std::nullopt;
  if (!tail.sealed->head) return tail;
  TRY(const auto first, chain_first(shelf, incarnation, sealed, *tail.sealed->head, calls));
  if (!first) return std::nullopt;
  tail.chain_first = *first;
  return tail;
}

}  // namespace

base::Result<LogTail> read_log_tail(const Shelf& shelf, const Incarnation& incarnation,
                                    const Calls& calls) {
  for (int i = 0; i < kTries; ++i) {
    TRY(auto tail, try_once(shelf, incarnation, calls));
    if (tail) return *std::move(tail);
  }
  return base::fail(Code::kUnavailable, fmt::format("{}{}: its log changes while it is read",
                                                    shelf.where(), incarnation.text));
}

}  // namespace archive
