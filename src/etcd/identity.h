// The ids that etcd gives to the members and the cluster of a static bootstrap. Both depend on
// nothing but the peer URLs and the token, so they are known before anything runs.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"

namespace etcd {

// Not for members that were added later: their id holds the time of the add.
base::MemberId member_id(std::vector<std::string> peer_urls, const std::string& token);

// Of the founding members; the order does not matter.
base::ClusterId cluster_id(std::vector<base::MemberId> members);

}  // namespace etcd
