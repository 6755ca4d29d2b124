// A record that was lost, put together from the files of the members (live/rebuild.h).
#pragma once

#include <set>

#include "base/result.h"
#include "drivers/host/layout.h"
#include "plan/record.h"
#include "posix/net.h"

namespace host {

base::Result<plan::Record> rebuild_record(const Layout& layout, const base::ClusterKey& key);

// What the members' tickets tell of their ports, for a cluster whose record does not.
std::set<posix::Port> ports_on_disk(const Layout& layout, const base::ClusterKey& key);

}  // namespace host
