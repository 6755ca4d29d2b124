// What one schedule is made of: all of it drawn from the seed (swarm: each schedule has its own
// mixture of faults and of things that a user does).
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "sim/run/dice.h"
#include "sim/run/wanted.h"

namespace sim {

enum class Work {
  kWriter,       // unique keys through any member
  kScaler,       // the user changes the size
  kUpgrader,     // the next version
  kReviser,      // the user changes flags, and takes it back
  kKiller,       // etcd, its guard or its machine
  kThief,        // data is lost, older, another member's or damaged; at most a minority
  kDisaster,     // the same for a majority
  kPartitioner,  // links, one way or both
  kSleeper,      // a process hangs
  kFiller,       // the quota is reached
  kClock,        // leaves of some minutes
  kDisks,        // a full or read-only volume, or place of the record
  kWhims,        // paused, hibernated, stopped, deleted and taken back
  kCrasher,      // the operator dies at any point
  kConfuser,     // calls that are refused, or whose answer is lost
  kDouble,       // an operator that carries out what it thought before another one came
  // Only where there is a store of backups:
  kKeeper,  // a person asks for a backup
  kVandal,  // the store refuses, lies, is full, or loses bytes; its jobs die or take long
  // Only on Kubernetes:
  kEvictor,  // pods are deleted or evicted
  kWeather,  // the API server's answers are lost, or it refuses
  kWatches   // watches lag, and are told that they are too old
};
enum class Platform { kHost, kKubernetes };
struct WorkInfo {
  Work work;
  std::string_view name;
  base::Duration mean;  // from one to the next
  bool fault;           // none of them comes in the healing phase; edits neither
  std::set<Platform> on;
};
const std::vector<WorkInfo>& works();

struct Schedule {
  std::uint64_t seed = 0;
  Platform platform = Platform::kHost;
  std::size_t steps = 1000;
  Wanted wanted;
  std::set<Work> on;
};
struct Draw {
  std::size_t steps = 1000;
  Platform platform = Platform::kHost;
  std::set<std::string>
      only;  // names of works, to leave the others out; empty: what the seed draws
};
Schedule draw_schedule(std::uint64_t seed, const Draw& draw);
std::string to_text(const Schedule& schedule);

}  // namespace sim
