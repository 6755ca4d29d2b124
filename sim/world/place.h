// What stands on a machine for one member, as values: the files of guard/files.h, the volume, the
// certificates, and the guard that runs on them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "drivers/host/survivor.h"
#include "guard/files.h"
#include "sim/world/etcd_offline.h"

namespace sim {

// Null: it is not there. Written whole and never changed in place, so that copies of a world share
// it.
template <class T>
using File = std::shared_ptr<const T>;

template <class T>
File<T> file(T value) {
  return std::make_shared<const T>(std::move(value));
}

// May be put in another's place, or kept and put back later.
struct Volume {
  File<guard::Marker> marker;
  bool marker_torn = false;
  Dir data;                // of what is not running: an etcd has its own in Process
  bool leftovers = false;  // files in the data directory that are no log
  Disk disk = Disk::kFine;
};

struct Guard {
  // None: the member's lock is free, unless an etcd still holds it.
  enum class Phase : std::uint8_t { kNone, kWatching, kWaiting };
  Phase phase = Phase::kNone;
  Pid etcd = 0;              // of kWatching
  bool first_start = false;  // of this etcd, in a blank directory
  bool state_owed = false;   // the last write of the state failed
  unsigned failures = 0;
  base::Instant started{};               // etcd
  base::Instant wake{};                  // of kWaiting: when the backoff ends
  base::Instant note{};                  // of kWatching: when the log's end is noted again
  std::optional<base::Instant> kill_at;  // it was asked to stop; then it loses patience
};

struct Place {
  int machine = 0;
  File<guard::Ticket> ticket;
  File<guard::State> state;
  File<guard::Verdict> verdict;
  Volume volume;
  Guard guard;
  // `until` is zero: there is none.
  Leaf server, peer;
  [[nodiscard]] bool has_leaves() const {
    return server.until != base::Instant{} && peer.until != base::Instant{};
  }
};

struct Machine {
  bool up = true;
  int boots = 1;  // tells one life from the next
};

// What is kept for a recovery of its survivor.
struct Saved {
  File<Snapshot> snapshot;
  std::string bound;
  bool exported = false;          // with the end of the log
  bool fenced = false;            // and nothing of the old incarnation runs after it
  host::RunningSnapshot whole;    // of what it is, if exported
  host::RunningSnapshot running;  // else: taken while it ran
  bool usable = false;            // although taken while it ran
  std::string told;               // what it lacks, as a person was told
};

}  // namespace sim
