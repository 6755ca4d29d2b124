// How init, join and restore begin.
#pragma once

#include <optional>
#include <string>

#include "adm/context.h"
#include "base/result.h"
#include "posix/lock.h"

namespace adm {

struct Begun {
  Host host;
  std::optional<posix::FileLock> lock;  // none with --dry-run
};

// Completes and checks the flags, from the settings that are kept of this host where there are
// some, takes the lock of the state directory, and reads what an earlier run of the same command
// left. FailedPrecondition: this host is in a cluster, or the earlier run
// had other flags.
base::Result<Begun> begin(Context& context, const std::string& command);
// FailedPrecondition: another etcdadm is at work there.
base::Result<posix::FileLock> lock_state(const Places& places);

// The identity of the first member of a new cluster; the token is never used a second time.
base::Status found_cluster(Host& host);

// The host's next cluster is what the snapshot holds, under a new token: judged first, then copied
// into the state directory, from where the guard builds the data directory.
base::Status begin_from_snapshot(const Context& context, Host& host, const std::string& file,
                                 bool without_check_sum);
// That a run which goes on is given what the first one began with; `file` may be empty, or a URL.
// FailedPrecondition: it is something else.
base::Status check_beginning(const Host& host, const std::string& file, bool without_check_sum);

}  // namespace adm
