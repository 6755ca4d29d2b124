// A fenced recovery. Everything old is stopped, and its stop is seen; the survivor's data is saved;
// then a new incarnation with a new token and a new peer authority begins as one member that
// restores it. The old incarnation's members never start again.
//
// A restore in place comes here with no survivor: it begins again empty, and so from its backup.
//
// Operation steps of kRecovery: "save" (snapshot of the running survivor), "stop", "export" (from
// its volume), "fence" (new authority), "restore", "put aside" (only when beginning empty). A try
// that came to nothing leaves its words in Recovery::failure and asks ("approve again") for
// another, from the next member with data if this one's is of no use; when all of them were tried
// in vain, it asks to begin again.
#include "plan/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/mutants.h"
#include "base/text.h"
#include "plan/loss.h"
#include "plan/members.h"
#include "plan/restore.h"
#include "plan/template.h"
#include "plan/tries.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kSaveLimit = 5min;
constexpr std::uint32_t kSaveTries = 3;
constexpr base::Duration kSoon = 250ms;
constexpr base::Duration kAway = 1min;  // longer than there ever is between two passes
constexpr std::string_view kPutAside = "put aside";

Answer gate(std::string message) {
  return Answer::stop(Reason::kRecovering, std::move(message), kSoon);
}

// One try at a time: what failed is repeated after its backoff.
Answer attempt(const Context& c, Reason why, Action action, std::string message) {
  if (too_soon(c, name_of(action))) return gate(fmt::format("{}: {}", message, c.seen.last->text));
  return Answer::act(why, std::move(action), std::move(message));
}

// The first fence of this recovery is not made: the old cluster is all there is.
bool is_old_in_force(const Context& c) {
  return !is_fenced(c.record) && c.record.formation == Formation::kLatched;
}

// Before the fence nothing was changed: what was stopped starts again.
void go_on_as_before(Context& c) {
  for (auto& [name, member] : c.record.members) {
    const bool ran = member.started_at != base::Instant{};
    if (member.phase == Phase::kVoter || (member.phase == Phase::kLearner && ran))
      member.may_start = true;
  }
  c.record.recovery.reset();
  c.record.operation.reset();
  forget_loss(c.record);
}

Answer give_up(Context& c, const std::string& why) {
  go_on_as_before(c);
  const std::string text = why + ": the recovery is given up, nothing was changed";
  tell(c, Reason::kRecovering, text);
  return Answer::note(Reason::kRecovering, text);
}

// Stops everything old; no value: all that could serve is proven stopped.
std::optional<Answer> stop_old(Context& c) {
  if (mutant(base::Mutant::kOldRunsOn)) return std::nullopt;
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kRecovering;
  std::string names;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || seat.record->incarnation != c.record.recovery->old_incarnation ||
        is_stopped(seat))
      continue;
    const std::string& name = seat.record->name;
    const bool known = seat.facts != nullptr && seat.facts->process.known();
    // What lost its data may still run on it. For one that is out of sight a person may vouch.
    const bool vouched = c.record.recovery->vouched.contains(name);
    if (!known && vouched && name != c.record.recovery->survivor) continue;
    names += (names.empty() ? "" : ", ") + name;
    answer.steps.push_back({StopMember{name}, Reason::kRecovering});
  }
  if (answer.steps.empty()) return std::nullopt;
  hidden_last(c.view, answer.steps);
  c.record.operation->step = "stop";
  if (too_soon(c, "StopMember")) {
    return gate(fmt::format("{} must be seen to have stopped: {}", names, c.seen.last->text));
  }
  answer.message = fmt::format("the old incarnation stops: {}", names);
  answer.look_again = kSoon;
  return answer;
}

std::optional<Answer> save_running(Context& c) {
  const Recovery& recovery = *c.record.recovery;
  const Seat* seat = c.view.by_name(recovery.survivor);
  const bool runs = seat != nullptr && seat->status != nullptr && !is_stopped(*seat);
  // Best effort: its volume is read afterwards if this does not succeed.
  if (saved(c) || !runs || c.now > recovery.chosen_at + kSaveLimit ||
      failures_of(c.seen, "SnapshotSurvivor") >= kSaveTries)
    return std::nullopt;
  // Once a failed try was followed by another step, it is not begun again.
  if (c.record.operation->step != "save") return std::nullopt;
  return attempt(c, Reason::kSurvivorSaved, SnapshotSurvivor{recovery.survivor},
                 fmt::format("a snapshot of {} is taken before it stops", recovery.survivor));
}

// The fields of the record that make the old incarnation history.
void leave_incarnation(Context& c) {
  Record& r = c.record;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || !is_current(*seat.record)) continue;
    MemberRecord& member = r.members.at(seat.record->name);
    const bool keep = member.phase != Phase::kForming && !is_proven_lost(seat);
    member.phase = keep ? Phase::kSurvivor : Phase::kRetired;
    member.may_start = false;
  }
  give_up_token(r);
  r.incarnation.clear();
  r.cluster_id = {};
  r.epoch += 1;
  r.open_to_clients = false;
  r.strangers.clear();
  r.last_defragmented.clear();
  r.compacted_revision = 0;
}

Answer fence(Context& c) {
  const Record before = c.record;
  Recovery& recovery = *c.record.recovery;
  if (recovery.bound.empty()) {
    recovery.bound = fmt::format(
        "{} (an observed lower bound); what was acknowledged after {} may be lost, how much is "
        "unknown",
        c.seen.survivor_bound.empty() ? "its applied data" : c.seen.survivor_bound,
        base::to_rfc3339(c.record.last_quorum_read));
  }
  const MemberRecord survivor = c.record.members.at(recovery.survivor);
  const bool keeps_token = mutant(base::Mutant::kRecoveryKeepsToken);
  leave_incarnation(c);
  c.record.incarnation = c.seen.fresh_incarnation;
  c.record.token = keeps_token ? before.token
                               : fmt::format("{}-{}", c.record.key.name, c.seen.fresh_incarnation);
  std::vector<MemberRecord> fresh = offers(c, 1);
  if (c.seen.fresh_incarnation.empty() || fresh.empty() ||
      (!keeps_token && c.record.old_tokens.contains(c.record.token))) {
    c.record = before;
    return gate("a fresh name, address and volume are awaited");
  }
  MemberRecord& member = fresh.front();
  member.phase = Phase::kForming;
  member.permit = Permit::kRestore;
  member.may_start = false;
  member.version = survivor.version;
  give_template(member, survivor.template_hash);
  c.record.formation = Formation::kForming;
  c.record.operation->step = "fence";
  c.record.operation->member = member.name;
  c.record.members[member.name] = member;
  return Answer::act(Reason::kRecovering, NewPeerAuthority{},
                     fmt::format("a new incarnation is fenced off; {} will restore the data of {}",
                                 member.name, recovery.survivor));
}

// Beginning again empty: nothing old is in the record's or the new members' way.
Answer begin_empty(Context& c) {
  std::string unknown;
  for (const Seat& seat : c.view.seats)
    if (seat.record != nullptr && !is_stopped(seat)) unknown = seat.record->name;
  if (!unknown.empty())
    return gate(
        fmt::format("{} is not seen to have stopped; it must not meet the new cluster", unknown));
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  const bool in_place = c.record.in_place.stage == InPlace::kBegin;
  answer.reason = in_place ? Reason::kRestoreInPlace : Reason::kDataLossTotal;
  answer.message = in_place ? "the data of the old incarnation is put aside, and kept"
                            : "what is left of the old incarnation is put aside";
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || seat.facts->data.is_absent()) continue;
    answer.steps.push_back({PutAside{seat.record->name, false}, answer.reason});
  }
  for (auto& [name, member] : c.record.members)
    if (is_current(member)) member.phase = Phase::kRetired;
  c.record.operation->step = kPutAside;
  if (!answer.steps.empty() && !too_soon(c, "PutAside")) return answer;
  if (!answer.steps.empty()) return gate(fmt::format("{}: {}", answer.message, c.seen.last->text));
  leave_incarnation(c);
  c.record.members.clear();
  c.record.formation = Formation::kNone;
  c.record.highest_minor_seen = 0;
  c.record.minor_since_index = 0;
  c.record.quorum_lost_since.reset();
  c.record.recovery.reset();
  c.record.operation.reset();
  const RestoreRecord& restore = c.record.restore;
  const bool again = is_declared_again(c);
  const std::string text = restore.after_loss && restore.found == Found::kBackup
                               ? "a new cluster begins from " + brought_back(c)
                           : again ? "a new cluster begins as it is declared"
                                   : "a new empty cluster begins, as a person approved";
  if (in_place || again)
    tell(c, answer.reason, text);
  else
    warn(c, answer.reason, text);
  return Answer::stop(answer.reason, text, kSoon);
}

// A restore in place whose members do not all stop: they serve again, as they did before. Once one
// of them is put aside there is no way back but to go on. No value: it goes on.
std::optional<Answer> give_up_in_place(Context& c) {
  if (c.record.in_place.stage != InPlace::kBegin || !is_old_in_force(c) || !c.record.operation ||
      c.record.operation->step == kPutAside || c.now < c.record.operation->deadline)
    return std::nullopt;
  std::vector<std::string> left;
  for (const Seat& seat : c.view.seats)
    if (seat.record != nullptr && !is_stopped(seat)) left.push_back(seat.record->name);
  const std::string text = refuse_in_place(
      c, fmt::format("its members had to stop by its deadline, and {} {} not seen to have stopped",
                     left.empty() ? "one of them" : base::join(left, ", "),
                     left.size() > 1 ? "were" : "was"));
  go_on_as_before(c);
  return Answer::note(Reason::kRestoreRefused, text);
}

// Why the decision does not hold any more; empty: it does.
std::string why_moot(const Context& c) {
  if (!is_old_in_force(c) || (c.record.operation && c.record.operation->step == kPutAside))
    return {};
  if (c.record.in_place.stage == InPlace::kBegin) return {};
  if (c.view.quorum) return "a quorum is back";
  if (assess_loss(c.view, c.record).kind == Loss::Kind::kMayReturn)
    return "enough voters have their data again";
  // What failed before is not to be chosen again by itself.
  if (c.record.recovery->failed.empty() && is_survivor_gone(c))
    return "the data of " + c.record.recovery->survivor + " is gone too, or was refused";
  return {};
}

// What the decision rested on is looked at once more when everything is seen to have stopped.
// Empty: it holds.
std::string why_outdated(const Context& c) {
  if (!is_old_in_force(c)) return {};
  const Recovery& recovery = *c.record.recovery;
  const Loss loss = assess_loss(c.view, c.record);
  if (!recovery.approved && loss.kind != Loss::Kind::kSurvivor)
    return fmt::format("what was proven is not proven any more ({})",
                       facts_in_words(c.record, loss));
  if (!recovery.failed.empty()) return {};  // everything had stopped when it was chosen
  const Seat* best = choose_survivor(c.view, c.record, recovery.old_incarnation);
  const Seat* chosen = c.view.by_name(recovery.survivor);
  if (best == nullptr || chosen == nullptr) return {};
  if (ranks_before(*best, *chosen))
    return fmt::format("the data of {} counts before that of {} now", best->record->name,
                       recovery.survivor);
  if (is_noted_longer(*best, *chosen))
    return fmt::format("{} stopped with a longer log than {}", best->record->name,
                       recovery.survivor);
  return {};
}

Answer before_fence(Context& c) {
  if (auto answer = save_running(c)) return *std::move(answer);
  if (auto answer = stop_old(c)) return *std::move(answer);
  const std::string& survivor = c.record.recovery->survivor;
  if (survivor.empty()) return begin_empty(c);
  if (const std::string why = why_outdated(c); !why.empty()) return give_up(c, why);
  // The volume may hold what the survivor had not yet applied: it is read even after a snapshot.
  const bool in_vain = is_export_damaged(c) ||
                       (is_exporting(c) && failures_of(c.seen, "ExportSurvivor") >= kSaveTries);
  const bool exported = is_exporting(c) && just_done(c, "ExportSurvivor");
  if (!exported && !(saved(c) && in_vain)) {
    Answer answer = attempt(c, Reason::kRecovering, ExportSurvivor{survivor},
                            fmt::format("the data of {} is read from its volume", survivor));
    if (answer.kind == Answer::Kind::kAct) c.record.operation->step = "export";
    return answer;
  }
  return fence(c);
}

// The latch; from here on it is a cluster like any other, and is opened like any other.
Answer latch(Context& c, const Seat& seat) {
  const Recovery recovery = *c.record.recovery;
  MemberRecord& member = c.record.members.at(seat.record->name);
  member.id = seat.etcd->id;
  member.phase = Phase::kVoter;
  member.permit = Permit::kData;
  c.record.cluster_id = c.seen.membership->cluster_id;
  c.record.formation = Formation::kLatched;
  c.record.bootstrap_source = fmt::format("Survivor {}: {}", recovery.survivor, recovery.bound);
  c.record.bootstrapped_at = c.now;
  c.record.last_quorum_read = c.now;
  c.record.recovery.reset();
  c.record.operation.reset();
  const std::string text = fmt::format("recovered from {}: {}", recovery.survivor, recovery.bound);
  warn(c, Reason::kRecovered, text);
  return Answer::act(Reason::kRecovered, WriteTicket{member.name}, text);
}

bool is_formed(const Context& c, const Seat& seat) {
  return c.view.list_known && seat.voter && seat.healthy && seat.etcd->started &&
         c.seen.membership->members.size() == 1;
}

Answer build(Context& c) {
  Operation& op = *c.record.operation;
  const Seat* seat = c.view.by_name(op.member);
  if (seat == nullptr) return gate("the record lacks the member that restores");
  if (op.step == "fence") {
    if (!just_done(c, "NewPeerAuthority"))
      return attempt(c, Reason::kRecovering, NewPeerAuthority{}, "a new peer authority is made");
    op.step = "restore";
  }
  if (is_formed(c, *seat)) return latch(c, *seat);
  MemberRecord& member = c.record.members.at(op.member);
  if (member.may_start && !is_stopped(*seat)) {
    return gate(seat->facts != nullptr && seat->facts->ended
                    ? fmt::format("{} restores: {}", member.name, seat->facts->ended->text)
                    : fmt::format("{} restores the data and starts", member.name));
  }
  if (too_soon(c, "PrepareMember") || too_soon(c, "StartMember"))
    return gate(fmt::format("{} cannot be started: {}", member.name, c.seen.last->text));
  member.may_start = true;
  member.started_at = c.now;
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kRecovering;
  answer.message =
      fmt::format("{} restores the data of {}", member.name, c.record.recovery->survivor);
  answer.look_again = kSoon;
  answer.steps = {{PrepareMember{member.name}, Reason::kRecovering},
                  {StartMember{member.name}, Reason::kRecovering}};
  return answer;
}

// Another operation (waking) took its place: the stored decision stands.
void resume(Context& c, bool fenced) {
  std::string member = c.record.recovery->survivor;
  for (const auto& [name, record] : c.record.members)
    if (fenced && record.phase == Phase::kForming) member = name;
  Operation& op =
      begin(c, OperationKind::kRecovery, Reason::kQuorumLostForGood, member, kTryDeadline);
  op.id = c.record.recovery->operation;
  op.step = fenced ? "fence" : "stop";
}

// Its deadline counts the time in which it could be worked at: not that of a pause, nor one in
// which no operator ran. What a step took counts.
void leave_out_absence(Context& c) {
  const base::Instant before = std::exchange(c.record.recovery->looked_at, c.now);
  const bool stepped = c.seen.last && c.seen.last->at > before;
  if (before == base::Instant{} || c.now - before <= kAway || stepped) return;
  c.record.operation->deadline += c.now - before;
}

}  // namespace

Answer begin_recovery(Context& c, const std::string& survivor, const Basis& basis) {
  const std::string id =
      running(c.record, OperationKind::kRecovery) || running(c.record, OperationKind::kRestore)
          ? c.record.operation->id
          : c.seen.fresh_operation;
  c.record.operation.reset();
  const Reason why = c.record.in_place.stage == InPlace::kBegin ? Reason::kRestoreInPlace
                     : survivor.empty()                         ? Reason::kDataLossTotal
                                                                : Reason::kQuorumLostForGood;
  Operation& op = begin(c, OperationKind::kRecovery, why, survivor, kTryDeadline);
  op.id = id;
  op.step = "save";
  Recovery& recovery = c.record.recovery.emplace();
  recovery.operation = id;
  recovery.survivor = survivor;
  recovery.old_incarnation = c.record.incarnation;
  recovery.chosen_at = c.now;
  recovery.approved = basis.approved;
  recovery.vouched = {basis.vouched.begin(), basis.vouched.end()};
  for (auto& [name, member] : c.record.members) member.may_start = false;
  if (!survivor.empty()) {
    tell(c, Reason::kSurvivorChosen,
         fmt::format("of what may be used {} has the longest log that was seen: the cluster is "
                     "recovered from it",
                     survivor));
  }
  return Answer::stop(Reason::kRecovering, "the recovery is decided on and begins",
                      base::Duration(100));
}

Answer continue_recovery(Context& c) {
  if (!c.record.recovery) return Answer::nothing();
  if (auto answer = give_up_in_place(c)) return *std::move(answer);
  if (const std::string why = why_moot(c); !why.empty()) return give_up(c, why);
  const bool fenced = is_fenced(c.record);
  if (!running(c.record, OperationKind::kRecovery)) resume(c, fenced);
  leave_out_absence(c);
  // Late or not: what has formed is latched.
  for (const Seat& seat : c.view.seats)
    if (fenced && seat.record != nullptr && seat.record->phase == Phase::kForming &&
        is_formed(c, seat))
      return latch(c, seat);
  if (auto answer = hold_if_failed(c)) return *std::move(answer);
  // With an expired certificate it would never be seen to have formed.
  if (Answer renewal = renew_certificates(c); fenced && renewal.kind == Answer::Kind::kAct)
    return renewal;
  return fenced ? build(c) : before_fence(c);
}

}  // namespace plan
