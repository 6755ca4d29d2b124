// The cluster as it was at a revision or a time: a backup and the history behind it, merged.
#pragma once

#include "archive/catalog.h"
#include "archive/job.h"
#include "archive/log.h"
#include "archive/trouble.h"
#include "archive/world.h"

namespace archive {

// A job that asks for a point; it is not looked at otherwise.
inline bool asks_for_point(const FetchJob& job) {
  return job.to_revision || job.to_time;
}

// Trouble: range (nothing reaches it; says what is nearest, and what is reached), none-good (each
// backup that it could begin from is damaged), mismatch (a segment on the way is damaged, which is
// named), key, newer.
Outcome<FetchReport> fetch_point(const FetchJob& job, const Shelf& shelf, const Catalog& catalog,
                                 const World& world, base::Tick deadline);

}  // namespace archive
