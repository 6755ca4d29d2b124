// What the files of a guard and its volume say of one member. A platform finds them; what they mean
// is judged here, the same for all.
#pragma once

#include <string>

#include "base/fact.h"
#include "guard/files.h"
#include "plan/observation.h"
#include "plan/record.h"

namespace live {

struct Found {
  base::Fact<bool> alive;      // something holds the member's lock
  base::Fact<bool> directory;  // the place of the member exists
  base::Fact<bool> data;       // its data directory holds a log
  base::Fact<guard::State> state;
  base::Fact<guard::Verdict> verdict;
  base::Fact<guard::Marker> marker;
  base::Fact<guard::Ticket> ticket;
};

// Without the certificates. `boot_id`: of the machine the member is on.
plan::MemberFacts judge(const Found& found, const plan::MemberRecord& member,
                        const std::string& boot_id);

// What its guard will read before the next start.
void judge_ticket(const base::Fact<guard::Ticket>& ticket, plan::MemberFacts& facts);

plan::End to_plan(guard::Class klass);
plan::Permit to_plan(guard::Permit permit);

}  // namespace live
