// A cluster that serves goes back to a point, as a person asked in so many words: it ends the life
// of what the cluster holds now.
//
// Nothing is touched before what it goes back to was fetched and found good, and a safety copy of
// what it holds lies in its own store. Then it goes the way of a cluster whose members all lost
// their data: they stop, and are seen to have stopped; what they hold is put aside, and kept; a new
// incarnation begins with one member from the backup, and the others join it.
//
// Operation steps of kRestore: "look", "safety copy"; from there it is a kRecovery of the same id.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/annotations.h"
#include "base/text.h"
#include "plan/backup.h"
#include "plan/concern.h"
#include "plan/loss.h"
#include "plan/members.h"
#include "plan/recovery.h"
#include "plan/restore.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kLimit = 2h;  // to look and to save: what is large takes its time
constexpr int kTries = 3;
constexpr base::Duration kLook = 1s;
constexpr base::Duration kHeldUp = 5min;  // a pause, for one, after the safety copy was taken

std::string asked_by(const api::Restore& from) {
  return from.asked_by.empty() ? "the restore in place" : from.asked_by;
}

// Why it is never carried out; empty: it may be.
std::string why_never(const Context& c) {
  if (api::is_protected(c.intent.cluster))
    return fmt::format("the cluster is protected: remove the annotation {} first",
                       api::kProtectAnnotation);
  if (!takes_backups(c.intent, c.seen))
    return "a safety copy of what the cluster holds has nowhere to go: set spec.backup (with "
           "enabled: false no other backups are taken)";
  if (c.seen.fetch_job.is_absent()) return "backup stores cannot be looked into on this platform";
  return {};
}

// Why it is not begun now.
std::string why_not_now(const Context& c) {
  const auto& op = c.record.operation;
  if (op && op->kind != OperationKind::kRestore && !op->halted)
    return fmt::format("the operation {} ({}) is not done", name_of(op->kind), op->id);
  if (!c.view.quorum) return "no quorum serves, so that no safety copy can be taken";
  if (!open_to_clients(c.seen, c.record)) return "the cluster is not open to clients yet";
  if (!c.record.strangers.empty())
    return *c.record.strangers.begin() + " votes and is not ours: it could not be stopped";
  return {};
}

void take_up(Context& c) {
  InPlaceRecord fresh;
  fresh.from = *c.intent.in_place;
  fresh.request = fresh.from.request;
  fresh.operation = c.seen.fresh_operation;
  fresh.since = c.now;
  fresh.deadline = c.now + kLimit;
  fresh.stage = InPlace::kLook;
  const auto& backup = c.intent.cluster.spec.backup;
  if (!fresh.from.source && backup) fresh.from.source = backup->destination;
  c.record.in_place = std::move(fresh);
  forget_lookup(c.record);  // what the cluster began from, if from a backup
}

void announce(Context& c) {
  const api::Restore& from = c.record.in_place.from;
  tell(c, Reason::kRestoreInPlace,
       fmt::format("{}: the cluster is to go back to what is in {}; nothing is touched before it "
                   "was found good and a safety copy was taken",
                   asked_by(from), source_of(from)));
}

Answer refuse(Context& c, const std::string& why) {
  return Answer::note(Reason::kRestoreRefused, refuse_in_place(c, why));
}

// Another concern may have had the place meanwhile.
void mark(Context& c, std::string_view step) {
  const InPlaceRecord& p = c.record.in_place;
  Operation& op = begin(c, OperationKind::kRestore, Reason::kRestoreInPlace, "", kLimit);
  op.id = p.operation;
  op.deadline = p.deadline;
  op.step = step;
}

std::string in_words(const Context& c, const std::string& what) {
  return fmt::format("{}: {}", asked_by(c.record.in_place.from), what);
}

void ask_for_backup(Context& c) {
  BackupRecord& b = c.record.backup;
  b.requested_at = c.now;
  b.replaces = false;
  b.failures = 0;
}

Answer look(Context& c) {
  InPlaceRecord& p = c.record.in_place;
  const RestoreRecord& r = c.record.restore;
  mark(c, "look");
  if (auto answer = look_for_backup(c, source_of(p.from))) {
    if (r.failures >= kTries) return refuse(c, r.error);
    answer->reason = Reason::kRestoreInPlace;
    answer->message = in_words(c, answer->message);
    return *std::move(answer);
  }
  if (r.found != Found::kBackup) return refuse(c, r.source + " holds no backup of this cluster");
  p.stage = InPlace::kSave;
  p.since = c.now;
  ask_for_backup(c);
  const std::string text = in_words(c, "a safety copy of what the cluster holds is taken");
  tell(c, Reason::kRestoreInPlace, text);
  return Answer::wait(Reason::kRestoreInPlace, text, 200ms);
}

Answer begin_again(Context& c) {
  InPlaceRecord& p = c.record.in_place;
  p.safety = c.record.backup.location;
  p.safety_revision = c.record.backup.revision;
  p.stage = InPlace::kBegin;
  p.since = c.now;
  c.record.restore.after_loss = true;  // nothing empty takes its place
  warn(c, Reason::kRestoreInPlace,
       in_words(c, fmt::format("the members stop, and what they hold is kept; the cluster begins "
                               "again from {}. What it held up to revision {} is in {}",
                               brought_back(c), p.safety_revision, p.safety)));
  return begin_recovery(c, "", Basis{true, {}});
}

// It holds what the cluster holds but for the time that a backup takes.
bool has_safety_copy(const Context& c) {
  const BackupRecord& b = c.record.backup;
  const base::Duration most = c.intent.cluster.spec.backup->timeout + kHeldUp;
  return !b.running && b.last_success && *b.last_success >= c.record.in_place.since &&
         c.now - *b.last_success <= most;
}

// The backup itself is taken by its own concern, as any that was asked for.
Answer save(Context& c) {
  InPlaceRecord& p = c.record.in_place;
  BackupRecord& b = c.record.backup;
  // A quorum that was lost meanwhile may have had another place looked into.
  const RestoreRecord& r = c.record.restore;
  if (r.found != Found::kBackup || r.source != source_of(p.from)) {
    p.stage = InPlace::kLook;
    return look(c);
  }
  mark(c, "safety copy");
  // Before the first of them stops: that all can be seen to stop. A copy of before that is old.
  if (const auto hidden = unseen(c.view, c.record.incarnation); !hidden.empty()) {
    p.since = c.now;
    return Answer::wait(
        Reason::kRestoreInPlace,
        in_words(c, fmt::format("it cannot be seen whether {} run{}, and all must "
                                "be seen to stop",
                                base::join(hidden, ", "), hidden.size() == 1 ? "s" : "")),
        kLook);
  }
  if (has_safety_copy(c)) {
    if (b.location.empty()) return refuse(c, "nobody knows where the safety copy lies");
    return begin_again(c);
  }
  if (b.failures >= kTries) return refuse(c, "no safety copy could be taken: " + b.error);
  if (!b.requested_at) {
    p.since = c.now;
    ask_for_backup(c);
  }
  return Answer::wait(Reason::kRestoreInPlace,
                      in_words(c, fmt::format("a safety copy of what the cluster holds is taken{}",
                                              b.failures > 0 ? "; " + b.error : "")),
                      kLook);
}

// What was asked before the cluster began was asked of another one, or it began from it.
bool is_new(const Context& c) {
  return c.intent.wish == Wish::kPresent && c.intent.in_place &&
         c.intent.in_place->request != c.record.in_place.request &&
         c.intent.in_place->asked_at >= c.record.bootstrapped_at;
}

}  // namespace

std::string refuse_in_place(Context& c, std::string why) {
  InPlaceRecord& p = c.record.in_place;
  if (p.stage == InPlace::kSave) c.record.backup.requested_at.reset();
  p.stage = InPlace::kRefused;
  end(c, OperationKind::kRestore);
  forget_lookup(c.record);
  std::string text = in_words(c, why + ": it is not done, and the cluster goes on as it is");
  warn(c, Reason::kRestoreRefused, text);
  p.told = std::move(why);
  return text;
}

void finish_in_place(Context& c) {
  InPlaceRecord& p = c.record.in_place;
  p.stage = InPlace::kDone;
  p.told = fmt::format("{}; what the cluster held before, up to revision {}, is in {}",
                       brought_back(c), p.safety_revision, p.safety);
  c.record.bootstrap_source = "Restore " + p.told;
  tell(c, Reason::kRestoreInPlace, in_words(c, "the cluster began again from " + p.told));
}

Answer restore_in_place(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery) return Answer::nothing();
  const InPlaceRecord& p = c.record.in_place;
  if (!p.goes_on() && !is_new(c)) return Answer::nothing();
  if (const std::string why = why_not_now(c); !why.empty() && !p.goes_on())
    return Answer::note(Reason::kRestoreInPlace,
                        fmt::format("{} waits: {}", asked_by(*c.intent.in_place), why));
  else if (!why.empty() && c.now < p.deadline)
    return Answer::note(Reason::kRestoreInPlace, in_words(c, "it waits: " + why));
  const bool fresh = !p.goes_on();
  if (fresh) take_up(c);
  if (const std::string why = why_never(c); !why.empty()) return refuse(c, why);
  if (c.now >= p.deadline) return refuse(c, "its backups were not at hand by its deadline");
  if (c.intent.wish == Wish::kPresent &&
      (!c.intent.in_place || c.intent.in_place->request != p.request))
    return refuse(c, "it was taken back");
  if (p.from.asked_at < c.record.bootstrapped_at)
    return refuse(c, "the cluster began anew meanwhile");
  if (fresh) announce(c);
  return p.stage == InPlace::kLook ? look(c) : save(c);
}

}  // namespace plan
