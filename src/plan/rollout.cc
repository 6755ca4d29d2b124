// Template changes and version steps: followers first, one at a time, the leader moved and then
// last; the next only when all are healthy voters again.
//
// Of one member: its wanted version and template are recorded, it is stopped, and start_members
// starts it. Operation steps of kRollout: "begin", "restart".
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/mutants.h"
#include "plan/backup.h"
#include "plan/concern.h"
#include "plan/members.h"
#include "plan/quorum.h"
#include "plan/quota.h"
#include "plan/template.h"
#include "plan/upgrade.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kComeUp = 60s;  // of one member, and for each GiB of its database
constexpr base::Duration kComeUpPerGiB = 10s;
constexpr base::Duration kBegin = 10min;
constexpr std::uint32_t kFailedStarts = 3;  // in a row: not waited for any longer
constexpr std::uint32_t kMoveTries = 3;
constexpr std::uint32_t kStopTries = 16;  // in a row; with their pauses some ten minutes
constexpr base::Duration kRefusedLook = 10s;

bool runs_as_recorded(const Seat& seat) {
  if (seat.facts == nullptr || seat.facts->version.empty()) return true;  // it does not run
  return seat.facts->version == seat.record->version.text() &&
         seat.facts->template_hash == seat.record->template_hash;
}

bool fits(const Record& target, const Seat& seat) {
  const bool same = seat.record->version == target.version || mutant(base::Mutant::kVersionIgnored);
  return same && seat.record->template_hash == target.template_hash && runs_as_recorded(seat);
}

bool takes_part(const Seat& seat) {
  if (seat.record == nullptr || !seat.record->may_start) return false;
  return seat.record->phase == Phase::kVoter || seat.record->phase == Phase::kLearner;
}

// It is proven not to serve, or it is the one that this rollout restarted and it does not come
// back: the others are a quorum, or its time is up.
bool is_down(const Context& c, const Seat& seat) {
  if (seat.healthy) return false;
  if (seat.process_is(Process::kBackoff) || seat.process_is(Process::kStopped)) return true;
  if (!running(c.record, OperationKind::kRollout)) return false;
  const Operation& op = *c.record.operation;
  return op.member == seat.record->name && seat.facts != nullptr && seat.facts->process.known() &&
         (op.halted || c.view.may_stop(seat));
}

void begin_rollout(Context& c, Reason why) {
  if (running(c.record, OperationKind::kRollout)) {
    c.record.operation->reason = why;
    return;
  }
  begin(c, OperationKind::kRollout, why, "", kBegin).step = "begin";
}

void warn_without_backup(Context& c) {
  const bool block = c.intent.cluster.spec.backup && c.intent.cluster.spec.backup->enabled;
  if (block && takes_backups(c.intent, c.seen)) return;
  warn(c, Reason::kNoBackupBeforeUpgrade,
       block ? "backups are not taken on this platform: the upgrade goes on "
               "without one"
             : "there is no backup block: the upgrade goes on without a backup");
}

// No value: the binary of this version is here.
std::optional<Answer> need_binary(const Context& c, const api::Version& version) {
  const std::string text = version.text();
  const auto at = c.seen.binaries.find(text);
  if (at != c.seen.binaries.end() && at->second.known()) {
    if (*at->second == Binary::kPresent) return std::nullopt;
    if (*at->second == Binary::kFetching)
      return Answer::note(Reason::kBinaryMissing, fmt::format("etcd {} is being fetched", text));
  }
  const std::uint32_t failed = failures_of(c.seen, "FetchBinary");
  if (failed > 0 && c.now < c.seen.last->at + base::Duration(15s)) {
    return Answer::note(Reason::kBinaryMissing,
                        fmt::format("etcd {} cannot be fetched: {}", text, c.seen.last->text));
  }
  return Answer::act(Reason::kBinaryMissing, FetchBinary{text},
                     fmt::format("etcd {} is not on this machine", text));
}

// How clients are to be taken. Between plain text and TLS lies a time in which every member takes
// both, also where the spec has moved on before that was reached.
api::TlsMode next_tls(const Context& c) {
  using api::TlsMode;
  const TlsMode wanted = c.intent.cluster.spec.tls.mode;
  if (wanted == TlsMode::kMigrating || parse_template(c.record.template_hash).tls == wanted)
    return wanted;
  for (const Seat& seat : c.view.seats) {
    if (!takes_part(seat)) continue;
    const TlsMode now = tls_of(*seat.record);
    if (now != TlsMode::kMigrating ? now != wanted : !runs_as_recorded(seat))
      return TlsMode::kMigrating;
  }
  return wanted;
}

void latch_template(Context& c) {
  const api::TlsMode tls = next_tls(c);
  c.record.template_hash = to_text({c.intent.template_hash, tls, c.record.rotation.trust});
  // Every member takes both: from now on those who ask get what they shall use.
  if (tls == api::TlsMode::kMigrating) return;
  for (auto& [name, member] : c.record.members)
    if (is_current(member) && tls_of(member) == api::TlsMode::kMigrating)
      give_scheme(member, tls == api::TlsMode::kDisabled ? "http" : "https");
}

// Whom members trust is not for the version to hold up.
void latch_trust(Context& c) {
  Template target = parse_template(c.record.template_hash);
  target.trust = c.record.rotation.trust;
  c.record.template_hash = to_text(target);
}

bool is_template_wanted(const Context& c) {
  const Template target = parse_template(c.record.template_hash);
  return target.spec == c.intent.template_hash && target.tls == c.intent.cluster.spec.tls.mode;
}

// Only NOSPACE is set, which a larger quota in the template may cure.
bool only_no_space(const Context& c) {
  return c.seen.alarms.known() && !c.seen.alarms->empty() &&
         std::ranges::all_of(*c.seen.alarms,
                             [](const Alarm& a) { return a.kind == AlarmKind::kNoSpace; });
}

// The flags hold the cure of NOSPACE, and no member that was given them has failed.
bool cures_no_space(const Context& c) {
  const bool failed = running(c.record, OperationKind::kRollout) && c.record.operation->halted;
  return !failed && only_no_space(c) && std::ranges::any_of(c.view.seats, [&](const Seat& seat) {
    return raises_quota(c.intent, seat);
  });
}

// What is under way and does not come up may always be replaced, and there is always a way back;
// else the cluster must be well. A member that a rollout has just stopped is no reason to leave out
// what is promised before the next minor version.
bool replaces_rollout(const Context& c, const VersionVerdict& verdict, bool begins_minor) {
  if (!running(c.record, OperationKind::kRollout)) return false;
  const Operation& op = *c.record.operation;
  const Seat* seat = c.view.by_name(op.member);
  const bool is_down = seat != nullptr && !seat->healthy;
  return verdict.down || op.halted || (is_down && !begins_minor);
}

// Why the wanted version is not taken as the target now; no value: it was taken.
std::optional<Answer> latch_version(Context& c, const api::Version& wanted) {
  const VersionVerdict verdict = judge_version(c, wanted);
  if (verdict.kind == VersionVerdict::Kind::kRefused) {
    Answer answer = Answer::note(verdict.reason, verdict.message);
    answer.look_again = kRefusedLook;
    return answer;
  }
  if (verdict.kind == VersionVerdict::Kind::kNotYet) {
    const bool well = not_all_healthy(c.view).empty();
    if (verdict.advance_to == 0 || !well || too_soon(c, "AdvanceLog"))
      return Answer::note(verdict.reason, verdict.message);
    return Answer::act(verdict.reason, AdvanceLog{verdict.advance_to}, verdict.message);
  }
  if (auto answer = need_binary(c, wanted)) return answer;
  const std::string problem = not_all_healthy(c.view);
  const bool alarm = !c.seen.alarms.known() || !c.seen.alarms->empty();
  const bool begins_minor = verdict.next_minor && !c.record.version.same_minor(wanted);
  const bool replaces = replaces_rollout(c, verdict, begins_minor) && !cures_no_space(c);
  if (!replaces && (!problem.empty() || alarm)) {
    return Answer::note(Reason::kUpgradePreflight,
                        fmt::format("{} waits: {}", verdict.message,
                                    problem.empty() ? "an alarm is set or not known" : problem));
  }
  if (begins_minor && (!replaces || c.view.quorum))
    if (auto waits = backup_before(c, wanted)) return waits;
  c.record.version = wanted;
  tell(c, verdict.reason, verdict.message);
  if (verdict.next_minor) warn_without_backup(c);
  begin_rollout(c, verdict.reason);
  c.record.operation->halted = false;
  c.record.operation->deadline = c.now + kBegin;
  return std::nullopt;
}

// Takes what the spec wants as the target if that is possible now, version and template together:
// flags that were written for one version are not tried on another, unless they may cure what the
// version waits for. An answer: why it is not taken.
std::optional<Answer> latch_target(Context& c) {
  if (c.intent.wish != Wish::kPresent) return std::nullopt;
  if (mutant(base::Mutant::kNoWayBack) && c.record.operation && c.record.operation->halted)
    return std::nullopt;
  const api::Version& wanted = c.intent.cluster.spec.version;
  std::optional<Answer> waits;
  if (wanted != c.record.version) waits = latch_version(c, wanted);
  if (!waits || cures_no_space(c)) {
    latch_template(c);
  } else {
    latch_trust(c);
    if (!is_template_wanted(c)) waits->message += "; other changes of the spec wait for it";
  }
  return waits;
}

Reason why_of(const Context& c, const Seat& seat) {
  if (seat.record->version < c.record.version) return Reason::kUpgrade;
  if (c.record.version < seat.record->version) return Reason::kUpgradeAborted;
  if (tls_of(*seat.record) != parse_template(c.record.template_hash).tls)
    return Reason::kTlsMigration;
  const bool upgrade = running(c.record, OperationKind::kRollout);
  return upgrade ? c.record.operation->reason : Reason::kRollout;
}

// Until 3.5.20 etcd did not keep the promotion of a learner in the store that 3.6 reads the members
// from, and a member of 3.6 that finds two such learners there does not start (etcd#19557).
// Running a later 3.5 mends nothing; to write each member's record again does.
bool is_first_of_36(const Context& c) {
  return c.record.version.minor == 6 && std::ranges::all_of(c.view.seats, [](const Seat& seat) {
           if (seat.status == nullptr) return false;
           const auto runs = api::parse_version(seat.status->version);
           return runs && runs->minor == 5;
         });
}

// This very change of this member was decided before, and the member still runs as it did.
bool is_decided(const Context& c, const Seat& seat) {
  if (!running(c.record, OperationKind::kRollout)) return false;
  const Operation& op = *c.record.operation;
  return op.step == "restart" && op.member == seat.record->name &&
         seat.record->version == c.record.version &&
         seat.record->template_hash == c.record.template_hash;
}

// A stop may be refused for a while for a good reason: what keeps pods from being evicted protects
// somebody. It is tried for ever, told each time, and called halted when it takes long. No value:
// it is tried now.
std::optional<Answer> stop_is_refused(Context& c, const Seat& seat, Reason why) {
  const std::uint32_t refused = failures_of(c.seen, "StopMember");
  if (refused == 0) return std::nullopt;
  Operation& op = *c.record.operation;
  const bool long_refused = refused >= kStopTries;
  if (long_refused && std::exchange(op.note, c.seen.last->text) != c.seen.last->text)
    warn(c, Reason::kRolloutHalted,
         fmt::format("{} cannot be stopped for the change ({}): it is tried again, and the others "
                     "are left as they are",
                     seat.name(), op.note));
  op.halted = long_refused;
  if (!too_soon(c, "StopMember")) return std::nullopt;
  return Answer::wait(op.halted ? Reason::kRolloutHalted : why,
                      fmt::format("{}{} is to be stopped for the change{}",
                                  op.halted ? "the rollout is halted: " : "", seat.name(),
                                  why_not_done(c.seen, "StopMember")),
                      1s);
}

// The step of one member.
Answer change(Context& c, const Seat& seat, std::string note) {
  const Reason why = why_of(c, seat);
  // It is seen to be stopped and to answer: one of the two is old, and its data may be condemned.
  if (is_stopped(seat) && (seat.healthy || never_again(seat)))
    return Answer::wait(why, seat.name() + " is seen to be stopped and to answer", 1s);
  if (is_first_of_36(c) && !just_done(c, "RewriteMembers")) {
    const std::string text =
        "the members' records are written once more: 3.6 reads from them who "
        "votes";
    if (too_soon(c, "RewriteMembers"))
      return Answer::wait(why, text + why_not_done(c.seen, "RewriteMembers"), 1s);
    return Answer::act(why, RewriteMembers{}, text);
  }
  const bool decided = is_decided(c, seat) && !is_stopped(seat);
  if (decided)
    if (auto answer = stop_is_refused(c, seat, why)) return *std::move(answer);
  begin_rollout(c, why);
  const std::int64_t size = seat.status == nullptr ? 0 : seat.status->db_size;
  Operation& op = *c.record.operation;
  op.step = "restart";
  op.member = seat.record->name;
  op.deadline = c.now + kComeUp + kComeUpPerGiB * (size >> 30U);
  const std::uint32_t refused = decided ? failures_of(c.seen, "StopMember") : 0;
  op.halted = false;
  if (refused == 0) op.note.clear();
  const bool new_version = seat.record->version != c.record.version;
  MemberRecord& member = c.record.members.at(seat.record->name);
  member.version = c.record.version;
  give_template(member, c.record.template_hash);
  std::string text = fmt::format(
      "{} restarts with {}{}", member.name,
      new_version ? "etcd " + member.version.text() : std::string("the new template"), note);
  if (refused == 0) tell(c, why, text);
  if (is_stopped(seat)) return Answer::act(why, StartMember{member.name}, std::move(text));
  if (refused > 0) text += why_not_done(c.seen, "StopMember");
  return Answer::act(refused >= kStopTries ? Reason::kRolloutHalted : why, StopMember{member.name},
                     std::move(text));
}

// Peers show certificates only when they connect: until it was renewed, nobody finds back to a
// member whose own has expired, nor that member to anybody, once their connection is broken.
const Seat* expired_voter(const View& view) {
  const auto found = std::ranges::find_if(view.seats, [&](const Seat& s) {
    return s.voter && s.facts != nullptr && s.facts->certificate_expires.known() &&
           *s.facts->certificate_expires <= view.now;
  });
  return found == view.seats.end() || view.voters == 1 ? nullptr : &*found;
}

// Why no healthy member may be restarted now; empty: one may.
std::string preflight(const Context& c, const Seat& next, bool version_changes) {
  if (mutant(base::Mutant::kAllAtOnce)) return {};
  if (std::string problem = not_all_healthy(c.view); !problem.empty()) return problem;
  if (volume_ends(next))
    return fmt::format("{} is not restarted: {}", next.name(),
                       meaning_of(Reason::kMemberVolumeGoing));
  if (!c.seen.alarms.known()) return "the alarms are not known";
  const bool may_cure = !version_changes || raises_quota(c.intent, next);
  if (!c.seen.alarms->empty() && !(may_cure && only_no_space(c))) return "an alarm is set";
  if (const Seat* expired = expired_voter(c.view))
    return fmt::format(
        "the certificate of {} has expired, and no new connection to it would come up",
        expired->name());
  return {};
}

// Waits for health; halts by the deadline or when the member fails again and again.
Answer wait_for_health(Context& c, const std::string& problem, bool version_changes) {
  if (!running(c.record, OperationKind::kRollout)) {
    return Answer::wait(version_changes ? Reason::kUpgradePreflight : Reason::kRollout,
                        fmt::format("a rollout waits: {}", problem), 2s);
  }
  Operation& op = *c.record.operation;
  const Seat* seat = c.view.by_name(op.member);
  // What etcd refuses it refuses again.
  const bool ended =
      seat != nullptr && seat->facts != nullptr && !seat->healthy && seat->facts->ended.has_value();
  const bool fails =
      ended && (seat->ended_by(End::kConfig) || seat->facts->ended->failures >= kFailedStarts);
  if (!op.halted && (fails || c.now >= op.deadline)) {
    op.halted = true;
    op.note = fails && !seat->facts->ended->text.empty() ? seat->facts->ended->text : problem;
    warn(c, Reason::kRolloutHalted,
         op.member.empty() ? fmt::format("the rollout halts: {}", op.note)
                           : fmt::format("{} does not come up with the change ({}): the others are "
                                         "left as they are. Put the spec back, or correct it",
                                         op.member, op.note));
  }
  if (op.halted) {
    return Answer::wait(
        Reason::kRolloutHalted,
        fmt::format("the rollout is halted: {}{}. Put the spec back, or correct it", problem,
                    op.note.empty() || op.note == problem ? "" : " (" + op.note + ")"),
        5s);
  }
  return Answer::wait(op.reason, fmt::format("waiting: {}", problem), 250ms);
}

const Seat* next_misfit(const Context& c, bool that_cures) {
  const Seat* last = nullptr;  // the leader
  for (const Seat& seat : c.view.seats) {
    if (!takes_part(seat) || fits(c.record, seat)) continue;
    if (that_cures && !raises_quota(c.intent, seat)) continue;
    const bool leads = c.view.leader != nullptr && c.view.leader->record == seat.record;
    if (leads == mutant(base::Mutant::kLeaderFirst)) return &seat;
    last = &seat;
  }
  return last;
}

// With NOSPACE set the others wait for the alarm, and the alarm may wait for a member's larger
// quota.
const Seat* next_misfit(const Context& c) {
  const Seat* cure = only_no_space(c) ? next_misfit(c, true) : nullptr;
  return cure != nullptr ? cure : next_misfit(c, false);
}

// Every member takes both: the addresses that clients get become those with TLS.
bool open_both(Context& c) {
  if (parse_template(c.record.template_hash).tls != api::TlsMode::kMigrating) return false;
  if (!not_all_healthy(c.view).empty()) return false;
  bool plain = false;
  for (auto& [name, member] : c.record.members) {
    if (!is_current(member)) continue;
    plain |= member.addresses.client_url.starts_with("http:");
    give_scheme(member, "https");
  }
  if (plain)
    tell(c, Reason::kTlsMigration,
         "every member takes clients with TLS and without, at one address; when none needs plain "
         "text any more, set the mode to Required");
  return plain;
}

Answer finish(Context& c) {
  const bool opened = open_both(c);
  if (!running(c.record, OperationKind::kRollout))
    return opened ? Answer::noted() : Answer::nothing();
  if (const std::string problem = not_all_healthy(c.view); !problem.empty())
    return wait_for_health(c, problem, false);
  const Reason why = c.record.operation->reason;
  tell(c, why,
       fmt::format("every member runs etcd {} and the wanted template", c.record.version.text()));
  end(c, OperationKind::kRollout);
  return Answer::note(why, "done");
}

Answer restart_next(Context& c, const Seat& next) {
  const bool version = next.record->version != c.record.version;
  if (const std::string problem = preflight(c, next, version); !problem.empty())
    return wait_for_health(c, problem, version);
  const bool leads = c.view.leader != nullptr && c.view.leader->record == next.record &&
                     !mutant(base::Mutant::kLeaderFirst);
  if (leads && failures_of(c.seen, "MoveLeader") < kMoveTries) {
    const Record& target = c.record;
    const Seat* to = best_transferee(
        c.view, [&](const Seat& seat) { return takes_part(seat) && fits(target, seat); });
    if (to != nullptr) {
      Answer answer = Answer::act(Reason::kLeaderMoved, MoveLeader{next.etcd->id, to->etcd->id},
                                  fmt::format("leadership moves from {} to {} before {} restarts",
                                              next.name(), to->name(), next.name()));
      answer.overtakes = only_no_space(c);
      return answer;
    }
  }
  const bool outage = c.view.voters <= 2 || mutant(base::Mutant::kAllAtOnce);
  if (!outage && !c.view.may_stop(next))
    return Answer::wait(Reason::kQuorumUnsafe,
                        fmt::format("{} is not restarted: too few would be left", next.name()), 2s);
  Answer answer = change(
      c, next,
      outage ? fmt::format("; an announced outage: with {} member{} the cluster stands still "
                           "meanwhile",
                           c.view.voters, c.view.voters == 1 ? "" : "s")
             : std::string());
  answer.overtakes = only_no_space(c);
  return answer;
}

// S7: a target that was taken before the cluster version moved is not carried out after it.
bool below_the_cluster(const Context& c) {
  return c.record.version.minor < minor_reached(c) &&
         !mutant(base::Mutant::kDowngradeAfterTheFlip) &&
         std::ranges::any_of(
             c.view.seats,
             [&](const Seat& s) { return takes_part(s) && c.record.version < s.record->version; });
}

Answer roll(Context& c) {
  if (below_the_cluster(c)) {
    return Answer::wait(Reason::kDowngradeRefused,
                        fmt::format("the cluster version has moved past etcd {}: members that run "
                                    "a newer one stay; set the version that they run",
                                    c.record.version.text()),
                        5s);
  }
  for (const Seat& seat : c.view.seats) {
    if (!takes_part(seat) || fits(c.record, seat) || !is_down(c, seat)) continue;
    if (never_again(seat)) continue;
    Answer answer = change(c, seat, "; it was down");
    answer.overtakes = true;
    return answer;
  }
  const Seat* next = next_misfit(c);
  return next == nullptr ? finish(c) : restart_next(c, *next);
}

}  // namespace

Answer roll_out(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery) return Answer::nothing();
  std::optional<Answer> refused = latch_target(c);
  Answer answer = roll(c);
  if (answer.kind == Answer::Kind::kNothing) return refused.value_or(std::move(answer));
  // The binary of a correction is fetched while the rollout waits.
  const bool fetches = refused && refused->kind == Answer::Kind::kAct;
  if (fetches && answer.kind != Answer::Kind::kAct) return *std::move(refused);
  if (refused) answer.message += "; " + refused->message;
  return answer;
}

}  // namespace plan
