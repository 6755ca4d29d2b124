// The members of a cluster as processes and files of this machine.
#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "drivers/host/layout.h"
#include "drivers/host/spawner.h"
#include "guard/files.h"
#include "plan/observation.h"
#include "plan/record.h"

namespace host {

// What its guard and its volume say of one member, without the certificates.
plan::MemberFacts look_at_member(const MemberFiles& files, const plan::MemberRecord& member,
                                 const std::string& boot_id);

// True, false, or unknown: does anything hold the member's lock?
base::Fact<bool> is_alive(const MemberFiles& files);

// Directories of mode 0700.
base::Status make_member_dirs(const MemberFiles& files);
// Done: its lock is held, by this guard or by one that was there before.
struct GuardStart {
  std::string guard;  // the program
  std::string cluster_ns, member;
  base::Duration deadline{};
};
base::Status start_guard(Spawner& spawner, const GuardStart& what, const MemberFiles& files,
                         const std::stop_token& stop);
// Asks the guard to stop and waits until the lock is free. DeadlineExceeded: it still runs.
base::Status stop_guard(const MemberFiles& files, const std::string& boot_id,
                        base::Duration deadline, const std::stop_token& stop);
// Asks a guard that waits to look again now; nothing if it does not.
void nudge_guard(const MemberFiles& files, const std::string& boot_id);

// Whether the member's data directory holds a log. Unknown: it cannot be looked at.
base::Fact<bool> has_data(const MemberFiles& files);

}  // namespace host
