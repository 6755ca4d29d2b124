// The planner's contract (DESIGN section 3) as far as it holds on hosts without backups, asserted
// on what is really so in the world. Shares no code with the planner.
#pragma once

#include <set>

#include "sim/model/pass.h"
#include "sim/model/tally.h"
#include "sim/model/truth.h"

namespace sim::model {

// What has to be known of the moment before a pass.
struct Before {
  plan::Record record;  // as it was stored
  Serving serving;      // of the record's cluster
  Membership members;   // a copy: `serving` points into the world
  std::vector<etcd::Alarm> alarms;
  struct Stood {  // a place with data
    base::MemberId member;
    base::ClusterId cluster;
    std::string incarnation;
  };
  std::map<std::string, Stood> places;
};
Before note(const Cluster& state);

// Of one pass: S1, S2, S4, S7, S8, S10.
Violation judge_pass(const Before& before, const Passed& passed, const Cluster& after,
                     Counts& counts);
// Of any state: S3, S5, S9, W. Brings the ghost up to date.
Violation judge_state(Cluster& state, Counts& counts);
// To be called after whatever takes data away: an acknowledged write of which no copy is left was
// not lost by us.
void excuse(Cluster& state);

}  // namespace sim::model
