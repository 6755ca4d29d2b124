#include "archive/follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "archive/base_taker.h"
#include "archive/catalog.h"
#include "archive/log_writer.h"
#include "archive/members.h"
#include "archive/recorder.h"
#include "posix/files.h"
#include "posix/lock.h"

namespace archive {
namespace {

using base::Code;
using std::chrono::milliseconds;

constexpr size_t kFrameBytes = size_t{256} << 10;
constexpr milliseconds kFrameTime{100}, kLongestTurn{100}, kTell{500};
constexpr base::Duration kCall{5'000}, kLook{20'000}, kStore{60'000}, kLast{10'000};
constexpr base::Duration kAskAuth{5'000}, kAskProgress{10'000}, kStoreAgain{1'000};
constexpr base::Duration kFirstWait{200}, kLongestWait{5'000};
constexpr base::Duration kMarks{50};
constexpr std::int64_t kMostParts = 1'000;  // of a segment: names have room for 99,999
constexpr size_t kMostMarks = 10'000;
constexpr base::Duration kProbe{10'000};
constexpr unsigned kMostProbes = 3;  // that came to nothing
constexpr std::string_view kIgnores =
    "the store takes If-None-Match and does not keep to it: it took a second object of one name";
constexpr std::string_view kCannot = "the store cannot create an object without replacing one";
constexpr unsigned kSameGap = 3;  // seen so often, it is in the members and not on the way

// These do not pass by waiting.
bool final(std::string_view kind) {
  constexpr std::array kFinal{kind::kStale, kind::kForeign, kind::kBehind, kind::kInput,
                              kind::kKey};
  return std::ranges::find(kFinal, kind) != kFinal.end();
}

class Follower {
 public:
  Follower(const FollowJob& job, const World& world, const TellStatus& tell)
      : job_(job),
        world_(world),
        tell_(tell),
        shelf_(*world.store, root_of(job.run.common.cluster, job.run.common.direct)),
        owner_{.incarnation = *Incarnation::parse(job.run.incarnation),
               .cluster = job.run.common.cluster,
               .cluster_id = {},
               .epoch = job.run.epoch,
               .nonce = world.nonce()},
        base_(job.run, world) {}

  Outcome<void> run() {
    const auto& scratch = job_.run.common.scratch;
    TRY_OK(posix::make_dirs(scratch));
    const auto lock = posix::FileLock::try_lock(scratch + "/follow.lock");
    if (!lock && lock.error().code == Code::kFailedPrecondition)
      return trouble(kind::kBusy, "another job works in " + scratch);
    if (!lock) return std::unexpected(lock.error());
    for (auto wait = kFirstWait; !stopped();) {
      const auto before = status_.received;
      const auto ended = session();
      if (ended || stopped()) break;
      if (final(ended.error().kind)) return ended;
      // What lies at the name that it means is another's, or damaged: what to do, the store says.
      if (ended.error().kind == kind::kOvertaken || ended.error().kind == kind::kMismatch) forget();
      if (status_.received > before) wait = kFirstWait;
      say(FollowState::kWaiting, ended.error().error.message);
      world_.wait(wait);
      wait = std::min(2 * wait, kLongestWait);
    }
    return leave();
  }
  [[nodiscard]] std::int64_t saved() const { return status_.saved; }

 private:
  [[nodiscard]] bool stopped() const { return world_.stop.stop_requested(); }
  [[nodiscard]] base::Tick tick() const { return world_.clock->tick(); }
  [[nodiscard]] objstore::Call store_call() const { return world_.call(tick() + kStore); }

  // ---- One watch of one member. ----------------------------------------------------------------

  Outcome<void> session() {
    auto endpoints = job_.run.endpoints;
    TRY(auto members, look(endpoints, world_, tick() + kLook));
    if (!writer_) TRY_OK(open_log(members));
    probe_fence();
    if (writer_->next() > members.revision + 1)
      return trouble(kind::kBehind,
                     fmt::format("the cluster is at revision {}, and its log goes to {}: its data "
                                 "went back; a new life needs a new incarnation",
                                 members.revision, writer_->next() - 1));
    auto& member = members.usable[turn_++ % members.usable.size()];
    member_api_ = std::move(member.api);
    member_id_ = member.status.id;
    status_.member = member.endpoint.member;
    version_ = member.status.version;
    api_ = world_.history(member.endpoint);
    if (!began_at_) began_at_ = members.revision;
    // What came since anything was heard came at some moment since then.
    see_head(heard_ == base::Tick{} ? tick() : heard_, members.revision);
    TRY_OK(where_to_begin(members.revision));
    TRY_OK(ask_auth());
    // Also where the one that saw the change was ended before there was a backup.
    if (differ(base_users_, facts_.users)) base_.want();
    auto watch = api_->watch(writer_->next(), kCall);
    if (!watch) return refused(watch.error(), 0);
    recorder_.emplace(writer_->next(), writer_->last_time());
    problem_with_frame_ = {};
    if (!writer_->unsaved()) oldest_.reset();
    heard_ = tick();
    proved_ = false;
    say(FollowState::kFollowing, "");
    const auto ended = pump(**watch);
    if (recorder_) close_frame();
    recorder_.reset();
    return ended;
  }

  Outcome<void> open_log(const Members& members) {
    owner_.cluster_id = members.cluster_id;
    TRY(writer_, LogWriter::open(shelf_, owner_, job_.run.common.scratch, world_,
                                 [this] { return store_call(); }));
    status_.saved = std::max<std::int64_t>(writer_->next() - 1, 0);
    facts_ = {writer_->base(), writer_->users(), version_};
    return {};
  }
  // What it finds holds for as long as this process. That it finds nothing holds up nothing.
  void probe_fence() {
    if (fenced_ || probes_ >= kMostProbes) return;
    ++probes_;
    const auto key = shelf_.key(probe_name(owner_.incarnation, owner_.nonce));
    const auto holds =
        objstore::probe_create_only(shelf_.store(), key, store_call().within(tick(), kProbe));
    if (holds) fenced_ = *holds;
    if (holds && !*holds) status_.weak_why = kIgnores;
    if (!holds && holds.error().code == Code::kUnimplemented) fenced_ = false;
  }
  void forget() {
    writer_.reset();
    oldest_.reset();
  }

  // Behind the log; without one behind the newest backup; else from now on.
  Outcome<void> where_to_begin(std::int64_t now) {
    if (fresh_) {
      if (!writer_->empty()) TRY_OK(seal());
      note_hole(writer_->next(), now);
      writer_->begin(now + 1);
      facts_.base.clear();
      fresh_ = false;
    }
    TRY(const auto catalog, read_life(shelf_, owner_.incarnation, store_call()));
    const Entry* newest = nullptr;
    for (const auto& entry : catalog.entries)
      if (entry.name.incarnation == owner_.incarnation && entry.verified && newest == nullptr)
        newest = &entry;
    if (writer_->next() == 0)
      writer_->begin(newest != nullptr ? newest->name.revision + 1 : now + 1);
    // With another key it must be written anew: one key shall be enough for a restore.
    const auto key = world_.key == nullptr ? std::nullopt : std::optional(world_.key->encryption());
    const bool fits = newest != nullptr && goes_on_from(newest->name.revision) &&
                      newest->manifest->encryption == key;
    facts_.base = fits ? newest->name.text() : std::string();
    base_users_ = fits ? newest->manifest->users() : UsersMark{};
    if (fits) reaches_begin();
    if (!fits) base_.want();
    status_.received = std::max(status_.received, writer_->next() - 1);
    if (!writer_->unsaved()) keep_head(writer_->next() - 1);
    return {};
  }
  // All that came behind it is in the log.
  [[nodiscard]] bool goes_on_from(std::int64_t revision) const {
    return revision >= writer_->chain_first() - 1;
  }
  void note_hole(std::int64_t first, std::int64_t last) {
    if (first < 1 || last < first) return;
    ++status_.holes;
    status_.last_hole = fmt::format("revisions {} to {}", first, last);
  }
  // There is a backup to begin from, so the store has all before what comes next.
  void reaches_begin() {
    if (!writer_->unsaved() && (!recorder_ || recorder_->empty()))
      status_.saved = std::max(status_.saved, writer_->next() - 1);
  }

  // Of a watch that is not there any more.
  Outcome<void> refused(const base::Error& error, std::int64_t compacted) {
    if (error.code == Code::kNotFound) {
      gaps_ = compacted > 0 ? kSameGap : gaps_ + 1;
      if (gaps_ >= kSameGap) fresh_ = true;
      if (gaps_ >= kSameGap) gaps_ = 0;
    }
    return std::unexpected(Trouble(kind::kUnavailable, error.in(status_.member)));
  }

  Outcome<void> pump(etcd::Watch& watch) {
    while (!stopped()) {
      TRY_OK(housekeeping(watch));
      if (full()) {
        world_.wait(kLongestTurn);  // the member keeps what comes
        continue;
      }
      auto batch = watch.next(turn());
      if (!batch) return refused(batch.error(), watch.compacted());
      if (!*batch) continue;
      heard_ = tick();
      if (base::to_text((*batch)->cluster_id) != owner_.cluster_id)
        return trouble(kind::kForeign, status_.member + " is a member of another cluster now");
      if (recorder_->empty()) frame_since_ = heard_;
      const auto whole = [this] {
        if (recorder_->bytes() >= kFrameBytes) close_frame();
      };
      if (const auto added = recorder_->add(**batch, world_.clock->now(), whole); !added) {
        recorder_.reset();
        return refused(added.error(), 0);
      }
      see_head(heard_, std::max((*batch)->revision, recorder_->next() - 1));
      proved_ = (*batch)->events.empty();
      if (!(*batch)->events.empty()) gaps_ = 0;
      if (!recorder_->empty() && !oldest_) oldest_ = heard_;
      status_.received = recorder_->next() - 1;
    }
    return {};
  }

  [[nodiscard]] base::Duration turn() const {
    return recorder_->empty() ? base::Duration(kLongestTurn) : base::Duration(kFrameTime) / 4;
  }
  // The store does not take what there is, so no more is asked for.
  [[nodiscard]] bool full() const {
    return writer_->pending_bytes() >= job_.seal_bytes + kFrameBytes;
  }

  Outcome<void> housekeeping(etcd::Watch& watch) {
    const auto now = tick();
    if (!recorder_->empty() &&
        (recorder_->bytes() >= kFrameBytes || now - frame_since_ >= kFrameTime))
      close_frame();
    TRY_OK(keep(now));
    if (!problem_with_frame_) return std::unexpected(Trouble(problem_with_frame_.error()));
    if (now - asked_auth_ >= kAskAuth) {
      TRY_OK(ask_auth());
      TRY_OK(ask_alarms());
    }
    if (now - heard_ >= kAskProgress && now - asked_progress_ >= kAskProgress) {
      asked_progress_ = now;
      watch.ask_progress();
    }
    if (const auto made = base_.poll()) take_base(*made);
    tell();
    return {};
  }

  // One that was begun before a hole is none for what comes behind it.
  void take_base(const std::string& made) {
    const auto name = Name::parse(made);
    if (!name || !goes_on_from(name->revision)) return;
    facts_.base = made;
    set_facts();
    reaches_begin();
  }

  // What is due goes into the store. That it does not answer is waited out.
  Outcome<void> keep(base::Tick now) {
    if (now < store_again_) return {};
    Outcome<void> done;
    if (!writer_->empty() &&
        (writer_->pending_bytes() >= job_.seal_bytes || writer_->parts() >= kMostParts ||
         now - segment_since_ >= job_.seal_after)) {
      close_frame();
      done = seal();
    } else if (oldest_ && now - *oldest_ >= job_.max_lag / 2) {
      close_frame();
      done = writer_->save_part(store_call());
      if (done) note_saved();
    } else if (writer_->empty() && recorder_->empty() && proved_ && now - heard_ < kAskProgress &&
               (now - kept_frame_ >= job_.heartbeat_after ||
                world_.clock->now() - writer_->last_time() >= job_.heartbeat_after)) {
      recorder_->idle(world_.clock->now());
      close_frame();
      done = seal();
    }
    if (done) return done;
    if (final(done.error().kind) || done.error().kind == kind::kOvertaken ||
        done.error().kind == kind::kMismatch)
      return done;
    store_again_ = now + kStoreAgain;
    say(FollowState::kWaiting, done.error().error.message);
    return {};
  }

  Outcome<void> seal() {
    TRY_OK(writer_->seal(store_call()));
    ++status_.segments;
    note_saved();
    return {};
  }
  void note_saved() {
    status_.saved = writer_->next() - 1;
    keep_head(status_.saved);
    oldest_.reset();
    say(FollowState::kFollowing, "");
  }

  // What cannot be added is lost with its watch. Nothing is added behind it: the next watch begins
  // where the log ends.
  void close_frame() {
    if (!problem_with_frame_) return;
    learn_leases();
    if (recorder_->empty()) return;
    auto taken = recorder_->take();
    taken.frame.records = taken.records;
    kept_frame_ = tick();
    if (writer_->empty()) segment_since_ = kept_frame_;
    problem_with_frame_ = writer_->add(taken.frame);
  }

  // An answer that does not come is asked for again with the next frame.
  void learn_leases() {
    for (const auto id : recorder_->new_leases()) leases_.push_back(id);
    size_t learnt = 0;
    for (; learnt < leases_.size(); ++learnt) {
      const auto ttl = api_->granted_ttl(leases_[learnt], kCall);
      if (!ttl && ttl.error().code != Code::kNotFound) break;
      if (ttl && *ttl) recorder_->add_lease(leases_[learnt], **ttl);
    }
    leases_.erase(leases_.begin(), leases_.begin() + static_cast<std::ptrdiff_t>(learnt));
  }

  // Users and roles are no part of the history: a change of them needs a backup.
  Outcome<void> ask_auth() {
    asked_auth_ = tick();
    const auto auth = api_->auth(kCall);
    if (!auth) {
      if (auth.error().code == Code::kUnimplemented) return {};
      return std::unexpected(Trouble(kind::kUnavailable, auth.error().in("ask for users")));
    }
    see_head(tick(), auth->store_revision);
    const UsersMark users{auth->revision, auth->enabled};
    const bool changed = differ(facts_.users, users);
    if (changed) base_.want();
    if (facts_.users == users && facts_.etcd_version == version_) {
      writer_->set(facts_);
      return {};
    }
    if (recorder_) close_frame();
    if (changed && !writer_->empty()) TRY_OK(seal());
    facts_.users = users;
    set_facts();
    return {};
  }
  // What it sends is not what the others have. That it does not answer is not known here.
  Outcome<void> ask_alarms() {
    const auto alarms = member_api_->alarms(kCall);
    if (!alarms) return {};
    for (const auto& alarm : *alarms)
      if (alarm.kind == etcd::AlarmKind::kCorrupt && (!alarm.member || alarm.member == member_id_))
        return trouble(kind::kCorrupt, status_.member + ": etcd says CORRUPT of it");
    return {};
  }
  void set_facts() {
    facts_.etcd_version = version_;
    writer_->set(facts_);
  }

  // ---- How far the cluster is, and how far the store. ------------------------------------------

  // It was at `revision` by `seen`.
  void see_head(base::Tick seen, std::int64_t revision) {
    if (revision <= kept_ || (!marks_.empty() && revision <= marks_.back().revision)) return;
    if (!marks_.empty() && (marks_.size() >= kMostMarks || seen - marks_.back().seen < kMarks))
      marks_.back().revision = revision;
    else
      marks_.push_back({seen, revision});
  }
  void keep_head(std::int64_t revision) {
    kept_ = std::max(kept_, revision);
    while (!marks_.empty() && marks_.front().revision <= kept_) marks_.pop_front();
  }

  // ---- What is told, and the end. --------------------------------------------------------------

  void say(FollowState state, const std::string& problem) {
    status_.state = state;
    status_.problem = problem;
    tell(/*now=*/!problem.empty());
  }
  void tell(bool at_once = false) {
    const auto now = tick();
    if (!at_once && now - told_ < kTell) return;
    told_ = now;
    status_.time = world_.clock->now();
    status_.lag_ms = marks_.empty() ? 0 : (now - marks_.front().seen).count();
    status_.catching_up = !began_at_ || kept_ < *began_at_;
    status_.base = facts_.base;
    status_.weak_fence = status_.weak_fence || fenced_ == false || (writer_ && writer_->weak());
    if (status_.weak_fence && status_.weak_why.empty()) status_.weak_why = kCannot;
    if (status_.problem.empty() && !base_.problem().empty())
      status_.problem = "backup: " + base_.problem();
    if (tell_) tell_(status_);
  }

  Outcome<void> leave() {
    base_.stop();
    // A segment and no parts, which nobody else's key would open. `stop` is set: what is left is
    // not asked for it.
    if (writer_ && !writer_->empty()) {
      const auto sealed = writer_->seal({.deadline = tick() + kLast / 2});
      if (!sealed && writer_->unsaved())
        TRY_OK(writer_->save_part({.deadline = tick() + kLast / 2}));
      note_saved();
    }
    tell(/*at_once=*/true);
    return {};
  }

  const FollowJob& job_;
  const World& world_;
  const TellStatus& tell_;
  const Shelf shelf_;
  LogOwner owner_;
  BaseTaker base_;
  std::optional<LogWriter> writer_;
  std::unique_ptr<etcd::HistoryApi> api_;
  std::unique_ptr<etcd::EtcdApi> member_api_;  // of the same member
  base::MemberId member_id_;
  std::optional<Recorder> recorder_;  // while there is a watch
  base::Status problem_with_frame_;
  std::vector<std::int64_t> leases_;  // to be asked for
  LogFacts facts_;
  UsersMark base_users_;  // in facts_.base
  std::string version_;
  struct Mark {
    base::Tick seen{};
    std::int64_t revision = 0;
  };
  std::deque<Mark> marks_;                // what the cluster has beyond kept_, rising in both
  std::int64_t kept_ = 0;                 // the last revision that the log has in the store
  std::optional<std::int64_t> began_at_;  // where the cluster was when this process first saw it
  std::optional<base::Tick> oldest_;      // when the first change came that is not in the store
  base::Tick frame_since_{}, segment_since_{}, kept_frame_{};  // whatever the wall clock does
  base::Tick heard_{}, asked_auth_{}, asked_progress_{}, store_again_{}, told_{};
  size_t turn_ = 0;
  unsigned gaps_ = 0, probes_ = 0;
  std::optional<bool> fenced_;  // the store keeps to its word; none: that is not known
  bool fresh_ = false;          // what comes does not go on from the log
  bool proved_ = false;         // the member said last that there is nothing more
  FollowStatus status_;
};

}  // namespace

FollowReport follow(const FollowJob& job, const World& world, const TellStatus& tell) {
  Follower follower(job, world, tell);
  const auto done = follower.run();
  FollowReport report{.saved = follower.saved()};
  if (!done) {
    report.error = done.error().error.message;
    report.error_kind = done.error().kind;
  }
  return report;
}

}  // namespace archive
