// A record that was lost, put together from the files of the members.
#pragma once

#include "base/result.h"
#include "drivers/host/layout.h"
#include "plan/record.h"

namespace host {

// FailedPrecondition says what is missing or does not agree. It succeeds only for a cluster that
// was latched and had no change of membership in hand: every member has a ticket of permit `data`
// and the marker of its own volume, and all of them are of one incarnation and cluster id.
base::Result<plan::Record> rebuild_record(const Layout& layout, const base::ClusterKey& key);

}  // namespace host
