// Until 3.5.20 etcd did not keep the promotion of a learner in the store that 3.6 reads the members
// from: a member of 3.6 that finds two such learners there does not start.
#pragma once

#include <string>

#include "adm/cluster.h"
#include "base/result.h"

namespace adm {

// Has every member's record written once more, as it is, in the stores of all. Precondition: all
// run 3.5.32 or later, and none is a learner.
base::Status write_members_again(const Cluster& at, const Sight& sight);
// Of a member that is stopped: the learners in its store, by name; empty: there is none.
base::Result<std::string> learners_in(const std::string& database);

}  // namespace adm
