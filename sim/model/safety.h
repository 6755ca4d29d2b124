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
  std::string leader;  // name of the process; empty: nobody leads
  struct Stood {       // a place with data
    base::MemberId member;
    base::ClusterId cluster;
    std::string incarnation;
  };
  std::map<std::string, Stood> places;
};
Before note(const Cluster& state);

Violation broken(Rule rule, std::string text);
// The exceptions that S1 names: rest, deletion, a fenced recovery, one or two members.
bool may_stand_still(const Before& before, const plan::Plan& plan, const Cluster& after);

// Of one pass: all but S9 and W.
Violation judge_pass(const Before& before, const Passed& passed, const Cluster& after,
                     Counts& counts);
// Of any state: S3, S5, S9, W. Brings the ghost up to date.
Violation judge_state(Cluster& state, Counts& counts);
// To be called after whatever takes data away: an acknowledged write of which no copy is left was
// not lost by us.
void excuse(Cluster& state);

}  // namespace sim::model
