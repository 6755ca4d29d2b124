// One member down and up again while the cluster serves.
#pragma once

#include "adm/context.h"
#include "base/result.h"

namespace adm {

// Leadership goes elsewhere first; done when it answers a linearizable read and counts as healthy.
// FailedPrecondition: the others would be no quorum. Of one or two voters none can be spared: these
// do not serve meanwhile, which is said.
base::Status restart_member(const Context& context, Host& host);

}  // namespace adm
