#include "archive/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "archive/bump.h"
#include "archive/latest.h"
#include "archive/merged_file.h"
#include "archive/point.h"
#include "archive/seal.h"
#include "archive/snapshot.h"
#include "archive/upload.h"
#include "base/mutants.h"
#include "etcd/bolt/hashkv.h"
#include "etcd/bolt/live.h"
#include "etcd/bolt/record.h"
#include "pki/random.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/writer.h"

namespace archive {
namespace {

using base::Code;

constexpr size_t kPiece = size_t{1} << 20;
constexpr std::string_view kFoundBad = "it was found damaged before";

struct Keys {
  std::uint64_t count = 0;
  std::uint32_t hash = 0;
};
// Those of the users, at the newest revision and without history. What etcdutl writes to raise the
// revision of a cluster that is brought back is for etcd a key with no name; it is not counted, as
// it is not written anew.
base::Result<Keys> own_keys(const bolt::Database& database, std::int64_t revision) {
  TRY(const auto random, pki::random_bytes(16));
  bolt::LiveRecords live(
      {.low = bolt::load<std::uint64_t>(random, 0), .high = bolt::load<std::uint64_t>(random, 8)});
  TRY_OK(database.walk("key", [&](std::string_view key, std::string_view value) {
    const auto record = bolt::parse_record(key, value);
    if (!record) return base::Status(std::unexpected(record.error()));
    return record->raised ? base::Status() : live.add(record->key, record->tombstone);
  }));
  live.settle();
  bolt::KeyHasher hasher(revision, &live);
  TRY_OK(database.walk("key", [&](std::string_view key, std::string_view value) -> base::Status {
    bool tombstone = false;
    TRY(const auto at, bolt::parse_revision(key, tombstone));
    if (tombstone || !value.empty()) hasher.add(at, tombstone, key, value);
    return {};
  }));
  return Keys{.count = live.count(), .hash = hasher.hash()};
}

class Fetch {
 public:
  Fetch(const FetchJob& job, const World& world)
      : job_(job),
        world_(world),
        shelf_(*world.store, root_of(job.common.cluster, job.common.direct)),
        deadline_(world.clock->tick() + job.common.deadline) {}

  Outcome<FetchReport> bring() {
    TRY_OK(posix::make_dirs(job_.common.scratch));
    const auto lock = posix::FileLock::try_lock(job_.common.scratch + "/lock");
    if (!lock && lock.error().code == Code::kFailedPrecondition)
      return trouble(kind::kBusy, "another job works in " + job_.common.scratch);
    if (!lock) return std::unexpected(lock.error());
    TRY(auto catalog, read_catalog(shelf_, {}, call()));
    if (base::mutant(base::Mutant::kOldestBackup)) std::ranges::reverse(catalog.entries);
    if (asks_for_point(job_)) return fetch_point(job_, shelf_, catalog, world_, deadline_);
    if (!job_.name.empty()) return certain(catalog);
    if (!job_.incarnation.empty())
      std::erase_if(catalog.entries,
                    [&](const Entry& e) { return e.name.incarnation.text != job_.incarnation; });
    if (catalog.entries.empty()) {
      auto report = nothing(catalog);
      if (job_.latest) TRY_OK(name_lives_without_a_backup({}, report));
      return report;
    }
    for (const auto& entry : catalog.entries) {
      if (entry.bad) {
        skipped_.push_back({entry.name.text(), std::string(kFoundBad)});
        continue;
      }
      auto brought = try_one(entry);
      if (brought || brought.error().kind != kind::kMismatch) return brought;
      skipped_.push_back({entry.name.text(), brought.error().error.message});
    }
    // Better than nothing, if it reads as good now.
    for (const auto& entry : catalog.entries) {
      if (!entry.bad) continue;
      auto brought = try_one(entry);
      if (brought || brought.error().kind != kind::kMismatch) return brought;
    }
    return trouble(kind::kNoneGood,
                   fmt::format("{}: none of {} backups is good; the newest: {}", shelf_.where(),
                               skipped_.size(), skipped_.front().why));
  }
  [[nodiscard]] const std::vector<Skipped>& skipped() const { return skipped_; }

 private:
  [[nodiscard]] objstore::Call call() const { return world_.call(deadline_); }

  [[nodiscard]] static FetchReport nothing(const Catalog& catalog) {
    FetchReport report{.outcome = FetchOutcome::kEmpty};
    if (!catalog.leftovers.empty() || catalog.foreign > 0)
      report.warning =
          fmt::format("no backup, but {} parts of unfinished ones and {} objects of others",
                      catalog.leftovers.size(), catalog.foreign);
    return report;
  }

  Outcome<FetchReport> certain(const Catalog& catalog) {
    const auto at = std::ranges::find_if(
        catalog.entries, [&](const Entry& e) { return e.name.text() == job_.name; });
    if (at == catalog.entries.end())
      return trouble(kind::kNotFound,
                     fmt::format("{} holds no backup {}", shelf_.where(), job_.name));
    return try_one(*at);
  }

  // Trouble mismatch: this one is damaged, whatever the others are.
  Outcome<FetchReport> try_one(const Entry& entry) {
    TRY(const auto fetched, fetch_judged(shelf_, entry, job_.common.scratch, world_.key, call()));
    FetchReport report{.outcome = FetchOutcome::kFetched,
                       .name = entry.name.text(),
                       .incarnation = entry.name.incarnation.text,
                       .revision = entry.name.revision,
                       .time = entry.time,
                       .etcd_version = entry.manifest->etcd_version};
    bool written = false;
    if (job_.latest) {
      TRY(written,
          write_latest(job_, shelf_, entry, fetched, world_, [this] { return call(); }, report));
      TRY_OK(name_lives_without_a_backup(entry.name.incarnation, report));
    }
    if (!written) TRY_OK(job_.exact ? write_exact(fetched, report) : write_raised(fetched, report));
    report.skipped = skipped_;
    std::erase_if(report.skipped, [&](const Skipped& s) { return s.name == report.name; });
    if (entry.bad) note(report, fmt::format("{}: {}", report.name, kFoundBad));
    return report;
  }

  // Of a newer life: its log alone is of no use, and that it was there is not left unsaid.
  Outcome<void> name_lives_without_a_backup(const Incarnation& taken, FetchReport& report) {
    TRY(const auto lives, logged_incarnations(shelf_, call()));
    for (const auto& life : lives)
      if (life > taken)
        note(report, fmt::format("{} has a log and no backup that is good: nothing of it is "
                                 "brought back",
                                 life.text));
    return {};
  }

  Outcome<void> write_exact(const Fetched& fetched, FetchReport& report) {
    TRY(auto file, posix::FileWriter::create(job_.to));
    std::string piece;
    for (std::uint64_t at = 0; at < fetched.file.size(); at += piece.size()) {
      piece.resize(std::min<std::uint64_t>(kPiece, fetched.file.size() - at));
      TRY_OK(fetched.file.read(at, std::span(piece.data(), piece.size())));
      TRY_OK(file.append(piece));
    }
    report.starts_at = fetched.facts.revision;
    report.hash = fetched.facts.hash->hash;
    report.keys = fetched.facts.live_keys;
    return finish(file);
  }

  // The file is judged again, and its hash is that of the backup's keys.
  Outcome<void> write_raised(const Fetched& fetched, FetchReport& report) {
    const ScratchSource source(fetched.file);
    TRY(const auto database, bolt::Database::open(source, fetched.facts.database_bytes));
    TRY(auto file, posix::FileWriter::create(job_.to));
    TRY(const auto bumped, write_bumped(database, fetched.facts, [&](std::string_view bytes) {
          return file.append(bytes);
        }));
    TRY(const auto written, bolt::FileSource::open(job_.to + ".partial"));
    auto facts = bolt::verify(written);
    if (!facts) return std::unexpected(ours(facts.error().message));
    TRY(const auto same, own_keys(database, fetched.facts.revision));
    if (facts->revision != bumped.revision || facts->live_keys != same.count ||
        (facts->live_keys > 0 && facts->hash->hash != same.hash))
      return std::unexpected(
          ours(fmt::format("{} keys with the hash {} at revision {} became {} "
                           "keys with the hash {} at revision {}",
                           same.count, same.hash, fetched.facts.revision, facts->live_keys,
                           facts->hash->hash, facts->revision)));
    report.starts_at = facts->revision;
    report.hash = facts->hash->hash;
    report.keys = facts->live_keys;
    return finish(file);
  }

  static Trouble ours(const std::string& what) {
    return {kind::kInternal,
            base::Error{Code::kInternal, "what was written anew is not it: " + what}};
  }

  Outcome<void> finish(posix::FileWriter& file) {
    world_.pass("fetched.before");
    TRY_OK(file.finish());
    world_.pass("fetched.after");
    return {};
  }

  const FetchJob& job_;
  const World& world_;
  const Shelf shelf_;
  const base::Tick deadline_;
  std::vector<Skipped> skipped_;
};

}  // namespace

base::Result<Fetched> fetch_one(const Shelf& shelf, const Entry& entry, const std::string& scratch,
                                const Key* key, const objstore::Call& call) {
  const auto& manifest = *entry.manifest;
  TRY(auto file, posix::ScratchFile::create(scratch));
  TRY_OK(download(
      shelf, manifest, key, [&](std::string_view bytes) { return file.append(bytes); }, call));
  const ScratchSource source(file);
  TRY(auto facts, bolt::verify(source));
  if (facts.revision != manifest.name.revision || facts.hash->hash != manifest.hash ||
      facts.live_keys != manifest.keys)
    return base::fail(Code::kDataLoss,
                      fmt::format("its snapshot has {} keys with the hash {} at revision {}; its "
                                  "manifest says {}, {} and {}",
                                  facts.live_keys, facts.hash->hash, facts.revision, manifest.keys,
                                  manifest.hash, manifest.name.revision));
  return Fetched{.file = std::move(file), .facts = std::move(facts)};
}

Outcome<Fetched> fetch_judged(const Shelf& shelf, const Entry& entry, const std::string& scratch,
                              const Key* key, const objstore::Call& call) {
  // Not damaged: it may be the best one, so nobody takes an older one instead unasked.
  if (entry.newer) return trouble(kind::kNewer, entry.name.text() + ": " + entry.why);
  if (!entry.manifest) return trouble(kind::kMismatch, entry.why);
  if (entry.size_bytes != entry.manifest->data.size_bytes)
    return trouble(kind::kMismatch, entry.why);
  if (const auto fits = check_key(*entry.manifest, key); !fits)
    return std::unexpected(
        Trouble(fits.error().code == Code::kUnimplemented ? kind::kNewer : kind::kKey,
                fits.error().in(entry.name.text())));
  auto fetched = fetch_one(shelf, entry, scratch, key, call);
  if (!fetched && fetched.error().code == Code::kNotFound)
    return trouble(kind::kMismatch, fetched.error().message);
  if (!fetched) return std::unexpected(fetched.error());
  return *std::move(fetched);
}

FetchReport fetch(const FetchJob& job, const World& world) {
  Fetch work(job, world);
  auto report = work.bring();
  if (report) return *std::move(report);
  return {.outcome = FetchOutcome::kFailed,
          .skipped = work.skipped(),
          .error = report.error().error.message,
          .error_kind = report.error().kind};
}

}  // namespace archive
