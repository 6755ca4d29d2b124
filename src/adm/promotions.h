// Members that etcd/rewrite_members.h is about: their records written again, and what a stopped
// member's store says of them.
#pragma once

#include <string>

#include "adm/cluster.h"
#include "base/result.h"

namespace adm {

// By etcd::rewrite_members, at the leader.
base::Status write_members_again(const Cluster& at, const Sight& sight);
// Of a member that is stopped: the learners in its store, by name; empty: there is none.
base::Result<std::string> learners_in(const std::string& database);

}  // namespace adm
