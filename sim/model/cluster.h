// One state of the model: the world, what the operator remembers, what the user wants, and what
// only the checker knows.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/model/model.h"
#include "sim/world/operator.h"

namespace sim::model {

// What nobody in the world may look at.
struct Ghost {
  // Of the newest write that a client was told to be done; 0: none. `excused`: no intact copy of it
  // was left by faults alone, or a person gave it up.
  std::uint64_t acked = 0;
  bool excused = false;
  // What each member id had applied at most: committed, and so never to be taken back.
  std::map<base::MemberId, Log> reached;
  std::map<base::MemberId, Pid> ran;  // the newest process of each id
  base::Instant true_read{};          // when the operator's last linearizable read succeeded
  // Volumes that were taken out, as they were: they may come back.
  std::map<std::string, Volume> taken;
};

struct Cluster final : State {
  explicit Cluster(const Settings& settings) : world(settings) {}

  [[nodiscard]] std::unique_ptr<State> copy() const override {
    return std::make_unique<Cluster>(*this);
  }
  [[nodiscard]] std::size_t bytes() const override;

  World world;
  OperatorMemory memory;
  plan::Intent intent;
  std::shared_ptr<const plan::Intent> first_intent;  // what "put back" goes to
  std::shared_ptr<const plan::Record> stored;        // what the world's record says; null: none
  bool torn = false;                                 // the stored record's bytes are cut
  bool passed = false;  // the operator has looked since time last went by
  Ghost ghost;
};

// The clusters' name, as transcripts have it.
base::ClusterKey key_of_cluster();
std::string member_name(int ordinal);
int ordinal_of(const std::string& member);

}  // namespace sim::model
