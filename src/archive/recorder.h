// From what a watch gives to frames: numbers the changes of a revision as etcd does, finds what is
// missing, and notes which leases nobody has heard of yet.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "archive/segment.h"
#include "base/result.h"
#include "base/time.h"
#include "etcd/history_api.h"

namespace archive {

// The stored form of a change. DataLoss: it is not what etcd sends.
struct Stored {
  std::int64_t revision = 0, lease = 0;
  std::string value = {};
};
base::Result<Stored> stored_form(const etcd::Event& event);

// For one thread. `next` is the revision that must come first, `time` when the one before came.
class Recorder {
 public:
  Recorder(std::int64_t next, base::Instant time) : first_(next), next_(next), time_(time) {}

  // NotFound: a revision is missing (gap). DataLoss: what no etcd sends. After an error the frame
  // that is open counts for nothing. What was seen before is passed over.
  // Between two revisions, where the frame may be taken, `whole` is called.
  base::Status add(const etcd::Batch& batch, base::Instant now,
                   const std::function<void()>& whole = {});
  void add_lease(std::int64_t id, std::int64_t ttl);
  // That nothing happened until now; for a frame without records.
  void idle(base::Instant now);

  [[nodiscard]] std::int64_t next() const { return next_; }
  [[nodiscard]] bool empty() const { return !open_; }
  [[nodiscard]] size_t bytes() const { return records_.size(); }
  // Leases that were named for the first time; whoever asks has them.
  std::vector<std::int64_t> new_leases() { return std::exchange(new_leases_, {}); }

  struct Taken {
    std::string records = {};
    Frame frame = {};  // without its records
  };
  Taken take();  // ends the frame

 private:
  void stamp(base::Instant now);

  std::int64_t first_, next_;
  base::Instant time_;
  bool open_ = false;
  std::string records_;
  std::uint32_t count_ = 0;
  std::unordered_set<std::int64_t> known_leases_;
  std::vector<std::int64_t> new_leases_;
};

}  // namespace archive
