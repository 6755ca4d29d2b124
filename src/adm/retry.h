// Waiting for what etcd refuses for the moment.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "adm/context.h"
#include "base/result.h"
#include "base/time.h"

namespace adm {

// One try: what is in the way, or nothing if it is done. An error ends the waiting.
using Try = std::function<base::Result<std::string>()>;

// DeadlineExceeded: "<what> after <limit>: <what was in the way last>".
base::Status until_done(const Context& context, base::Duration limit, std::string_view what,
                        const Try& attempt);

}  // namespace adm
