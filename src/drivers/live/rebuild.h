// A record that was lost, put together from what is kept of every member.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "guard/files.h"
#include "plan/record.h"

namespace live {

struct Kept {
  guard::Ticket ticket;
  guard::Marker marker;
};

// By the members' names; an error says why one could not be read. FailedPrecondition says what is
// missing or does not agree. It succeeds only for a cluster that was latched and had no change of
// membership in hand: every member has a ticket of permit `data` and the marker of its own volume,
// and all of them are of one incarnation and cluster id.
base::Result<plan::Record> rebuild_record(const base::ClusterKey& key,
                                          const std::map<std::string, base::Result<Kept>>& members,
                                          bool open_to_clients);

}  // namespace live
