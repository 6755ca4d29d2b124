#include "archive/bump.h"

#include <limits>
#include <map>
#include <string>

#include "etcd/bolt/live.h"
#include "etcd/bolt/record.h"
#include "pki/random.h"

namespace archive {
namespace {

using base::Code;

constexpr size_t kMostMeta = 1000;  // etcd has six

base::Result<bolt::LiveRecords> find_live(const bolt::Database& database) {
  TRY(const auto bytes, pki::random_bytes(16));
  bolt::LiveRecords live(bolt::SipKey{.low = bolt::load<std::uint64_t>(bytes, 0),
                                      .high = bolt::load<std::uint64_t>(bytes, 8)});
  TRY_OK(database.walk("key", [&](std::string_view key, std::string_view value) -> base::Status {
    TRY(const auto record, bolt::parse_record(key, value));
    return record.raised ? base::Status() : live.add(record.key, record.tombstone);
  }));
  live.settle();
  return live;
}

// The records of the keys that are there now.
base::Status copy_keys(const bolt::Database& database, const bolt::Bucket& bucket,
                       bolt::PageSet& pages, const bolt::LiveRecords& live, bolt::Items& out,
                       std::uint64_t& keys) {
  std::uint64_t at = 0;
  keys = 0;
  return database.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
    const auto record = bolt::parse_record(key, value);
    if (!record) return base::Status(std::unexpected(record.error()));
    if (record->raised || !live.live(at++)) return base::Status();
    ++keys;
    return out.item(key, value);
  });
}

// With the marks of a compaction that has ended.
base::Status copy_meta(const bolt::Database& database, const bolt::Bucket& bucket,
                       bolt::PageSet& pages, std::int64_t revision, bolt::Items& out) {
  std::map<std::string, std::string, std::less<>> items;
  TRY_OK(database.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
    if (items.size() >= kMostMeta)
      return base::Status(base::fail(Code::kDataLoss, "bucket meta has too many items"));
    items.emplace(key, value);
    return base::Status();
  }));
  // Both: 3.5.12 takes its revision from the finished one alone.
  for (const auto* name : {"finishedCompactRev", "scheduledCompactRev"})
    items.insert_or_assign(name, bolt::revision_key({.main = revision, .sub = 0}, false));
  for (const auto& [key, value] : items) TRY_OK(out.item(key, value));
  return {};
}

}  // namespace

base::Result<Bumped> write_bumped(const bolt::Database& database, const bolt::SnapshotFacts& facts,
                                  const bolt::ByteSink& out) {
  if (facts.revision > std::numeric_limits<std::int64_t>::max() / 2 - kBump)
    return base::fail(Code::kDataLoss, "its revision is too high to be raised");
  Bumped bumped{.revision = facts.revision + kBump};
  TRY(const auto live, find_live(database));
  bool has_meta = false;
  const auto contents = [&](bolt::Items& items) -> base::Status {
    auto pages = database.no_pages();
    TRY(const auto buckets, database.buckets(pages));
    for (const auto& bucket : buckets) {
      TRY_OK(items.bucket(bucket.name));
      if (bucket.name == "alarm") continue;
      if (bucket.name == "key") {
        TRY_OK(copy_keys(database, bucket, pages, live, items, bumped.keys));
      } else if (bucket.name == "meta") {
        has_meta = true;
        TRY_OK(copy_meta(database, bucket, pages, bumped.revision, items));
      } else {
        TRY_OK(database.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
          return items.item(key, value);
        }));
      }
    }
    return has_meta ? base::Status() : base::fail(Code::kDataLoss, "it has no bucket meta");
  };
  TRY_OK(bolt::write_database(contents, out));
  return bumped;
}

}  // namespace archive
