#include "archive/latest.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "archive/merged_file.h"

namespace archive {
namespace {

using base::Code;

constexpr int kReads = 2;  // of what reads as damaged, or has moved meanwhile

// The segments that go on from the backup; null: none do.
const LogRange* behind(const Log& log, std::int64_t revision) {
  const LogRange* best = nullptr;
  for (const auto& range : log.ranges)
    if (range.first <= revision + 1 && revision <= range.last &&
        (best == nullptr || range.last >= best->last))
      best = &range;
  return best;
}

struct Piece {
  std::string records;
  std::int64_t last = 0;
  std::string damage;  // why it does not count; empty: it does
  bool gone = false;   // it is not there any more
};

Outcome<Piece> read_piece(const Shelf& shelf, const SegmentHead& head, std::int64_t after,
                          const Key* key, const Calls& calls) {
  for (int reads = 1;; ++reads) {
    Piece out{.records = {}, .last = std::max(head.last, after), .damage = {}};
    const auto read = read_segment(
        shelf, head.name, key,
        [&](const Frame& frame) {
          if (frame.last > after) out.records += frame.records;
          return base::Status();
        },
        calls());
    if (read) return out;
    const auto error = read.error().in(head.name.text());
    if (error.code == Code::kFailedPrecondition) return std::unexpected(Trouble(kind::kKey, error));
    if (error.code == Code::kUnimplemented) return std::unexpected(Trouble(kind::kNewer, error));
    out.gone = error.code == Code::kNotFound;
    if (!out.gone && error.code != Code::kDataLoss) return std::unexpected(error);
    if (!out.gone && reads < kReads) continue;
    return Piece{.records = {}, .last = 0, .damage = error.message, .gone = out.gone};
  }
}

Outcome<Tail> read_once(const Shelf& shelf, const Entry& entry, const std::string& scratch,
                        const Key* key, const Calls& calls, bool& moved) {
  moved = false;
  const auto after = entry.name.revision;
  TRY(const auto log, read_log_behind(shelf, entry.name.incarnation, after, calls));
  for (const auto& one : log.entries)
    if (one.newer) return trouble(kind::kNewer, one.name.text() + ": " + one.problem);
  TRY(auto records, posix::ScratchFile::create(scratch));
  Tail out{.records = std::move(records), .revision = after, .time = entry.time};
  const auto* range = behind(log, after);
  for (size_t i = range == nullptr ? 0 : range->from; range != nullptr && i < range->to; ++i) {
    const auto& head = *log.entries[i].head;
    if (head.last > after) {
      TRY(const auto piece, read_piece(shelf, head, after, key, calls));
      moved = piece.gone;
      out.left_out = piece.damage;
      if (!piece.damage.empty()) return out;
      TRY_OK(out.records.append(piece.records));
      out.users = head.users;
      out.revision = piece.last;
    }
    out.time = std::max(out.time, head.end);
  }
  const auto end = range == nullptr ? 0 : range->to;
  const bool more =
      std::ranges::any_of(log.entries.begin() + static_cast<std::ptrdiff_t>(end), log.entries.end(),
                          [&](const LogEntry& one) { return !one.head || one.head->last > after; });
  if (more)
    out.left_out = log.problems.empty() ? fmt::format("gap: {} begins at a later revision",
                                                      log.entries[end].name.text())
                                        : log.problems.front();
  return out;
}

}  // namespace

Outcome<Tail> read_tail(const Shelf& shelf, const Entry& entry, const std::string& scratch,
                        const Key* key, const Calls& calls) {
  // Parts are gone when a follower that still runs has sealed them.
  for (int reads = 1;; ++reads) {
    bool moved = false;
    auto tail = read_once(shelf, entry, scratch, key, calls, moved);
    if (!tail || !moved || reads == kReads) return tail;
  }
}

Outcome<bool> write_latest(const FetchJob& job, const Shelf& shelf, const Entry& entry,
                           const Fetched& base, const World& world, const Calls& calls,
                           FetchReport& report) {
  TRY(auto tail, read_tail(shelf, entry, job.common.scratch, world.key, calls));
  bool written = false;
  if (tail.revision > entry.name.revision) {
    const auto merged = write_merged(job, world, base, tail.records, tail.revision, report);
    written = merged.has_value();
    const bool of_the_log = !written && merged.error().error.code == Code::kDataLoss;
    if (!written && !of_the_log) return std::unexpected(merged.error());
    if (of_the_log)
      tail.left_out = fmt::format("it cannot be merged: {}", merged.error().error.message);
  }
  if (written || tail.revision == entry.name.revision) report.time = tail.time;
  if (written) {
    report.revision = tail.revision;
    note_users(base, entry.name.revision, tail.users, report);
  }
  if (!tail.left_out.empty())
    note(report, fmt::format("of the log nothing behind revision {} ({}) is brought back: {}",
                             report.revision, base::to_rfc3339(*report.time), tail.left_out));
  return written;
}

}  // namespace archive
