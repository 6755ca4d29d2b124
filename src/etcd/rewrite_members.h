// Until 3.5.20 etcd did not keep the promotion of a learner in the store that 3.6 reads the members
// from: a member of 3.6 that finds two such learners there does not start (etcd#19557).
#pragma once

#include "etcd/api.h"

namespace etcd {

// Has every member's record written once more, as it is, in the stores of all. For members of
// 3.5.32 or later. Refused while one is a learner, which 3.5.30 would make a voter, or has not one
// peer address. Each call has `each` of time.
Change<void> rewrite_members(EtcdApi& through, const MemberList& list, base::Duration each);

}  // namespace etcd
