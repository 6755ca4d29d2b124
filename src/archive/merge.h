// A backup and the history behind it as one new database, at any revision that they reach: written
// in one stream, the same bytes for the same input, without a server.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "archive/segment.h"
#include "base/result.h"
#include "etcd/bolt/database.h"
#include "etcd/bolt/verify.h"
#include "etcd/bolt/writer.h"

namespace archive {

// Gives all records in order, and the same ones each time that it is called. An error of the sink
// is given on.
using RecordSink = std::function<base::Status(const LogRecord&)>;
using RecordSource = std::function<base::Status(const RecordSink&)>;

struct MergeQuestion {
  std::int64_t revision = 0;  // at least the backup's
  // As it was; else the revision is raised by kBump and history is dropped.
  bool exact = false;
  // Of a lease that was named and whose time to live nobody learnt: without a record of it its keys
  // would stay for ever.
  std::chrono::seconds fallback_ttl{60};
};

struct Merged {
  std::int64_t revision = 0;      // of a cluster that is made of the file
  std::uint64_t keys = 0;         // that are there; 0 with `exact`
  std::uint64_t records = 0;      // of the bucket of keys
  std::uint64_t log_records = 0;  // of these, how many came from the log
  std::uint64_t unknown_leases = 0;
};

// `facts` are those of `base`. Records up to the backup's revision are passed over; behind it none
// may be missing up to the revision that is asked for (DataLoss: "gap"). Alarms are dropped: their
// members are gone. Memory: 24 bytes a lease, and without `exact` 64 bytes a key.
base::Result<Merged> merge(const bolt::Database& base, const bolt::SnapshotFacts& facts,
                           const RecordSource& log, const MergeQuestion& question,
                           const bolt::ByteSink& out);

}  // namespace archive
