// What must hold of backups, seen from above: what the store really holds, what really runs, and
// what the status says of it.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>

#include "engine/reconciler.h"
#include "sim/checkers/truth.h"
#include "sim/world/stores.h"

namespace sim {

struct StoreRules {
  base::Duration interval{0};  // 0: there is no backup block
  bool restores = false;       // a new cluster begins from the store
  int max_backups = 0;         // 0: all are kept
};

class StoreOracles {
 public:
  // After every step of the world. Empty, or what is wrong.
  std::string after_step(const World& world, const StoreRules& rules);
  // Of a pass that ended.
  [[nodiscard]] std::string after_pass(const engine::Report& report, const StoreRules& rules) const;
  // Empty, or what lacks now: what was written by `by` is in a whole backup of the cluster that
  // serves, and no job is left over.
  [[nodiscard]] std::string missing(const World& world, base::Instant by) const;

  // A backup of the cluster that serves has lost bytes that no list tells of: only a drill finds
  // out, and until then it is taken for good.
  [[nodiscard]] bool hidden_damage(const World& world) const;

  [[nodiscard]] std::size_t restores() const { return restores_; }

 private:
  struct Sample {
    base::Instant at{};
    base::ClusterId cluster;
    std::int64_t revision = 0;
  };
  struct Known {
    StoredBackup is;
    base::Instant seen{};  // when it looked whole last
  };
  [[nodiscard]] std::string retention(const std::vector<StoredBackup>& now,
                                      const StoreRules& rules) const;
  std::string lookups(const Stores& stores);
  std::string beginning(const World& world, const Process& leader, const StoreRules& rules);
  void note(const World& world, const std::vector<StoredBackup>& now, base::Duration keep);
  [[nodiscard]] const Sample* served_by(base::Instant at) const;

  std::vector<StoredBackup> before_;
  std::map<std::string, Known> whole_;  // that were whole once, by name
  std::set<std::string> proven_;        // that were marked so while they were whole
  std::deque<Sample> served_;           // by time
  std::size_t lookups_ = 0, looked_before_ = 0;
  bool nothing_ = true;      // there was no cluster since
  base::ClusterId cluster_;  // that served last
  std::size_t restores_ = 0;
};

}  // namespace sim
