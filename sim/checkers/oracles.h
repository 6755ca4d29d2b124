// What must never happen, checked from above after everything that happens.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/reconciler.h"
#include "sim/checkers/truth.h"

namespace sim {

// What the user allows at this moment, for the oracles that depend on it.
struct Allowed {
  bool outage = false;                // hibernation, stop, deletion
  bool delete_data = false;           // the user asked for the deletion of the data too
  bool approved = false;              // a person approved a recovery: their judgement, not ours
  std::set<std::string> doomed = {};  // places that somebody else is deleting
  std::size_t small = 2;  // clusters of at most so many voters may have announced outages
};

class Oracles {
 public:
  // A client was told that this write is done.
  void acknowledged(const World& world, const std::string& key, const std::string& value);
  // After every step of the world. Empty, or what is wrong.
  std::string after_step(const World& world, const Allowed& allowed);
  // Around a pass of the operator, in which no fault falls.
  void before_pass(const World& world);
  void looked(const World& world);  // in a pass, before it acts
  std::string after_pass(const World& world, const engine::Report* report, const Allowed& allowed);
  // At the end: every acknowledged write that no stated loss explains is there.
  [[nodiscard]] std::string nothing_lost(const World& world) const;

  // Of the last members seen: voters, and those of them whose data is all that it ever was.
  [[nodiscard]] Strength sound(const World& world) const;

  [[nodiscard]] std::size_t writes() const { return writes_; }
  [[nodiscard]] std::size_t recoveries() const { return recoveries_; }
  [[nodiscard]] std::size_t lost() const { return lost_; }  // in recoveries, as stated

 private:
  using Whose = std::pair<base::ClusterId, base::MemberId>;
  struct Before {
    base::ClusterId cluster;
    std::optional<Strength> strength;
    std::map<std::string, Whose> data;  // by place
  };
  [[nodiscard]] bool may_elect(const World& world) const;
  [[nodiscard]] Log sound_data(const World& world, base::MemberId member) const;  // null: not sound
  std::string one_identity(const World& world) const;
  std::string one_process(const World& world) const;
  std::string follow_cluster(const Process& leader, const Allowed& allowed);
  std::string our_hand(const World& world, const engine::Report* report,
                       const Allowed& allowed) const;
  std::string directories(const World& world, const Allowed& allowed) const;
  std::string truth(const World& world, const engine::Report& report) const;
  std::string recovery_begun(const World& world, const engine::Report& report,
                             const Allowed& allowed);

  Before before_;
  bool latched_ = false;                             // as the last pass that ended left it
  base::Instant served_at_{};                        // when somebody served last
  base::ClusterId cluster_;                          // that served last
  std::map<std::string, std::string> acknowledged_;  // of this identity; newest value of each key
  Log acked_;  // an entry of `cluster_` that holds all of them
  std::shared_ptr<const Membership> members_;
  std::map<Whose, std::uint64_t> reached_;        // the highest end of each log
  std::string recovery_;                          // operation of the newest one that was begun
  bool recovering_ = false;                       // and no new cluster serves yet
  std::map<std::string, std::string> must_keep_;  // what a sound survivor held when it began
  std::size_t writes_ = 0, recoveries_ = 0, lost_ = 0;
};

}  // namespace sim
