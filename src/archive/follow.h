// The continuous mode: one watch over all of a cluster, written into its store as it comes, with a
// backup to begin from.
#pragma once

#include <functional>

#include "archive/follow_job.h"
#include "archive/world.h"

namespace archive {

// Told each half second, and at once of a problem and of the end.
using TellStatus = std::function<void(const FollowStatus&)>;

// Until it is stopped, or must not go on: stale (another writer with a higher epoch), foreign,
// behind. Everything else it waits out. Killed at any point, the next one goes on without a gap.
FollowReport follow(const FollowJob& job, const World& world, const TellStatus& tell);

}  // namespace archive
