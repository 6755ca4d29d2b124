// Is this file a good snapshot, and what is in it? The answer comes from the file alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "etcd/bolt/content.h"
#include "etcd/bolt/database.h"
#include "etcd/bolt/hashkv.h"
#include "etcd/bolt/source.h"

namespace bolt {

constexpr std::uint64_t kTrailer = 32;  // SHA-256 of all before it

struct VerifyOptions {
  // A copy of a member's database file has none; what it holds is then not proved by a check sum.
  bool trailer_required = true;
  bool hash_kv = true;  // at the newest revision: one more walk if history was compacted
};

struct SnapshotFacts {
  std::uint64_t file_bytes = 0;
  std::uint64_t database_bytes = 0;  // as etcdutl's totalSize
  std::uint32_t page_size = 0;
  std::string sha256;  // of the database, in hex; empty without a trailer
  Content content;
  std::int64_t revision = 0;        // the newest, whether its record is still there or not
  std::int64_t first_revision = 0;  // of the oldest record; 0: there is none
  std::uint64_t records = 0, tombstones = 0, live_keys = 0;
  std::uint64_t items = 0;     // of all buckets: what etcdutl before 3.6 calls totalKey
  std::uint32_t crc = 0;       // of all buckets: what etcdutl snapshot status calls hash
  std::optional<HashKv> hash;  // as a live member answers at this revision
};

// DataLoss gives the exact reason why it is not a good snapshot; any other code means that it could
// not be looked at (Unavailable: the disk) and says nothing about it. At most 64 bytes a key, an
// eighth of a byte for each record and page, and the largest page.
base::Result<SnapshotFacts> verify(const Source& source, const VerifyOptions& options = {});

}  // namespace bolt
