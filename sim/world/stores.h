// Stores of backups beside a cluster, and the jobs that work with them. They outlive the cluster
// and the operator. What implements this is in sim/stores; a world without it has no stores.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/driver.h"
#include "sim/world/etcd_process.h"

namespace sim {

class World;

// A backup as it really lies in its store, whatever the store says.
struct StoredBackup {
  std::string name, incarnation;
  std::int64_t revision = 0;
  base::Instant time{};                // when its job began to work
  base::ClusterId cluster;             // whose data it says to be
  bool looks_whole = false;            // by its manifest and its size; what a list tells
  bool whole = false;                  // every byte of it is what a member gave
  bool proven = false, bad = false;    // it is marked so
  std::shared_ptr<const State> holds;  // of a whole one: what a member held
};

// A look for something to begin from that came to an end of its own.
struct StoreLookup {
  std::string best;     // by truth, at that moment: the newest whole one that is not marked bad
  std::string brought;  // empty: none
  bool empty = false;   // its word was that there is none
  std::shared_ptr<const State> holds;  // of what was brought
};

// Called by the world's one thread.
class Stores {
 public:
  enum class Kind { kBackup, kDrill, kFetch };
  virtual ~Stores() = default;

  // ---- of the world ----
  [[nodiscard]] virtual std::optional<base::Instant> next_event() const = 0;
  virtual void settle(World& world) = 0;  // what is due now

  // ---- of the driver, as of drivers/host ----
  virtual void see(plan::Observation& seen) const = 0;
  // FailedPrecondition: one of that kind runs.
  virtual base::Status start(Kind kind, int epoch, const engine::Job& job) = 0;
  virtual void end(Kind kind) = 0;  // it has ended, and nothing is known of its end
  virtual void forget_jobs() = 0;   // the place of their files is gone
  [[nodiscard]] virtual std::string fresh_incarnation(const plan::Record& record,
                                                      const plan::Observation& seen,
                                                      std::uint64_t chance) const = 0;

  // ---- of whoever looks from above ----
  virtual const std::vector<StoredBackup>& backups() = 0;  // in no order
  [[nodiscard]] virtual const std::vector<StoreLookup>& lookups() const = 0;
  [[nodiscard]] virtual unsigned running() const = 0;
};

}  // namespace sim
