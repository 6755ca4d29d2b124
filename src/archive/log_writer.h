// Writes the history of one life of a cluster into its store: small parts at once, and one sealed
// segment in their place later. Each object is created and never overwritten, so that of two
// writers at one place one finds out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "archive/log.h"
#include "archive/log_tail.h"
#include "archive/trouble.h"
#include "archive/users.h"
#include "archive/world.h"
#include "posix/scratch_file.h"

namespace archive {

struct LogOwner {
  Incarnation incarnation = {};
  base::ClusterKey cluster = {};
  std::string cluster_id = {};
  std::int64_t epoch = 0;
  std::string nonce = {};
};

// What is noted in the heads of the segments that come.
struct LogFacts {
  std::string base = {};
  UsersMark users = {};
  std::string etcd_version = {};
};

// For one thread. Trouble: stale (a writer with a higher epoch, or another one of the same, is at
// work: end), overtaken (one with a lower epoch was faster: open anew), mismatch (the store holds
// other bytes than it was given), foreign.
class LogWriter {
 public:
  // Goes on where the log ends: what a killed writer left as parts becomes a segment first.
  static Outcome<LogWriter> open(const Shelf& shelf, const LogOwner& owner, std::string scratch,
                                 const World& world, const Calls& calls);

  // The revision that comes next; 0: the log is empty, begin() says.
  [[nodiscard]] std::int64_t next() const { return next_; }
  [[nodiscard]] base::Instant last_time() const { return end_; }
  [[nodiscard]] const std::string& base() const { return facts_.base; }
  [[nodiscard]] UsersMark users() const { return facts_.users; }
  [[nodiscard]] std::int64_t chain_first() const { return chain_first_; }
  [[nodiscard]] bool weak() const { return weak_; }  // the store cannot create without replacing

  void set(const LogFacts& facts) { facts_ = facts; }
  // What comes goes on from `first`, and nothing is known of before. Precondition: no frames wait.
  void begin(std::int64_t first);

  // Internal: frame.first is not next(). After an error it is as if nothing was asked.
  base::Status add(const Frame& frame);
  [[nodiscard]] bool unsaved() const { return unsaved_.frames > 0; }
  [[nodiscard]] std::uint64_t pending_bytes() const { return pending_ ? pending_->size() : 0; }
  [[nodiscard]] bool empty() const { return segment_.frames == 0; }
  [[nodiscard]] std::int64_t parts() const { return parts_; }  // in the store, of the segment

  // What was added since the last one becomes durable.
  Outcome<void> save_part(const objstore::Call& call);
  // All of it becomes a segment; its parts go.
  Outcome<void> seal(const objstore::Call& call);

 private:
  // A run of frames in pending_.
  struct Run {
    std::uint64_t from = 0, frames = 0, records = 0;
    std::int64_t first = 0, last = 0;
    base::Instant begin{}, end{};
    bool joins = false;
  };
  LogWriter(const Shelf& shelf, LogOwner owner, std::string scratch, const World& world)
      : shelf_(&shelf), owner_(std::move(owner)), scratch_(std::move(scratch)), world_(&world) {}

  Outcome<void> check_owner(const LogEntry& entry) const;
  void adopt(const LogTail& tail);
  Outcome<void> adopt_parts(const LogTail& tail, const Calls& calls);
  Outcome<bool> adopt_frames(const LogEntry& part, const Calls& calls);
  Outcome<void> remove_parts(const LogTail& tail, const Calls& calls);
  Outcome<SegmentHead> put(const Run& run, std::int64_t part, const objstore::Call& call);
  Outcome<void> put_bytes(const SegmentHead& head, std::string_view bytes,
                          const objstore::Call& call);
  Outcome<void> who_was_it(const SegmentHead& head, const objstore::Call& call);
  Outcome<void> read_back(const SegmentHead& head, std::string_view bytes,
                          const objstore::Call& call);
  static void extend(Run& run, const Frame& frame, std::uint64_t at, bool joins);

  const Shelf* shelf_;
  LogOwner owner_;
  std::string scratch_;
  const World* world_;
  LogFacts facts_;
  std::int64_t sequence_ = 1;  // of the segment that is being filled
  std::int64_t parts_ = 0;     // of it that are in the store
  std::string sealed_digest_, part_digest_;
  std::int64_t next_ = 0, chain_first_ = 0;
  base::Instant end_{};
  bool joins_ = false, weak_ = false;
  std::optional<posix::ScratchFile> pending_;  // the frames of this segment
  Run segment_, unsaved_;
};

}  // namespace archive
