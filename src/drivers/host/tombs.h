// Which clusters the state directory holds, and how one leaves it with its data. One rename takes
// its folder out of every listing: that is the whole deletion, and removing is tidying up after it.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/log.h"
#include "base/result.h"
#include "drivers/host/layout.h"
#include "plan/record.h"

namespace host {

base::Result<std::vector<base::ClusterKey>> list_clusters(const Layout& layout);

// The rest of a cluster that went with its data: its tokens and its next ordinal, which the same
// name must never use again. It is in no listing, and lies beside the folders.
bool is_rest(const plan::Record& record);
plan::Record rest_of(const plan::Record& record);
base::Status save_rest(const Layout& layout, const plan::Record& rest);
// NotFound: no cluster of this name ever went, or another one has come since.
base::Result<plan::Record> load_rest(const Layout& layout, const base::ClusterKey& key);

// Out of every listing, for ever. A cluster that is not there is fine. The caller has stored a
// record that says that it is deleted, and has seen that no member runs.
base::Status bury(const Layout& layout, const base::ClusterKey& key);
// Removes what was buried: of one namespace, or all that an operator before us did not get to. Only
// folders go whose record proves that the deletion was wanted, or that hold no data any more; the
// others are named and stay. An error: something that should go is still there.
base::Status remove_buried(const Layout& layout, const std::string& ns, base::Logger& log);
void remove_all_buried(const Layout& layout, base::Logger& log);

}  // namespace host
