// What happens between backups is kept by a follower, which has no end of its own. It is started
// when the cluster serves, anew when it ended or works with what is not so any more, and ended when
// nothing is to be kept. It holds up no step, and no step waits for it.
#include "plan/follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/annotations.h"
#include "base/text.h"
#include "plan/concern.h"
#include "plan/members.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kRetryFirst = 1s, kRetryLongest = 1min;
constexpr base::Duration kSteady = 1min;   // one that ran so long is no failure any more
constexpr base::Duration kSettle = 10s;    // between two that are told other things
constexpr base::Duration kPatience = 30s;  // before "not known" is told as "behind"
constexpr base::Duration kLookAgain = 5s, kLookLeast = 200ms;

bool follows(const Intent& intent, const Observation& seen) {
  return takes_backups(intent, seen) && !seen.follower.is_absent();
}

bool asked_for(const Intent& intent, const Observation& seen) {
  return follows(intent, seen) && intent.cluster.spec.backup->enabled &&
         intent.cluster.spec.backup->continuous;
}

bool rests(const Intent& intent) {
  return intent.stop || intent.cluster.spec.hibernate ||
         (intent.wish == Wish::kDeleted && !api::is_protected(intent.cluster));
}

bool wanted(const Context& c) {
  return asked_for(c.intent, c.seen) && !rests(c.intent) && c.record.open_to_clients &&
         c.record.formation == Formation::kLatched && !c.record.recovery;
}

bool paused(const Intent& intent) {
  return (intent.paused || intent.cluster.spec.paused) && intent.wish != Wish::kDeleted;
}

bool keeps_up(const Follower& follower, const api::Backup& wish) {
  return follower.running && follower.lag.known() && *follower.lag <= wish.max_lag &&
         !follower.base.empty();
}

base::Duration retry_after(const FollowRecord& f) {
  const auto shift = std::clamp(f.failures - 1, 0, 12);
  return std::min(kRetryFirst * (1 << shift), kRetryLongest);
}

// Where the epochs of a log that is there are not known any more, the clock gives one above them.
int next_epoch(const FollowRecord& f, base::Instant now) {
  const auto by_clock = std::chrono::floor<std::chrono::minutes>(now.time_since_epoch()).count();
  const int next = f.epoch + 1;
  return f.overrun ? std::max(next, static_cast<int>(by_clock)) : next;
}

void fail(Context& c, const std::string& error, bool overrun) {
  FollowRecord& f = c.record.follow;
  if (f.failures == 0 || f.error != error)
    warn(c, Reason::kContinuousFailed, fmt::format("what happens is not kept: {}", error));
  f.failures = std::min(f.failures + 1, 1'000'000);
  f.failed_at = c.now;
  f.error = error;
  f.overrun = overrun;
  if (!f.behind_since) f.behind_since = c.now;
}

void forget_failures(FollowRecord& f) {
  f.failures = 0;
  f.error.clear();
  f.overrun = false;
}

void take_in_end(Context& c, const Follower& seen) {
  FollowRecord& f = c.record.follow;
  f.running = false;
  if (!wanted(c)) return;
  if (seen.epoch == f.epoch)
    fail(c, seen.problem, seen.overrun);
  else if (failures_of(c.seen, "StartFollower") > 0)
    fail(c, c.seen.last->text, f.overrun);
  else
    fail(c, "it ended without a word", f.overrun);
}

Answer later(base::Duration look_again) {
  Answer answer = Answer::noted();
  answer.look_again = std::max(look_again, kLookLeast);
  answer.sooner = true;
  return answer;
}

Answer start(Context& c, std::string_view why) {
  FollowRecord& f = c.record.follow;
  f.epoch = next_epoch(f, c.now);
  f.running = true;
  f.started_at = c.now;
  f.holes = 0;
  Answer answer = Answer::act(Reason::kContinuousStart, StartFollower{f.epoch},
                              fmt::format("what happens is kept: {} (follower {})", why, f.epoch));
  answer.look_again = kLookLeast;
  return answer;
}

void tell_of_holes(Context& c, const Follower& seen) {
  FollowRecord& f = c.record.follow;
  if (seen.holes <= f.holes) return;
  f.holes = seen.holes;
  warn(c, Reason::kContinuousFailed,
       fmt::format("what happened is lost to the log: etcd had compacted {} before it was read; "
                   "what comes is kept behind a new backup",
                   seen.last_hole));
}

void judge(Context& c, const Follower& seen) {
  FollowRecord& f = c.record.follow;
  if (seen.running) tell_of_holes(c, seen);
  if (!keeps_up(seen, *c.intent.cluster.spec.backup)) {
    if (!f.behind_since) f.behind_since = c.now;
    return;
  }
  f.behind_since.reset();
  if (f.failures > 0 && c.now - f.started_at >= kSteady) forget_failures(f);
}

std::string late_text(const BackupWords& of) {
  const FollowRecord& f = of.record.follow;
  if (!of.seen.follower.known()) return of.seen.follower.why();
  const Follower& seen = *of.seen.follower;
  if (!seen.running && f.failures > 0)
    return f.error +
           (paused(of.intent) ? "; nothing is started in a pause" : "; it is tried again");
  if (!seen.running) return "nothing keeps what happens yet";
  if (!seen.problem.empty()) return seen.problem;
  if (!seen.lag.known()) return seen.lag.why();
  if (seen.base.empty()) return "the backup to begin from is taken";
  return "the store takes it slower than it comes";
}

}  // namespace

Answer settle_follower(Context& c) {
  FollowRecord& f = c.record.follow;
  if (!c.seen.follower.known()) return Answer::nothing();
  const Follower& seen = *c.seen.follower;
  const bool other = seen.epoch > f.epoch;  // as of backups
  if (other) {
    f.epoch = seen.epoch;
    f.running = true;
    f.started_at = c.now;
    f.holes = 0;
  }
  if (seen.running && !wanted(c) && !paused(c.intent) && !too_soon(c, "EndFollower", kPatience)) {
    Answer answer = Answer::act(Reason::kContinuousStop, EndFollower{},
                                "what happens is not to be kept now: its follower ends");
    answer.look_again = kLookLeast;
    return answer;
  }
  if (!f.running) return Answer::nothing();
  if (seen.running) return other ? Answer::noted() : Answer::nothing();
  take_in_end(c, seen);
  return Answer::noted();
}

Answer follow_history(Context& c) {
  FollowRecord& f = c.record.follow;
  if (!wanted(c)) {
    if (f.failures == 0 && !f.behind_since) return Answer::nothing();
    forget_failures(f);
    f.behind_since.reset();
    return Answer::noted();
  }
  if (!c.seen.follower.known()) return Answer::nothing();
  const Follower& seen = *c.seen.follower;
  judge(c, seen);
  if (seen.running) {
    const bool anew = seen.outdated && c.now - f.started_at >= kSettle;
    return anew ? start(c, "its members, credentials or place are others now") : later(kLookAgain);
  }
  // Since when backups are wanted is noted first: what is said of them counts from then.
  if (c.record.backup.of.empty()) return later(kLookLeast);
  if (!c.view.quorum) return later(kLookAgain);
  const base::Instant due = f.failures > 0 ? f.failed_at + retry_after(f) : c.now;
  if (c.now < due) return later(due - c.now);
  return start(c, f.failures > 0 ? "once more" : "from now on");
}

namespace {

std::optional<api::Condition> judge_lag(const BackupWords& of) {
  using enum api::Truth;
  if (!asked_for(of.intent, of.seen) || of.record.formation != Formation::kLatched)
    return std::nullopt;
  const api::Backup& wish = *of.intent.cluster.spec.backup;
  const FollowRecord& f = of.record.follow;
  const auto say = [](api::Truth truth, std::string_view reason, std::string message) {
    return api::Condition{
        api::ConditionType::kBackupContinuous, truth, std::string(reason), std::move(message), {}};
  };
  const std::string limit = base::to_text(wish.max_lag);
  if (of.rests || rests(of.intent))
    return say(kUnknown, name_of(Reason::kBackupSuspended),
               "what happens is not kept while the cluster rests");
  const Follower* seen = of.seen.follower.get();
  if (seen != nullptr && keeps_up(*seen, wish))
    return say(kTrue, "AsWanted",
               fmt::format("what happens is in its store within {}, behind {}", limit, seen->base));
  const std::string why = late_text(of);
  if (seen != nullptr && seen->running && seen->lag.known() && *seen->lag > wish.max_lag)
    return say(kFalse, name_of(Reason::kContinuousBehind),
               fmt::format("a change of {} ago is not in its store, and {} is wanted: {}",
                           base::to_text(std::chrono::floor<std::chrono::seconds>(*seen->lag)),
                           limit, why));
  if (f.failures > 0 && (seen == nullptr || !seen->running))
    return say(kFalse, name_of(Reason::kContinuousFailed), why);
  // The first backup takes its time.
  const bool first = seen != nullptr && seen->running && seen->base.empty() &&
                     seen->problem.empty() && seen->lag.known();
  if (f.behind_since && of.now - *f.behind_since > (first ? wish.timeout : kPatience))
    return say(kFalse, name_of(Reason::kContinuousBehind),
               fmt::format("it was not seen to keep up within {} since {}: {}", limit,
                           base::to_rfc3339(*f.behind_since), why));
  const bool begins = first || (seen != nullptr && !seen->running);
  return say(kUnknown, name_of(begins ? Reason::kContinuousStart : Reason::kContinuousUnknown),
             why);
}

}  // namespace

std::optional<api::Condition> judge_history(const BackupWords& of) {
  auto said = judge_lag(of);
  const Follower* seen = of.seen.follower.get();
  if (said && seen != nullptr && seen->running && !seen->weak_fence.empty())
    said->message += "; two followers at once would not find each other out: " + seen->weak_fence;
  return said;
}

}  // namespace plan
