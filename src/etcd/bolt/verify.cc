#include "etcd/bolt/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <system_error>
#include <thread>

#include "base/text.h"
#include "etcd/bolt/live.h"
#include "etcd/bolt/record.h"
#include "pki/digest.h"

namespace bolt {
namespace {

using base::Code;

constexpr std::string_view kKeys = "key", kMeta = "meta";
constexpr std::uint64_t kSector = 512;
constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr std::uint64_t kWorthAThread = std::uint64_t{4} << 20;

std::unexpected<base::Error> bad(std::string why) {
  return base::fail(Code::kDataLoss, std::move(why));
}

// Of the first `bytes`, raw.
base::Result<std::string> digest_of(const Source& source, std::uint64_t bytes) {
  pki::Sha256 sha;
  std::string block;
  for (std::uint64_t at = 0; at < bytes; at += block.size()) {
    block.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, bytes - at)));
    TRY_OK(source.read(at, block));
    sha.update(block);
  }
  return sha.finish();
}

base::Status check_trailer(const Source& source, std::uint64_t bytes, std::string_view trailer) {
  TRY(const std::string digest, digest_of(source, bytes));
  if (digest == trailer) return {};
  return bad(
      fmt::format("its SHA-256 is {}, and the one at its end is {}: it was changed or damaged",
                  pki::to_hex(digest), pki::to_hex(trailer)));
}

// On a thread of its own for a file that is worth it; empty if there is none to be had.
std::optional<std::jthread> beside(const std::function<void()>& work) {
  try {
    return std::jthread(work);
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

SipKey sip_key(std::string_view trailer, const Meta& meta) {
  if (trailer.size() == kTrailer)
    return {load<std::uint64_t>(trailer, 0), load<std::uint64_t>(trailer, 8)};
  return {meta.txid ^ meta.root << 32, meta.high_water};
}

// One walk over everything; a second one over the keys where HashKV leaves records out.
class Census {
 public:
  Census(const Database& database, SnapshotFacts& facts, const SipKey& sip, std::int64_t compacted)
      : database_(database), facts_(facts), live_(sip), compacted_(compacted) {}

  base::Status run() {
    PageSet pages = database_.no_pages();
    TRY(const auto buckets, database_.buckets(pages));
    for (const auto& bucket : buckets) {
      facts_.crc = base::crc32c(bucket.name, facts_.crc);
      const bool keys = bucket.name == kKeys;
      TRY_OK(database_.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
        ++facts_.items;
        facts_.crc = base::crc32c(value, base::crc32c(key, facts_.crc));
        return keys ? record(key, value) : read_item(bucket.name, key, value, facts_.content);
      }));
    }
    TRY_OK(database_.check_freelist(pages));
    live_.settle();
    facts_.live_keys = live_.count();
    // A compaction may have taken the newest record, and a raised revision may have none.
    facts_.revision = std::max({newest_, compacted_, std::int64_t{1}});
    return {};
  }

  base::Status hash() {
    if (facts_.records != 0 && facts_.first_revision <= compacted_) {
      hasher_ = KeyHasher(compacted_, &live_);
      const ItemSink add = [&](std::string_view key, std::string_view value) -> base::Status {
        bool tombstone = false;
        TRY(const auto revision, parse_revision(key, tombstone));
        hasher_.add(revision, tombstone, key, value);
        return {};
      };
      TRY_OK(database_.walk(kKeys, add));
    }
    facts_.hash = HashKv{.hash = hasher_.hash(),
                         .revision = facts_.revision,
                         .compact_revision = compacted_ > 0 ? compacted_ : -1};
    return {};
  }

 private:
  base::Status record(std::string_view key, std::string_view value) {
    TRY(const auto record, parse_record(key, value));
    if (facts_.records++ == 0) facts_.first_revision = record.revision.main;
    if (record.tombstone) ++facts_.tombstones;
    newest_ = record.revision.main;
    if (facts_.first_revision > compacted_)
      hasher_.add(record.revision, record.tombstone, key, value);
    return live_.add(record.key, record.tombstone);
  }

  const Database& database_;
  SnapshotFacts& facts_;
  LiveRecords live_;
  std::int64_t compacted_, newest_ = 0;
  KeyHasher hasher_{-1, nullptr};  // leaves nothing out
};

// Needed before the keys are walked, and comes after them in the file.
base::Result<std::int64_t> compacted_at(const Database& database) {
  PageSet pages = database.no_pages();
  TRY(const auto buckets, database.buckets(pages));
  Content content;
  for (const std::string_view name : {kKeys, kMeta})
    if (std::ranges::find(buckets, name, &Bucket::name) == buckets.end())
      return bad(fmt::format("not a database of etcd: it has no bucket {}", name));
  const auto meta = std::ranges::find(buckets, kMeta, &Bucket::name);
  TRY_OK(database.walk(*meta, pages, [&](std::string_view key, std::string_view value) {
    return read_item(kMeta, key, value, content);
  }));
  return content.compact_revision();
}

base::Status take_census(const Database& database, const VerifyOptions& options, const SipKey& sip,
                         SnapshotFacts& facts) {
  TRY(const std::int64_t compacted, compacted_at(database));
  Census census(database, facts, sip, compacted);
  TRY_OK(census.run());
  return options.hash_kv ? census.hash() : base::Status();
}

}  // namespace

base::Result<SnapshotFacts> verify(const Source& source, const VerifyOptions& options) {
  SnapshotFacts facts;
  facts.file_bytes = source.size();
  if (facts.file_bytes == 0) return bad("it is empty");
  const bool has_trailer = facts.file_bytes % kSector == kTrailer;
  const std::uint64_t bytes = facts.file_bytes - (has_trailer ? kTrailer : 0);
  // Before the check sum: a file that is cut is told by how much.
  TRY(const auto database, Database::open(source, bytes));
  facts.database_bytes = database.bytes();
  facts.page_size = database.meta().page_size;
  if (!has_trailer && options.trailer_required)
    return bad(
        fmt::format("no SHA-256 at its end ({} bytes are no multiple of 512 and 32 more): "
                    "cut, or a copy of a member's file",
                    facts.file_bytes));
  std::string trailer(has_trailer ? kTrailer : 0, '\0');
  TRY_OK(source.read(bytes, trailer));
  facts.sha256 = pki::to_hex(trailer);

  // Both go over the whole file, so they go side by side. What the census says of bytes that fail
  // their sum is not told.
  base::Status sum;
  base::Status counted;
  const auto check = [&] { sum = check_trailer(source, bytes, trailer); };
  {
    std::optional<std::jthread> checking;
    if (has_trailer && bytes >= kWorthAThread) checking = beside(check);
    if (has_trailer && !checking) check();
    if (checking || sum)  // in this order: `sum` is the thread's
      counted = take_census(database, options, sip_key(trailer, database.meta()), facts);
  }
  TRY_OK(sum);
  TRY_OK(counted);
  return facts;
}

}  // namespace bolt
