// What is left of a cluster without a quorum, and what of it is proven.
#pragma once

#include <string>
#include <vector>

#include "plan/view.h"

namespace plan {

// S5: its guard found its own marker and no data, or data older than acknowledged. A volume without
// the marker, with foreign data, or that could not be read is no proof.
bool is_proven_lost(const Seat& seat);
// Its own data was seen, or it answers.
bool has_data(const Record& record, const Seat& seat);

struct Loss {
  enum class Kind {
    kMayReturn,  // enough voters have their data: they only have to come up
    kUnproven,   // too few are seen to have data, and no proof that the rest has none
    kSurvivor,   // proven: too few have data, but one has
    kTotal       // proven: none has
  };
  Kind kind = Kind::kUnproven;
  std::size_t voters = 0, up = 0;
  std::vector<const Seat*> with_data, lost, unknown;
  const Seat* best = nullptr;  // of with_data, by the highest committed index that was seen
};

// Holds for every membership that one change in flight may have made.
Loss assess_loss(const View& view, const Record& record);
// "c-0: data lost; c-1: not reachable; …"
std::string facts_in_words(const Record& record, const Loss& loss);

}  // namespace plan
