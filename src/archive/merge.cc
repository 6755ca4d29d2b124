#include "archive/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "archive/bump.h"
#include "archive/lease_value.h"
#include "etcd/bolt/live.h"
#include "etcd/bolt/page.h"
#include "etcd/bolt/record.h"
#include "pki/random.h"

namespace archive {
namespace {

using base::Code;

constexpr size_t kMostMeta = 1000;  // etcd has six

base::Result<bolt::SipKey> sip_key() {
  TRY(const auto bytes, pki::random_bytes(16));
  return bolt::SipKey{.low = bolt::load<std::uint64_t>(bytes, 0),
                      .high = bolt::load<std::uint64_t>(bytes, 8)};
}

class Merge {
 public:
  Merge(const bolt::Database& base, const bolt::SnapshotFacts& facts, const RecordSource& log,
        const MergeQuestion& question)
      : base_(base), facts_(facts), log_(log), question_(question) {}

  base::Result<Merged> write(const bolt::ByteSink& out) {
    if (question_.revision < facts_.revision)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("revision {} is before the backup's, {}", question_.revision,
                                    facts_.revision));
    if (question_.revision > std::numeric_limits<std::int64_t>::max() / 2 - kBump)
      return base::fail(Code::kDataLoss, "its revision is too high to be raised");
    TRY_OK(look());
    merged_.revision = question_.exact ? question_.revision : question_.revision + kBump;
    TRY_OK(bolt::write_database([this](bolt::Items& items) { return contents(items); }, out));
    merged_.unknown_leases = unknown_.size();
    return merged_;
  }

 private:
  using Seen = std::function<base::Status(const bolt::Record&, const LogRecord&)>;

  // The records between the backup and the question, none of them missing. What a frame learnt of
  // leases stands behind all of its keys, so of what is later the leases alone are given.
  base::Status history(const Seen& seen, const RecordSink& lease) const {
    std::int64_t at = facts_.revision;
    TRY_OK(log_([&](const LogRecord& record) -> base::Status {
      if (record.lease()) return lease(record);
      TRY(const auto parsed, bolt::parse_record(record.key, record.value));
      const auto main = parsed.revision.main;
      if (main <= facts_.revision || main > question_.revision) return {};
      if (main > at + 1)
        return base::fail(Code::kDataLoss,
                          fmt::format("gap: revision {} is followed by {}", at, main));
      at = main;
      return seen(parsed, record);
    }));
    if (at != question_.revision)
      return base::fail(Code::kDataLoss, fmt::format("gap: the log ends at revision {}, and {} "
                                                     "was asked for",
                                                     at, question_.revision));
    return {};
  }

  // Which leases there must be and, where history is dropped, which records stay.
  base::Status look() {
    TRY_OK(base_.walk("lease", [&](std::string_view key, std::string_view value) -> base::Status {
      TRY(const auto lease, bolt::parse_lease(key, value));
      in_base_.insert(lease.id);
      return {};
    }));
    if (!question_.exact) TRY_OK(look_at_base());
    std::set<std::int64_t> named;
    TRY_OK(history(
        [&](const bolt::Record& record, const LogRecord&) -> base::Status {
          if (record.lease != 0) named.insert(record.lease);
          return live_ ? live_->add(record.key, record.tombstone) : base::Status();
        },
        [&](const LogRecord& record) -> base::Status {
          TRY(const auto lease, bolt::parse_lease(record.key, record.value));
          leases_.insert_or_assign(lease.id, std::string(record.value));
          return {};
        }));
    if (live_) live_->settle();
    std::erase_if(leases_, [&](const auto& lease) { return !named.contains(lease.first); });
    for (const auto id : named)
      if (!leases_.contains(id) && !in_base_.contains(id)) unknown_.insert(id);
    for (const auto id : unknown_) leases_[id] = lease_value(id, question_.fallback_ttl.count());
    return {};
  }

  base::Status look_at_base() {
    TRY(const auto sip, sip_key());
    live_.emplace(sip);
    return base_.walk("key", [&](std::string_view key, std::string_view value) -> base::Status {
      TRY(const auto record, bolt::parse_record(key, value));
      return record.raised ? base::Status() : live_->add(record.key, record.tombstone);
    });
  }

  base::Status contents(bolt::Items& items) {
    auto pages = base_.no_pages();
    bool has_meta = false;
    TRY(const auto buckets, base_.buckets(pages));
    for (const auto& bucket : buckets) {
      TRY_OK(items.bucket(bucket.name));
      if (bucket.name == "alarm") continue;
      if (bucket.name == "key") {
        TRY_OK(keys(bucket, pages, items));
      } else if (bucket.name == "lease") {
        TRY_OK(leases(bucket, pages, items));
      } else if (bucket.name == "meta" && !question_.exact) {
        has_meta = true;
        TRY_OK(raised_meta(bucket, pages, items));
      } else {
        has_meta = has_meta || bucket.name == "meta";
        TRY_OK(base_.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
          return items.item(key, value);
        }));
      }
    }
    return has_meta ? base::Status() : base::fail(Code::kDataLoss, "it has no bucket meta");
  }

  base::Status keys(const bolt::Bucket& bucket, bolt::PageSet& pages, bolt::Items& items) {
    std::uint64_t at = 0;  // of the records that were looked at
    merged_.keys = merged_.records = merged_.log_records = 0;
    const auto take = [&](std::string_view key, std::string_view value) {
      if (live_ && !live_->live(at++)) return base::Status();
      if (live_) ++merged_.keys;
      ++merged_.records;
      return items.item(key, value);
    };
    TRY_OK(base_.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
      // What etcdutl writes to raise a revision is no key's.
      if (live_ && value.empty()) return base::Status();
      return take(key, value);
    }));
    const auto of_base = merged_.records;
    TRY_OK(history([&](const bolt::Record&,
                       const LogRecord& record) { return take(record.key, record.value); },
                   [](const LogRecord&) { return base::Status(); }));
    merged_.log_records = merged_.records - of_base;
    return {};
  }

  // Both lists by id; what the log says is newer. The order is that of the keys' bytes.
  base::Status leases(const bolt::Bucket& bucket, bolt::PageSet& pages, bolt::Items& items) const {
    std::map<std::string, std::string_view, std::less<>> more;
    for (const auto& [id, value] : leases_) {
      std::string key;
      bolt::append_big(key, static_cast<std::uint64_t>(id));
      more.emplace(std::move(key), value);
    }
    auto next = more.begin();
    TRY_OK(base_.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
      for (; next != more.end() && next->first < key; ++next)
        if (auto put = items.item(next->first, next->second); !put) return put;
      if (next == more.end() || next->first != key) return items.item(key, value);
      const auto newer = (next++)->second;
      return items.item(key, newer);
    }));
    for (; next != more.end(); ++next) TRY_OK(items.item(next->first, next->second));
    return {};
  }

  // With the marks of a compaction that has ended.
  base::Status raised_meta(const bolt::Bucket& bucket, bolt::PageSet& pages,
                           bolt::Items& out) const {
    std::map<std::string, std::string, std::less<>> items;
    TRY_OK(base_.walk(bucket, pages, [&](std::string_view key, std::string_view value) {
      if (items.size() >= kMostMeta)
        return base::Status(base::fail(Code::kDataLoss, "bucket meta has too many items"));
      items.emplace(key, value);
      return base::Status();
    }));
    // Both: 3.5.12 takes its revision from the finished one alone.
    for (const auto* name : {"finishedCompactRev", "scheduledCompactRev"})
      items.insert_or_assign(name, bolt::revision_key({.main = merged_.revision, .sub = 0}, false));
    for (const auto& [key, value] : items) TRY_OK(out.item(key, value));
    return {};
  }

  const bolt::Database& base_;
  const bolt::SnapshotFacts& facts_;
  const RecordSource& log_;
  const MergeQuestion& question_;
  std::set<std::int64_t> in_base_, unknown_;
  std::map<std::int64_t, std::string> leases_;  // that are written beside the base's
  std::optional<bolt::LiveRecords> live_;       // none: all records stay
  Merged merged_;
};

}  // namespace

base::Result<Merged> merge(const bolt::Database& base, const bolt::SnapshotFacts& facts,
                           const RecordSource& log, const MergeQuestion& question,
                           const bolt::ByteSink& out) {
  return Merge(base, facts, log, question).write(out);
}

base::Result<Bumped> write_bumped(const bolt::Database& database, const bolt::SnapshotFacts& facts,
                                  const bolt::ByteSink& out) {
  const auto nothing = [](const RecordSink&) { return base::Status(); };
  TRY(const auto merged, merge(database, facts, nothing, {.revision = facts.revision}, out));
  return Bumped{.revision = merged.revision, .keys = merged.keys};
}

}  // namespace archive
