#include "archive/drill.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "archive/catalog.h"
#include "archive/fetch.h"
#include "archive/snapshot.h"
#include "archive/trouble.h"
#include "base/text.h"
#include "etcd/bolt/hashkv.h"
#include "pki/random.h"
#include "posix/files.h"
#include "posix/lock.h"
#include "posix/wakeup.h"

namespace archive {
namespace {

using base::Code;

constexpr base::Duration kAsk{2'000}, kPause{50};
constexpr std::uint64_t kLog = std::uint64_t{128} << 20;  // of a new member, before it holds much

class Drill {
 public:
  Drill(const DrillJob& job, const World& world, OfflineEtcd& etcd)
      : job_(job),
        world_(world),
        etcd_(etcd),
        shelf_(*world.store, root_of(job.common.cluster, job.common.direct)),
        room_(job.common.scratch + "/drill"),
        begun_(world.clock->tick()),
        deadline_(begun_ + job.common.deadline) {}

  Outcome<DrillReport> rehearse() {
    TRY_OK(posix::make_dirs(job_.common.scratch));
    const auto lock = posix::FileLock::try_lock(job_.common.scratch + "/lock");
    if (!lock && lock.error().code == Code::kFailedPrecondition)
      return trouble(kind::kBusy, "another job works in " + job_.common.scratch);
    if (!lock) return std::unexpected(lock.error());
    TRY_OK(posix::remove_tree(room_));  // of one that was killed
    TRY(const auto catalog, read_catalog(shelf_, {}, call()));
    if (catalog.entries.empty()) return DrillReport{.outcome = DrillOutcome::kEmpty};
    const auto* entry = choose(catalog);
    if (entry == nullptr && !job_.name.empty())
      return trouble(kind::kNotFound,
                     fmt::format("{} holds no backup {}", shelf_.where(), job_.name));
    if (entry == nullptr) return none_good(catalog);
    report_.name = entry->name.text();
    report_.revision = entry->name.revision;
    report_.taken = entry->time;
    report_.etcd_version = job_.programs.version;
    if (proven_already(*entry)) return report_;
    auto judged = judge(*entry);
    etcd_.stop();
    const auto cleaned = posix::remove_tree(room_);
    if (judged) judged = note(*entry, Part::kProven, "");
    if (!judged && judged.error().kind == kind::kMismatch) return found_bad(*entry, judged.error());
    if (!judged) return std::unexpected(judged.error());
    if (!cleaned) report_.warning = "scratch was not cleaned: " + cleaned.error().message;
    report_.outcome = DrillOutcome::kProven;
    return ended();
  }
  [[nodiscard]] DrillReport ended() {
    report_.seconds =
        std::chrono::duration_cast<std::chrono::seconds>(world_.clock->tick() - begun_).count();
    return report_;
  }

 private:
  [[nodiscard]] objstore::Call call() const { return world_.call(deadline_); }
  [[nodiscard]] base::Duration left() const { return world_.left(deadline_); }

  // The newest that nobody found damaged: known ones are replaced by a new backup, not by a word.
  const Entry* choose(const Catalog& catalog) {
    unsigned passed = 0;
    for (const auto& entry : catalog.entries) {
      const bool wanted = job_.name.empty() ? !entry.bad : entry.name.text() == job_.name;
      if (wanted) {
        if (job_.name.empty() && passed > 0)
          report_.warning = fmt::format("{} newer backups are known to be damaged", passed);
        return &entry;
      }
      ++passed;
    }
    return nullptr;
  }

  DrillReport none_good(const Catalog& catalog) {
    const auto& newest = catalog.entries.front();
    report_.outcome = DrillOutcome::kBad;
    report_.name = newest.name.text();
    report_.revision = newest.name.revision;
    report_.error = fmt::format("{}: each of {} backups is known to be damaged", shelf_.where(),
                                catalog.entries.size());
    report_.error_kind = kind::kNoneGood;
    return ended();
  }

  bool proven_already(const Entry& entry) {
    if (!job_.not_before || !entry.proven) return false;
    const auto mark = read_mark(shelf_, entry.name, Part::kProven, call());
    if (!mark || mark->time < *job_.not_before) return false;
    report_.outcome = DrillOutcome::kProven;
    report_.time = mark->time;
    report_.keys = entry.manifest->keys;
    report_.etcd_version = mark->etcd_version;
    return true;
  }

  // Trouble mismatch: it is damaged, or holds something else.
  Outcome<void> judge(const Entry& entry) {
    TRY(const auto fetched, fetch_sure(entry));
    world_.pass("drill.fetched");
    const auto restored = etcd_.restore(fetched.file.path(), room_, left(), world_.stop);
    if (!restored) return of_etcd(restored.error());
    world_.pass("drill.restored");
    auto served = etcd_.start(room_, left());
    if (!served) return of_etcd(served.error());
    world_.pass("drill.started");
    TRY(const bool told, compare_served(**served, fetched));
    etcd_.stop();
    TRY_OK(compare_left(fetched, /*hash=*/!told));
    world_.pass("drill.compared");
    report_.keys = fetched.facts.live_keys;
    return {};
  }

  // A store may give wrong bytes once; a mark is for ever.
  Outcome<Fetched> fetch_sure(const Entry& entry) {
    const auto& scratch = job_.common.scratch;
    if (entry.manifest) {
      TRY(const auto free, posix::free_bytes(scratch));
      const auto need = 2 * entry.manifest->snapshot.size_bytes + kLog;
      if (free < need)
        return trouble(kind::kFull, fmt::format("{}: {} bytes are free; the drill needs {}",
                                                scratch, free, need));
    }
    auto fetched = fetch_judged(shelf_, entry, scratch, world_.key, call());
    if (fetched || fetched.error().kind != kind::kMismatch) return fetched;
    TRY(const auto catalog, read_life(shelf_, entry.name.incarnation, call()));
    const auto again = std::ranges::find(catalog.entries, entry.name, &Entry::name);
    if (again == catalog.entries.end())
      return trouble(kind::kUnavailable, entry.name.text() + " was removed meanwhile");
    return fetch_judged(shelf_, *again, scratch, world_.key, call());
  }

  // It says nothing about the backup.
  [[nodiscard]] std::unexpected<Trouble> of_etcd(const base::Error& error) const {
    if (error.code == Code::kResourceExhausted) return trouble(kind::kFull, error.message);
    if (world_.stop.stop_requested()) return trouble(kind::kUnavailable, "it was asked to stop");
    return trouble(kind::kEtcd, error.message);
  }

  // Of a cluster with users only its root may ask most things; then the status may be none.
  Outcome<std::optional<etcd::MemberStatus>> wait_served(etcd::EtcdApi& api) {
    for (;;) {
      const auto status = api.status(std::min(kAsk, left()));
      if (status && status->leader.value != 0) return *status;
      if (!status && status.error().code == Code::kPermissionDenied)
        return std::optional<etcd::MemberStatus>();
      if (const auto end = etcd_.ended())
        return trouble(kind::kEtcd, fmt::format("etcd {} made of {} {}", job_.programs.version,
                                                report_.name, *end));
      if (world_.stop.stop_requested()) return trouble(kind::kUnavailable, "it was asked to stop");
      if (left() <= base::Duration(0))
        return trouble(kind::kEtcd,
                       fmt::format("etcd {} did not serve in time: {}", job_.programs.version,
                                   status ? "it has no leader" : status.error().message));
      static_cast<void>(posix::poll_until({}, posix::deadline_in(kPause), world_.stop));
    }
  }

  // Whether the HashKV that etcd told could be compared.
  Outcome<bool> compare_served(etcd::EtcdApi& api, const Fetched& fetched) {
    const auto& facts = fetched.facts;
    TRY(const auto status, wait_served(api));
    // Leases may end at once, and take their keys with them.
    if (status && (status->revision < facts.revision ||
                   (status->revision > facts.revision && facts.content.leases == 0)))
      return trouble(kind::kMismatch, fmt::format("etcd made of it is at revision {}, not {}",
                                                  status->revision, facts.revision));
    const auto told = api.hash_kv(facts.revision, left());
    if (!told &&
        (told.error().code == Code::kPermissionDenied || told.error().code == Code::kNotFound))
      return false;
    if (!told) return of_etcd(told.error().in("HashKV"));
    auto ours = *facts.hash;
    if (told->compact_revision != ours.compact_revision) {
      const ScratchSource source(fetched.file);
      const auto hash = hash_of(source, facts.database_bytes, told->compact_revision);
      if (!hash && hash.error().code == Code::kFailedPrecondition) return false;
      if (!hash) return std::unexpected(Trouble(hash.error()));
      ours = *hash;
    }
    if (told->hash == ours.hash) return true;
    return trouble(kind::kMismatch,
                   fmt::format("etcd made of it has the hash {} at revision {}, the backup {}",
                               told->hash, facts.revision, ours.hash));
  }

  Outcome<void> compare_left(const Fetched& fetched, bool hash) {
    const auto& facts = fetched.facts;
    const auto file = bolt::FileSource::open(room_ + "/data/member/snap/db");
    if (!file) return of_etcd(file.error());
    const auto left = bolt::verify(*file, {.trailer_required = false, .hash_kv = false});
    if (!left) return of_etcd(left.error().in("what etcd left"));
    if (left->revision < facts.revision ||
        (left->revision == facts.revision && left->live_keys != facts.live_keys))
      return trouble(kind::kMismatch,
                     fmt::format("etcd made of it left {} keys at revision {}, not {} at {}",
                                 left->live_keys, left->revision, facts.live_keys, facts.revision));
    if (!hash) return {};
    const auto compacted = facts.hash->compact_revision;
    const auto is = hash_of(*file, left->database_bytes, compacted, facts.revision);
    if (!is) return of_etcd(is.error().in("what etcd left"));
    if (is->hash == facts.hash->hash) return {};
    return trouble(kind::kMismatch, fmt::format("etcd made of it left the hash {}, not {}",
                                                is->hash, facts.hash->hash));
  }

  static base::Result<bolt::HashKv> hash_of(const bolt::Source& source, std::uint64_t bytes,
                                            std::int64_t compact_revision,
                                            std::optional<std::int64_t> revision = {}) {
    TRY(const auto database, bolt::Database::open(source, bytes));
    TRY(const auto random, pki::random_bytes(16));
    return bolt::hash_kv(database, {.revision = revision,
                                    .compact_revision = compact_revision,
                                    .sip = {.low = bolt::load<std::uint64_t>(random, 0),
                                            .high = bolt::load<std::uint64_t>(random, 8)}});
  }

  // Believed when the store shows it.
  Outcome<void> note(const Entry& entry, Part part, const std::string& why) {
    const Mark mark{.time = world_.clock->now(),
                    .by = "drill",
                    .why = why,
                    .etcd_version = part == Part::kProven ? job_.programs.version : ""};
    world_.pass("mark.before");
    const auto put = put_mark(shelf_, entry.name, part, mark, call());
    world_.pass("mark.after");
    const auto there = read_mark(shelf_, entry.name, part, call());
    if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
    if (there && there->by == mark.by && there->why == mark.why) {
      report_.time = there->time;
      return {};
    }
    if (!put) return std::unexpected(put.error());
    return trouble(kind::kUnavailable, shelf_.key(entry.name, part) +
                                           ": the store said that it has it, and does not give it");
  }

  Outcome<DrillReport> found_bad(const Entry& entry, const Trouble& why) {
    const auto noted = note(entry, Part::kBad, why.error.message);
    if (!noted)
      return trouble(noted.error().kind,
                     fmt::format("{} ({}), and it could not be marked so: {}", report_.name,
                                 why.error.message, noted.error().error.message));
    report_.outcome = DrillOutcome::kBad;
    report_.error = why.error.message;
    report_.error_kind = why.kind;
    return ended();
  }

  const DrillJob& job_;
  const World& world_;
  OfflineEtcd& etcd_;
  const Shelf shelf_;
  const std::string room_;
  const base::Tick begun_, deadline_;
  DrillReport report_;
};

}  // namespace

DrillReport drill(const DrillJob& job, const World& world, OfflineEtcd& etcd) {
  Drill work(job, world, etcd);
  auto report = work.rehearse();
  if (report) return *std::move(report);
  auto failed = work.ended();
  failed.outcome = DrillOutcome::kFailed;
  failed.error = report.error().error.message;
  failed.error_kind = report.error().kind;
  return failed;
}

}  // namespace archive
