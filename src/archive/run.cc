#include "archive/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "archive/catalog.h"
#include "archive/log_prune.h"
#include "archive/prune.h"
#include "archive/snapshot.h"
#include "archive/upload.h"
#include "posix/files.h"
#include "posix/lock.h"

namespace archive {
namespace {

constexpr base::Duration kAskAuth{5'000};

class Run {
 public:
  Run(const RunJob& job, const World& world)
      : job_(job),
        world_(world),
        incarnation_(*Incarnation::parse(job.incarnation)),
        shelf_(*world.store, root_of(job.common.cluster, job.common.direct)),
        deadline_(world.clock->tick() + job.common.deadline) {}

  Outcome<RunReport> backup() {
    TRY_OK(posix::make_dirs(job_.common.scratch));
    const auto lock = posix::FileLock::try_lock(job_.common.scratch + "/lock");
    if (!lock && lock.error().code == base::Code::kFailedPrecondition)
      return trouble(kind::kBusy, "another job works in " + job_.common.scratch);
    if (!lock) return std::unexpected(lock.error());
    TRY(const auto catalog, read_catalog(shelf_, incarnation_, call()));
    if (auto done = finished_already(catalog)) return *done;
    sweep(catalog);
    const auto begun = world_.clock->now();
    TRY(const auto members, look(job_.endpoints, world_, deadline_));
    TRY_OK(check_owner(catalog, members.cluster_id));
    if (job_.last_revision == members.revision)
      if (auto same = unchanged(catalog, members.revision, users_of(members))) return *same;
    TRY(const auto snapshot, take_snapshot(members, job_.common.scratch, world_, deadline_));
    if (auto same =
            unchanged(catalog, snapshot.facts.revision,
                      {snapshot.facts.content.auth_revision, snapshot.facts.content.auth_enabled}))
      return *same;
    note(snapshot.warning);
    note_going_back(catalog, snapshot.facts.revision);
    const auto manifest = describe(snapshot, members.cluster_id, begun);
    TRY(const auto written, upload(shelf_, snapshot, manifest, world_, deadline_));
    RunReport report{.outcome = RunOutcome::kUploaded,
                     .name = written.name.text(),
                     .revision = written.name.revision,
                     .time = written.time,
                     .size_bytes = written.data.size_bytes,
                     .verified = true,
                     .hash_of_member = written.hash_of_member};
    keep_what_is_wanted(written.name, report);
    report.warning = std::move(warning_);
    return report;
  }

 private:
  [[nodiscard]] objstore::Call call() const { return world_.call(deadline_); }
  void note(std::string_view what) {
    if (what.empty()) return;
    if (!warning_.empty()) warning_ += "; ";
    warning_ += what;
  }
  // Of this incarnation.
  template <class Wanted>
  const Entry* find(const Catalog& catalog, const Wanted& wanted) const {
    const Entry* last = nullptr;
    for (const auto& entry : catalog.entries)
      if (entry.name.incarnation == incarnation_ && entry.verified && wanted(entry) &&
          (last == nullptr || last->time < entry.time))
        last = &entry;
    return last;
  }
  static RunReport adopted(RunOutcome outcome, const Entry& entry) {
    return {.outcome = outcome,
            .name = entry.name.text(),
            .revision = entry.name.revision,
            .time = entry.time,
            .size_bytes = entry.size_bytes,
            .verified = true,
            .hash_of_member = entry.manifest->hash_of_member};
  }

  // A job whose end nobody heard of, or one that was given out twice.
  std::optional<RunReport> finished_already(const Catalog& catalog) const {
    const auto* entry = find(catalog, [&](const Entry& e) {
      // One of a time to come is of a clock that was ahead: when it was taken is not known.
      return (job_.not_before && e.time >= *job_.not_before && e.time <= world_.clock->now()) ||
             (job_.epoch > 0 && e.manifest->epoch > job_.epoch);
    });
    if (entry == nullptr) return {};
    return adopted(RunOutcome::kNotDue, *entry);
  }

  // Not known before 3.5, or where this client may not ask.
  [[nodiscard]] UsersMark users_of(const Members& members) const {
    if (!world_.history) return {};
    const auto api = world_.history(members.usable.front().endpoint);
    const auto auth = api->auth(std::min(kAskAuth, world_.left(deadline_)));
    return auth ? UsersMark{auth->revision, auth->enabled} : UsersMark{};
  }

  // Users and roles change without the revision of keys.
  std::optional<RunReport> unchanged(const Catalog& catalog, std::int64_t revision,
                                     const UsersMark& users) const {
    if (job_.last_revision != revision) return {};
    // With another key it must be written anew, so that the old one can be given up.
    const auto wanted =
        world_.key == nullptr ? std::nullopt : std::optional(world_.key->encryption());
    const auto* entry = find(catalog, [&](const Entry& e) {
      return e.name.revision == revision && e.manifest->encryption == wanted &&
             !differ(e.manifest->users(), users);
    });
    if (entry == nullptr) return {};
    return adopted(RunOutcome::kUnchanged, *entry);
  }

  // One incarnation is of one cluster: backups of two would be taken for one history.
  [[nodiscard]] Outcome<void> check_owner(const Catalog& catalog,
                                          const std::string& cluster_id) const {
    for (const auto& entry : catalog.entries)
      if (entry.name.incarnation == incarnation_ && entry.manifest &&
          entry.manifest->cluster_id != cluster_id)
        return trouble(
            kind::kForeign,
            fmt::format("{}{} holds backups of the cluster {}; this one is {}: nothing "
                        "was written; a cluster of its own needs a place of its own",
                        shelf_.where(), incarnation_.text, entry.manifest->cluster_id, cluster_id));
    return {};
  }

  void note_going_back(const Catalog& catalog, std::int64_t revision) {
    const auto* above = find(catalog, [&](const Entry& e) { return e.name.revision > revision; });
    if (above != nullptr)
      note(fmt::format("the cluster is at revision {} and was at {} before: its data went back",
                       revision, above->name.revision));
  }

  // What killed jobs left. Its failure is no failure of the backup.
  void sweep(const Catalog& catalog) {
    const auto age = std::max<base::Duration>(std::chrono::hours(1), 2 * job_.common.deadline);
    const auto swept =
        sweep_leftovers(shelf_, catalog, world_.clock->now() - age, world_,
                        world_.call(world_.clock->tick() + world_.left(deadline_) / 4));
    if (!swept) note("clean-up: " + swept.error().message);
  }

  [[nodiscard]] Manifest describe(const Snapshot& snapshot, const std::string& cluster_id,
                                  base::Instant begun) const {
    const auto& facts = snapshot.facts;
    return {.name = {.incarnation = incarnation_,
                     .revision = facts.revision,
                     .time = std::chrono::floor<std::chrono::seconds>(begun),
                     .nonce = world_.nonce()},
            .cluster = job_.common.cluster,
            .epoch = job_.epoch,
            .time = begun,
            .taken = world_.clock->now(),
            .cluster_id = cluster_id,
            .member = snapshot.member,
            .etcd_version = snapshot.member_version,
            .compact_revision = facts.content.compact_revision(),
            .keys = facts.live_keys,
            .records = facts.records,
            .leases = facts.content.leases,
            .auth_enabled = facts.content.auth_enabled,
            .auth_revision = facts.content.auth_revision,
            .hash = facts.hash->hash,
            .hash_of_member = snapshot.hash_of_member,
            .hash_compact_revision = snapshot.hash_compact_revision,
            .snapshot = {},
            .data = {},
            .max_backups = job_.max_backups,
            .retention = job_.retention};
  }

  // The backup is there, whatever becomes of this.
  void keep_what_is_wanted(const Name& made, RunReport& report) {
    const Retention retention{.max_backups = job_.max_backups, .tiers = job_.retention};
    const auto pruned = prune(shelf_, incarnation_, retention, made, world_, call());
    report.pruned = pruned.removed;
    report.kept = pruned.kept;
    if (!pruned.problem.empty()) note("retention: " + pruned.problem);
    const auto log = prune_log(shelf_, incarnation_, world_, call());
    if (!log.problem.empty()) note("retention of the log: " + log.problem);
  }

  const RunJob& job_;
  const World& world_;
  const Incarnation incarnation_;
  const Shelf shelf_;
  const base::Tick deadline_;
  std::string warning_;
};

}  // namespace

RunReport run(const RunJob& job, const World& world) {
  auto report = Run(job, world).backup();
  if (report) return *std::move(report);
  return {.outcome = RunOutcome::kFailed,
          .error = report.error().error.message,
          .error_kind = report.error().kind};
}

}  // namespace archive
