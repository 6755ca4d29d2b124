// A record that was lost, put together from the files of the members (live/rebuild.h).
#pragma once

#include "base/result.h"
#include "drivers/host/layout.h"
#include "plan/record.h"

namespace host {

base::Result<plan::Record> rebuild_record(const Layout& layout, const base::ClusterKey& key);

}  // namespace host
