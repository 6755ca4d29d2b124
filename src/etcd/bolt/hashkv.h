// etcd's HashKV from a database file, without touching it: equal to what Maintenance.HashKV of
// 3.4–3.7 answers. Versions before 3.4.34 and 3.5.16 drop the tombstone at the compacted revision,
// later ones keep it and leave it out of the hash, so that one rule fits all.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "etcd/bolt/database.h"
#include "etcd/bolt/live.h"
#include "etcd/bolt/record.h"

namespace bolt {

// As etcd answers it. A server may answer from its cache with an older compact revision than it
// has: compute with the one of the answer.
struct HashKv {
  std::uint32_t hash = 0;
  std::int64_t revision = 0;
  std::int64_t compact_revision = -1;  // -1: never compacted
  bool operator==(const HashKv&) const = default;
};

// Told of each record up to the revision, in order.
class KeyHasher {
 public:
  // `live` may be null if no record is as old as the compact revision; else it holds the live
  // records at the revision and outlives this.
  KeyHasher(std::int64_t compact_revision, const LiveRecords* live);
  void add(const Revision& revision, bool tombstone, std::string_view key, std::string_view value);
  [[nodiscard]] std::uint32_t hash() const { return hash_; }

 private:
  std::int64_t compact_revision_;
  const LiveRecords* live_;
  std::uint64_t record_ = 0;
  std::uint32_t hash_;
};

struct HashQuestion {
  std::optional<std::int64_t> revision;          // none: the newest
  std::optional<std::int64_t> compact_revision;  // none: the file's own; -1: never compacted
  SipKey sip;                                    // best a number that nobody can foresee
};
// FailedPrecondition if the file does not have the history for it.
base::Result<HashKv> hash_kv(const Database& database, const HashQuestion& question);

}  // namespace bolt
