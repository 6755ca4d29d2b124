// A store of backups in memory and the shipping jobs over it (archive::run, drill, fetch): each
// begins, works at one moment of virtual time, and ends later.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "archive/drill_job.h"
#include "archive/job.h"
#include "archive/world.h"
#include "objstore/memory_store.h"
#include "sim/stores/members.h"
#include "sim/world/driver.h"
#include "sim/world/stores.h"

namespace sim {

// What goes wrong with the store: of a thousand operations, beside what always does.
struct Weather {
  unsigned refused = 0;       // 503: nothing happens
  unsigned lost = 0;          // nothing happens, and nobody knows
  unsigned lost_answer = 0;   // it happens, and nobody knows
  unsigned lied_nothing = 0;  // of writes: done, it says, and nothing happens
  unsigned lied_half = 0;  // of writes: half of the bytes are stored; of reads: half of them come
  bool forbidden = false;  // 403 to everything
  bool full = false;       // no write is taken
};

class Depot final : public Stores {
 public:
  // `world` outlives it; `scratch` is a directory of its own.
  Depot(const World& world, std::uint64_t seed, std::string scratch);

  [[nodiscard]] std::optional<base::Instant> next_event() const override;
  void settle(World& world) override;
  void see(plan::Observation& seen) const override;
  base::Status start(Kind kind, int epoch, const engine::Job& job) override;
  void end(Kind kind) override;
  void forget_jobs() override;
  [[nodiscard]] std::string fresh_incarnation(const plan::Record& record,
                                              const plan::Observation& seen,
                                              std::uint64_t chance) const override;
  const std::vector<StoredBackup>& backups() override;
  [[nodiscard]] const std::vector<StoreLookup>& lookups() const override { return lookups_; }
  [[nodiscard]] unsigned running() const override;

  // ---- what befalls it ----
  Weather weather;
  bool slow = false;                             // jobs take minutes
  void die_at(unsigned point) { die_ = point; }  // the next that passes so many of its steps
  // All is well with it: what is slow ends soon.
  void heal();
  // Called before anything is changed: what jobs wrote a moment ago is seen as they left it.
  std::function<void()> before_damage;
  // Changes bytes of what is stored, or cuts them. Empty: there is nothing. Else what was hurt.
  std::string damage(std::uint64_t chance, bool cut);

 private:
  struct Running {
    int epoch = 0;
    bool running = false, worked = false;
    base::Instant begun_at{}, works_at{}, ends_at{};
    std::variant<archive::RunJob, archive::DrillJob, archive::FetchJob> what;
    std::string job, report;  // their text; no report: empty
    std::string operation;    // of a fetch
  };
  struct Died {};

  Running& of(Kind kind) { return jobs_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] const Running& of(Kind kind) const { return jobs_[static_cast<std::size_t>(kind)]; }
  [[nodiscard]] std::uint64_t draw();
  [[nodiscard]] base::Duration between(base::Duration low, base::Duration high);
  std::optional<objstore::Fault> fault(std::string_view operation);
  [[nodiscard]] archive::World surroundings();
  void work(Running& job, World& world);
  std::string back_up(const archive::RunJob& job);
  std::string rehearse(const archive::DrillJob& job);
  std::string look_up(Running& job, World& world);
  [[nodiscard]] const StoredBackup* best();
  void look();

  const World& world_;
  const std::string scratch_;
  const WorldClock clock_;
  std::uint64_t random_;
  bool honest_ = false;  // while somebody looks from above
  objstore::MemoryStore store_;
  std::array<Running, 3> jobs_;
  Streamed streamed_;                      // by the job that works
  std::map<std::string, Streamed> given_;  // by the nonce of the backup
  bool changed_ = true;
  std::vector<StoredBackup> backups_;
  std::map<std::string, std::string> versions_;  // of etcd, by name of the backup
  std::vector<StoreLookup> lookups_;
  unsigned die_ = 0;
};

}  // namespace sim
