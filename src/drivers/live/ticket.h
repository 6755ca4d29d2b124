// The start ticket of a member, from the record: what is the same on every platform.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "guard/files.h"
#include "plan/record.h"

namespace live {

struct TicketSource {
  const plan::Record& record;
  const plan::MemberRecord& member;
  // Names and peer URLs of the live membership, if it could be read; a joining member's list must
  // match it.
  std::vector<std::pair<std::string, std::string>> live = {};
};

// Without programs, arguments and what a restore reads.
guard::Ticket ticket_of(const TicketSource& source);

// Flags change by a rollout only: a member whose template is of an older spec than the wanted one
// keeps the flags of its old ticket.
void keep_flags(const guard::Ticket& old, const std::string& wanted_hash, guard::Ticket& ticket);

}  // namespace live
