// The history that a cluster's segments hold, as the store shows it: which revisions and times it
// covers without a hole, and what is wrong with the rest.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "archive/catalog.h"
#include "archive/segment.h"
#include "archive/shelf.h"
#include "base/result.h"
#include "objstore/store.h"

namespace archive {

struct LogEntry {
  SegmentName name = {};
  std::uint64_t size_bytes = 0;  // in the store
  std::optional<SegmentHead> head = {};
  std::string problem = {};  // why it has no head that counts
  bool newer = false;        // a newer program made it: what it holds is not known
};

// Segments that follow each other.
struct LogRange {
  std::int64_t first = 0, last = 0;
  base::Instant begin{}, end{};
  size_t from = 0, to = 0;  // of Log::entries; to is one after its last one
};

struct Log {
  std::vector<LogEntry> entries = {};      // sealed ones in their order, then the parts that count
  std::vector<LogRange> ranges = {};       // the oldest first
  std::vector<std::string> problems = {};  // "log-…: gap: …"
  std::vector<SegmentName> stale = {};     // parts of segments that were sealed since

  // The range that holds all of first to last; null: none does.
  [[nodiscard]] const LogRange* covering(std::int64_t first, std::int64_t last) const;
};

// Pure. `entries` are all of one incarnation, in any order.
Log judge_log(std::vector<LogEntry> entries);

// Of one incarnation, and whose names it has. An error means that it is not known what is there.
base::Result<Log> read_log(const Shelf& shelf, const Incarnation& incarnation,
                           const objstore::Call& call);
// The same with a call for each object: a long log takes long, and a store that does not answer is
// found out all the same.
using Calls = std::function<objstore::Call()>;
base::Result<Log> read_log(const Shelf& shelf, const Incarnation& incarnation, const Calls& calls);
// The end of it alone, from the last segment on that begins at `revision` + 1 or before: what is
// wrong further ahead is not told.
base::Result<Log> read_log_behind(const Shelf& shelf, const Incarnation& incarnation,
                                  std::int64_t revision, const Calls& calls);
// Newest first.
base::Result<std::vector<Incarnation>> logged_incarnations(const Shelf& shelf,
                                                           const objstore::Call& call);

// The names alone, in order; a sealed one before parts of its.
struct ListedSegment {
  SegmentName name = {};
  std::uint64_t size = 0;
};
base::Result<std::vector<ListedSegment>> list_segments(const Shelf& shelf,
                                                       const Incarnation& incarnation,
                                                       const objstore::Call& call);
// Its head. No value: it went since, and the list does not show it any more. Unavailable: it is
// listed and not given.
base::Result<std::optional<LogEntry>> read_listed(const Shelf& shelf, const ListedSegment& listed,
                                                  const Calls& calls);

// Reads one from end to end. DataLoss and NotFound are about it.
base::Status read_segment(const Shelf& shelf, const SegmentName& name, const Key* key,
                          const FrameSink& sink, const objstore::Call& call);

// What a restore can reach: from a verified backup on, as far as the segments behind it go.
struct Reach {
  Incarnation incarnation = {};
  std::int64_t first = 0, last = 0;
  base::Instant begin{}, end{};
};
std::vector<Reach> reach(const Catalog& catalog, const Incarnation& incarnation, const Log& log);

}  // namespace archive
