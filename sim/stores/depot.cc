#include "sim/stores/depot.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "archive/catalog.h"
#include "archive/drill.h"
#include "archive/fetch.h"
#include "archive/run.h"
#include "archive/upload.h"
#include "base/text.h"
#include "drivers/jobs/jobs.h"
#include "etcd/bolt/source.h"
#include "plan/restore.h"
#include "posix/files.h"
#include "sim/stores/database.h"

namespace sim {
namespace {

using objstore::Trouble;
constexpr std::size_t kLargest = std::size_t{1} << 28U;
constexpr std::size_t kTrailer = 32;  // the check sum of a snapshot

objstore::Call in_time(const base::Clock& clock) {
  return {.deadline = clock.tick() + base::Duration(60'000)};
}

// etcd's own programs: they make of the file what it is.
class Offline final : public archive::OfflineEtcd {
 public:
  base::Status restore(const std::string& snapshot, const std::string& room, base::Duration,
                       const std::stop_token&) override {
    TRY(std::string bytes, posix::read_file(snapshot, kLargest));
    bytes.resize(bytes.size() - kTrailer);
    TRY_OK(posix::make_dirs(room + "/data/member/snap"));
    return posix::write_atomic(room + "/data/member/snap/db", bytes);
  }
  base::Result<std::unique_ptr<etcd::EtcdApi>> start(const std::string& room,
                                                     base::Duration) override {
    return serve_file(room + "/data/member/snap/db");
  }
  std::optional<std::string> ended() override { return std::nullopt; }
  void stop() override {}
};

archive::StoreRef place_of(const std::optional<api::ObjectLocation>& at) {
  return at ? jobs::store_of(*at) : archive::StoreRef{.url = "memory://default"};
}

bool is_write(std::string_view operation) {
  return operation == "put" || operation == "upload" || operation == "write" ||
         operation == "commit";
}

}  // namespace

Depot::Depot(const World& world, std::uint64_t seed, std::string scratch)
    : world_(world),
      scratch_(std::move(scratch)),
      clock_(world),
      random_(seed ^ 0xDE907ULL),
      store_(clock_, [this](std::string_view operation, const std::string& /*key*/) {
        return fault(operation);
      }) {}

std::uint64_t Depot::draw() {
  random_ += 0x9E3779B97F4A7C15ULL;
  std::uint64_t z = random_;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

base::Duration Depot::between(base::Duration low, base::Duration high) {
  const auto width = static_cast<std::uint64_t>((high - low).count()) + 1;
  return low + base::Duration(static_cast<std::int64_t>(draw() % width));
}

// Lists tell the truth or nothing: one that lies cannot be found out by anybody.
std::optional<objstore::Fault> Depot::fault(std::string_view operation) {
  if (honest_) return std::nullopt;
  if (weather.forbidden) return objstore::Fault{Trouble::kRefused, base::Code::kPermissionDenied};
  if (weather.full && is_write(operation))
    return objstore::Fault{Trouble::kRefused, base::Code::kResourceExhausted};
  auto at = static_cast<unsigned>(draw() % 1'000);
  const auto falls = [&at](unsigned share) {
    const bool here = at < share;
    at -= std::min(at, share);
    if (here) at = 1'000'000;
    return here;
  };
  if (falls(weather.refused)) return objstore::Fault{Trouble::kRefused};
  if (falls(weather.lost)) return objstore::Fault{Trouble::kLost};
  if (falls(weather.lost_answer)) return objstore::Fault{Trouble::kLostAnswer};
  const bool writes = is_write(operation);
  if (writes && falls(weather.lied_nothing)) return objstore::Fault{Trouble::kLiedNothing};
  if ((writes || operation == "get") && falls(weather.lied_half))
    return objstore::Fault{Trouble::kLiedHalf};
  return std::nullopt;
}

archive::World Depot::surroundings() {
  streamed_.clear();
  return {.store = &store_,
          .connect =
              [this](const archive::Endpoint& endpoint) {
                return ask_member(world_, endpoint.url, streamed_);
              },
          .clock = &clock_,
          .nonce =
              [this] {
                std::string nonce = fmt::format("{:016x}", draw());
                given_[nonce] = streamed_;
                return nonce;
              },
          .at =
              [this](std::string_view) {
                if (die_ > 0 && --die_ == 0) throw Died{};
              }};
}

std::optional<base::Instant> Depot::next_event() const {
  std::optional<base::Instant> next;
  for (const Running& job : jobs_) {
    if (!job.running) continue;
    const base::Instant at = job.worked ? job.ends_at : job.works_at;
    if (!next || at < *next) next = at;
  }
  return next;
}

void Depot::settle(World& world) {
  for (Running& job : jobs_) {
    if (job.running && !job.worked && job.works_at <= world.now()) work(job, world);
    if (job.running && job.worked && job.ends_at <= world.now()) job.running = false;
  }
}

void Depot::work(Running& job, World& world) {
  job.worked = true;
  changed_ = true;
  try {
    if (const auto* run = std::get_if<archive::RunJob>(&job.what)) job.report = back_up(*run);
    if (const auto* drill = std::get_if<archive::DrillJob>(&job.what))
      job.report = rehearse(*drill);
    if (std::holds_alternative<archive::FetchJob>(job.what)) job.report = look_up(job, world);
  } catch (const Died&) {
    job.running = false;
    job.report.clear();
  }
  [[maybe_unused]] const auto cleared = posix::remove_tree(scratch_);
}

std::string Depot::back_up(const archive::RunJob& job) {
  return archive::to_json(archive::run(job, surroundings()));
}

std::string Depot::rehearse(const archive::DrillJob& job) {
  Offline etcd;
  return archive::to_json(archive::drill(job, surroundings(), etcd));
}

std::string Depot::look_up(Running& job, World& world) {
  const StoredBackup* best = this->best();
  StoreLookup seen{.best = best == nullptr ? "" : best->name, .brought = {}, .holds = {}};
  const auto report = archive::fetch(std::get<archive::FetchJob>(job.what), surroundings());
  seen.empty = report.outcome == archive::FetchOutcome::kEmpty;
  if (report.outcome == archive::FetchOutcome::kFetched) {
    seen.brought = report.name;
    const auto at = std::ranges::find(backups(), report.name, &StoredBackup::name);
    if (at != backups_.end() && at->holds) {
      seen.holds = at->holds;
      State raised = *at->holds;
      raised.revision = raised.compacted = report.starts_at;
      Snapshot snapshot;
      snapshot.state = std::make_shared<const State>(std::move(raised));
      world.saved[job.operation].snapshot = file(std::move(snapshot));
    }
  }
  if (seen.empty || !seen.brought.empty()) lookups_.push_back(std::move(seen));
  return archive::to_json(report);
}

void Depot::see(plan::Observation& seen) const {
  const auto job = [](const Running& r, const auto& read) {
    return plan::StoreJob{r.epoch, r.running, r.running ? std::nullopt : read(r.job, r.report)};
  };
  seen.backup_job = job(of(Kind::kBackup), jobs::run_report);
  seen.drill_job = job(of(Kind::kDrill), jobs::drill_report);
  seen.fetch_job = job(of(Kind::kFetch), jobs::fetch_report);
}

base::Status Depot::start(Kind kind, int epoch, const engine::Job& call) {
  Running& job = of(kind);
  if (job.running)
    return base::fail(base::Code::kFailedPrecondition, "a job of this kind runs already");
  const auto& spec = call.intent.cluster.spec;
  const plan::Record& record = call.record;
  archive::Common common;
  common.cluster = record.key;
  common.scratch = scratch_;
  const auto* by = kind == Kind::kFetch ? plan::begins_by(record, spec) : nullptr;
  if (by == nullptr && !spec.backup)
    return base::fail(base::Code::kFailedPrecondition, "nothing says where backups are");
  common.store = place_of(by == nullptr ? spec.backup->destination : by->source);
  Running next;
  if (kind == Kind::kBackup) {
    auto run = jobs::backup_job(*spec.backup, record, epoch);
    common.deadline = run.common.deadline;
    run.common = common;
    jobs::add_endpoints(record, run);
    next.job = archive::to_json(run);
    next.what = std::move(run);
  } else if (kind == Kind::kDrill) {
    auto drill = jobs::drill_job(*spec.backup, record);
    common.deadline = drill.common.deadline;
    drill.common = common;
    drill.programs = {spec.version.text(), "/etcd", "/etcdutl"};
    next.job = archive::to_json(drill);
    next.what = std::move(drill);
  } else {
    archive::FetchJob fetch = jobs::fetch_job(by == nullptr ? "" : by->backup, by);
    common.deadline = fetch.common.deadline;
    fetch.common = common;
    fetch.to = scratch_ + "/fetched.db";
    next.operation = record.restore.operation;
    next.job = archive::to_json(fetch);
    next.what = std::move(fetch);
  }
  next.epoch = epoch;
  next.running = true;
  const base::Duration most{slow ? 120'000 : 3'000};
  next.begun_at = world_.now();
  next.works_at = world_.now() + between(base::Duration{50}, most);
  next.ends_at = next.works_at + between(base::Duration{50}, most);
  job = std::move(next);
  return {};
}

void Depot::end(Kind kind) {
  Running& job = of(kind);
  if (job.running) job.report.clear();
  job.running = false;
}

void Depot::forget_jobs() {
  jobs_ = {};
}

std::string Depot::fresh_incarnation(const plan::Record& record, const plan::Observation& seen,
                                     std::uint64_t chance) const {
  return jobs::fresh_incarnation(record, seen, world_.now(), chance);
}

// A lookup does not wait for a drill that runs: both only read.
unsigned Depot::running() const {
  const Running& drill = of(Kind::kDrill);
  const Running& lookup = of(Kind::kFetch);
  const bool beside = drill.running && lookup.running && drill.begun_at < lookup.begun_at;
  return static_cast<unsigned>(std::ranges::count_if(jobs_, &Running::running)) - (beside ? 1 : 0);
}

const std::vector<StoredBackup>& Depot::backups() {
  if (std::exchange(changed_, false)) look();
  return backups_;
}

void Depot::look() {
  honest_ = true;
  backups_.clear();
  const base::ClusterKey key{"default", "c"};
  const archive::Shelf shelf(store_, archive::root_of(key, false));
  const auto catalog = archive::read_catalog(shelf, {}, in_time(clock_));
  for (std::size_t i = 0; catalog && i < catalog->entries.size(); ++i) {
    const archive::Entry& entry = catalog->entries[i];
    StoredBackup backup{
        .name = entry.name.text(),
        .incarnation = entry.name.incarnation.text,
        .revision = entry.name.revision,
        .time = entry.time,
        .cluster = {},
        .looks_whole = entry.manifest && entry.size_bytes == entry.manifest->data.size_bytes,
        .proven = entry.marked,
        .bad = entry.bad,
        .holds = {}};
    if (entry.manifest) {
      const auto id = base::parse_hex(entry.manifest->cluster_id);
      if (id) backup.cluster = {*id};
      const auto nowhere = [](std::string_view) { return base::Status{}; };
      backup.whole =
          backup.looks_whole &&
          archive::download(shelf, *entry.manifest, nullptr, nowhere, in_time(clock_)).has_value();
      for (const auto& [url, snapshot] : given_[entry.name.nonce])
        if (backup.whole && snapshot.state && snapshot.state->revision == backup.revision)
          backup.holds = snapshot.state;
      backup.whole = backup.holds != nullptr;
    }
    backups_.push_back(std::move(backup));
  }
  honest_ = false;
}

const StoredBackup* Depot::best() {
  const StoredBackup* best = nullptr;
  for (const StoredBackup& backup : backups())
    if (backup.whole && !backup.bad &&
        (best == nullptr || std::tie(backup.incarnation, backup.revision, backup.time) >
                                std::tie(best->incarnation, best->revision, best->time)))
      best = &backup;
  return best;
}

void Depot::heal() {
  weather = {};
  slow = false;
  die_ = 0;
  const base::Instant soon = world_.now() + base::Duration{2'000};
  for (Running& job : jobs_) {
    job.works_at = std::min(job.works_at, soon);
    job.ends_at = std::min(job.ends_at, soon);
  }
}

std::string Depot::damage(std::uint64_t chance, bool cut) {
  if (before_damage) before_damage();
  honest_ = true;
  const auto objects = objstore::list_all(store_, "", 10'000, in_time(clock_));
  honest_ = false;
  if (!objects || objects->empty()) return {};
  const std::string& key = (*objects)[chance % objects->size()].key;
  store_.damage(key, [&](std::string& bytes) {
    if (bytes.empty()) return;
    if (cut)
      bytes.resize(bytes.size() / 2);
    else
      bytes[(chance >> 20U) % bytes.size()] ^= 1;
  });
  changed_ = true;
  return key;
}

}  // namespace sim
