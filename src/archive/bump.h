// The database of a snapshot written anew for a cluster that goes on from it: its revision is far
// above what any client of the old cluster has seen, and its history is dropped, so that clients
// list anew and every old watch ends cleanly.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "etcd/bolt/verify.h"
#include "etcd/bolt/writer.h"

namespace archive {

// How many revisions are left out: more than a cluster makes between two backups.
constexpr std::int64_t kBump = 1'000'000'000;

struct Bumped {
  std::int64_t revision = 0;
  std::uint64_t keys = 0;
};
// `facts` are those of the database. Alarms are dropped: their members are gone. Errors of the
// database are DataLoss. Memory: 64 bytes a key.
base::Result<Bumped> write_bumped(const bolt::Database& database, const bolt::SnapshotFacts& facts,
                                  const bolt::ByteSink& out);

}  // namespace archive
