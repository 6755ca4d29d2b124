// What is left of a cluster without a quorum, and what of it is proven.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plan/view.h"

namespace plan {

// S5: its guard found its own marker and no data, or data older than acknowledged. A volume without
// the marker, with foreign data, or that could not be read is no proof.
bool is_proven_lost(const Seat& seat);
// Its own data was seen and nothing condemned it, or it answers.
bool has_data(const Record& record, const Seat& seat);
// Why the data of this member, of the present incarnation, may lack what was acknowledged although
// nothing is wrong with it; empty: it votes.
std::string doubt_of(const Seat& seat);
// Members of that incarnation of whose process nothing is known: one of them may still run.
std::vector<std::string> unseen(const View& view, const std::string& incarnation);

struct Loss {
  enum class Kind {
    kMayReturn,  // enough members have their data: they only have to come up
    kUnproven,   // too few are seen to have data, and `doubts` says what is not proven
    kSurvivor,   // proven: too few have data, but a voter has, and nothing else can run
    kTotal       // proven: none has, and nothing can run
  };
  Kind kind = Kind::kUnproven;
  std::vector<const Seat*> with_data, lost, unknown;
  // Enough have their data and run, but wait for the votes of members that were removed.
  bool unaware = false;
  const Seat* best = nullptr;       // of with_data; a voter, if one has data
  std::vector<std::string> doubts;  // for people: what is not proven, and what to check
};

// Holds for every membership that one change in flight may have made.
Loss assess_loss(const View& view, const Record& record);
// "c-0: data lost; c-1: not reachable; …"
std::string facts_in_words(const Record& record, const Loss& loss);

// Failed tries by the names of those whose data was tried, and how many of them are too many.
struct Failed {
  const std::map<std::string, int>& tries;
  int limit;
};
// Of the members of that incarnation that have data, without those whose data failed too often:
// voters first, then by their logs. Null: there is none.
const Seat* choose_survivor(const View& view, const Record& record, const std::string& incarnation,
                            const Failed& failed);
const Seat* choose_survivor(const View& view, const Record& record, const std::string& incarnation);
// By what they are (a voter's before a learner's, a removed one's last), whatever their logs.
bool ranks_before(const Seat& seat, const Seat& than);
// Both logs' ends were noted by their guards, both may be chosen alike, and this one's is longer.
bool is_noted_longer(const Seat& seat, const Seat& than);

}  // namespace plan
