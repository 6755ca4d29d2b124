// Jobs that work with a store of backups: what a platform sees of them, and what a record keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/cluster.h"
#include "base/fact.h"
#include "base/time.h"

namespace plan {

enum class JobEnd { kUploaded, kUnchanged, kNotDue, kFetched, kEmpty, kFailed, kProven, kBad };

// Why a job was not started that may be started a moment later: it did not fail.
inline constexpr std::string_view kNoSlot = "as many jobs run as may at a time";

// What a job said at its end.
struct JobReport {
  JobEnd end = JobEnd::kFailed;
  std::string name;      // of the backup in its store, "<incarnation>/full-…"
  std::string location;  // the same with the store
  std::int64_t revision = 0, keys = 0;
  // When that backup was taken; of a drill when it was proven.
  std::optional<base::Instant> time;
  std::string etcd_version;  // of what it holds, as far as it is known
  std::string error, warning;
};

// The newest job of its kind.
struct StoreJob {
  int epoch = 0;  // 0: there was none
  bool running = false;
  std::optional<JobReport> report;  // none, and it does not run: it vanished, its end is not known
};

// Who writes the continuous log: what happens behind the backups. It has no end of its own.
struct Follower {
  int epoch = 0;  // of the newest; 0: there was none
  bool running = false;
  bool outdated = false;           // it was told other things than it would be told now
  base::Fact<base::Duration> lag;  // age of the oldest change that the store does not have
  std::string base;      // the backup that a restore begins from; empty: there is none yet
  std::string problem;   // what it waits for; of one that ended why
  bool overrun = false;  // it ended because the log has a writer with a higher epoch
  int holes = 0;         // that this process found in what it wrote
  std::string last_hole = {};
  std::string weak_fence = {};  // why its store would let two write at once; empty: not seen
};

struct BackupRecord {
  int epoch = 0;         // of the newest job; no two jobs have one
  bool running = false;  // its end was not seen
  base::Instant started_at{};
  std::string job_of;  // as `of`, of that job
  // Store and incarnation that the rest is about: a revision says nothing in another one.
  std::string of;
  base::Instant since{};  // when that was first wanted
  // The last success holds all that was written by this time.
  std::optional<base::Instant> last_success;
  std::int64_t revision = 0;
  std::string name, location;
  base::Instant taken{};  // by the store's word; a later one there is not known to us
  int failures = 0;       // in a row
  base::Instant failed_at{};
  std::string error;
  std::string request;                        // a person's, as last taken up
  std::optional<base::Instant> requested_at;  // no success has begun since
  bool replaces = false;                      // by a drill that found one damaged
  std::string upgrade;                        // the version before which one is to be taken
  base::Instant upgrade_since{};
  bool operator==(const BackupRecord&) const = default;
};

struct DrillRecord {
  int epoch = 0;  // as of backups, as all to `of`
  bool running = false;
  base::Instant started_at{};
  std::string job_of, of;
  std::optional<base::Instant> proven_at;  // of the backup that follows
  std::string name, location;
  std::int64_t revision = 0, keys = 0;
  int failures = 0;  // in a row
  base::Instant failed_at{};
  bool bad = false;  // the last one found damage
  std::string error;
  base::Instant since{};  // when there was first a backup to prove
  int ended = 0;          // for backups by schedule, since one came to an end of its own
  bool operator==(const DrillRecord&) const = default;
};

struct FollowRecord {
  int epoch = 0;         // of the newest; no two have one
  bool running = false;  // its end was not seen
  base::Instant started_at{};
  int failures = 0;  // in a row
  base::Instant failed_at{};
  std::string error;
  bool overrun = false;                       // the last one, as seen
  std::optional<base::Instant> behind_since;  // it was not seen to keep up
  int holes = 0;                              // of this one, that were told
  bool operator==(const FollowRecord&) const = default;
};

enum class Found { kNothing, kEmpty, kBackup };

// What was looked up before the cluster formed.
struct RestoreRecord {
  int epoch = 0;  // as of backups
  bool running = false;
  base::Instant started_at{};
  std::string source;     // where; the rest is of this place
  std::string operation;  // of the newest job: names what it fetches, and the restore by the guard
  Found found = Found::kNothing;
  std::string location;  // of the backup
  std::int64_t revision = 0;
  int failures = 0;
  base::Instant failed_at{};
  std::string error;
  bool after_loss = false;  // every member lost its data: an empty cluster must not take its place
  bool again = false;       // deleted, declared again with a restore block, and not served since
  bool operator==(const RestoreRecord&) const = default;
};

enum class InPlace {
  kNone,
  kLook,    // what it is to go back to is looked up; the cluster serves
  kSave,    // a safety copy of what it holds is taken; it serves
  kBegin,   // the old members stop for good, and the cluster begins again
  kDone,    // it was latched as it is now
  kRefused  // nothing was changed
};

// The newest wish that a cluster which serves goes back to a point.
struct InPlaceRecord {
  std::string request;  // is not taken up again
  InPlace stage = InPlace::kNone;
  std::string operation;
  api::Restore from;
  base::Instant since{}, deadline{};  // of the stage; by when the old members begin to stop
  std::string safety;                 // where the safety copy lies
  std::int64_t safety_revision = 0;
  std::string told;  // what came of it
  [[nodiscard]] bool goes_on() const { return stage >= InPlace::kLook && stage <= InPlace::kBegin; }
  bool operator==(const InPlaceRecord&) const = default;
};

}  // namespace plan
