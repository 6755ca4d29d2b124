#include "etcd/bolt/hashkv.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "etcd/bolt/content.h"

namespace bolt {
namespace {

using base::Code;

constexpr std::string_view kKeys = "key";

struct Asked {
  std::int64_t revision = 0, compact_revision = 0;
};

// Only where a record may be left out; the first one says whether there is any.
base::Result<std::optional<LiveRecords>> live_records(const Database& database, const Asked& asked,
                                                      const SipKey& sip) {
  LiveRecords live(sip);
  bool first = true;
  bool needed = true;
  const auto walked =
      database.walk(kKeys, [&](std::string_view key, std::string_view value) -> base::Status {
        TRY(const auto record, parse_record(key, value));
        if (first && record.revision.main > asked.compact_revision) needed = false;
        first = false;
        if (!needed || record.revision.main > asked.revision)
          return base::fail(Code::kCancelled, "seen enough");
        return live.add(record.key, record.tombstone);
      });
  if (!walked && walked.error().code != Code::kCancelled) return std::unexpected(walked.error());
  if (!needed || first) return std::nullopt;
  live.settle();
  return live;
}

}  // namespace

KeyHasher::KeyHasher(std::int64_t compact_revision, const LiveRecords* live)
    : compact_revision_(compact_revision),
      // Where nothing is alive etcd leaves nothing out.
      live_(live != nullptr && live->count() > 0 ? live : nullptr),
      hash_(base::crc32c(kKeys)) {}

void KeyHasher::add(const Revision& revision, bool tombstone, std::string_view key,
                    std::string_view value) {
  const std::uint64_t record = record_++;
  if (live_ != nullptr && revision.main <= compact_revision_ && !live_->live(record)) return;
  if (tombstone && revision.main == compact_revision_) return;
  hash_ = base::crc32c(value, base::crc32c(key, hash_));
}

base::Result<HashKv> hash_kv(const Database& database, const HashQuestion& question) {
  Content content;
  TRY_OK(database.walk("meta", [&](std::string_view key, std::string_view value) {
    return read_item("meta", key, value, content);
  }));
  const std::int64_t own = content.compact_revision();
  HashKv out;
  out.compact_revision = question.compact_revision.value_or(own > 0 ? own : -1);
  if (out.compact_revision < own && own > 0)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("the file is compacted at {}, and the question is of {}", own,
                                  out.compact_revision));
  if (question.revision && *question.revision < own)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("revision {} is gone: compacted at {}", *question.revision, own));
  const Asked asked{question.revision.value_or(std::numeric_limits<std::int64_t>::max()),
                    out.compact_revision};
  TRY(const auto live, live_records(database, asked, question.sip));

  KeyHasher hasher(out.compact_revision, live ? &*live : nullptr);
  std::int64_t newest = 0;
  TRY_OK(database.walk(kKeys, [&](std::string_view key, std::string_view value) -> base::Status {
    bool tombstone = false;
    TRY(const auto revision, parse_revision(key, tombstone));
    newest = revision.main;
    if (revision.main <= asked.revision) hasher.add(revision, tombstone, key, value);
    return {};
  }));
  newest = std::max({newest, own, std::int64_t{1}});
  if (question.revision && *question.revision > newest)
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("revision {} is not there: the newest is {}", *question.revision, newest));
  out.revision = question.revision.value_or(newest);
  out.hash = hasher.hash();
  return out;
}

}  // namespace bolt
