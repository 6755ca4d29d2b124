// One backup: snapshot, proof, seal, upload, manifest, and then what may go.
#pragma once

#include "archive/job.h"
#include "archive/world.h"

namespace archive {

// Never throws and always says how it ended. Killed at any point it leaves whole backups and
// nothing that looks like one; the next run removes what is left, when it is an hour old.
RunReport run(const RunJob& job, const World& world);

}  // namespace archive
