// A drill: the newest backup brought back for real, so that it is known that it can be.
#pragma once

#include "archive/drill_job.h"
#include "archive/offline_etcd.h"
#include "archive/world.h"

namespace archive {

// Never throws. etcd's own tool makes a member of the newest backup, etcd starts on it alone, and
// its revision, its HashKV and its number of keys are what the manifest says: then the backup is
// marked as proven. One that is found damaged twice, or of which an etcd holds something else, is
// marked as bad. Whatever else goes wrong says nothing about the backup and marks nothing.
// When it comes back no etcd runs and scratch is empty; killed, the next one makes order.
DrillReport drill(const DrillJob& job, const World& world, OfflineEtcd& etcd);

}  // namespace archive
