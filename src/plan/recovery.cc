// A fenced recovery. Everything old is stopped, and its stop is seen; the survivor's data is saved;
// then a new incarnation with a new token and a new peer authority begins as one member that
// restores it. The old incarnation's members never start again.
//
// Operation steps of kRecovery: "save" (snapshot of the running survivor), "stop", "export" (from
// its volume), "fence" (new authority), "restore", "put aside" (only when beginning empty),
// "approve again" (past its deadline).
#include "plan/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "plan/loss.h"
#include "plan/members.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kDeadline = 30min;
constexpr base::Duration kSaveLimit = 5min;
constexpr std::uint32_t kSaveTries = 3;
constexpr base::Duration kSoon = 250ms;

Answer gate(std::string message) {
  return Answer::stop(Reason::kRecovering, std::move(message), kSoon);
}

// One try at a time: what failed is repeated after its backoff.
Answer attempt(const Context& c, Reason why, Action action, std::string message) {
  if (too_soon(c, name_of(action))) return gate(fmt::format("{}: {}", message, c.seen.last->text));
  return Answer::act(why, std::move(action), std::move(message));
}

bool saved(const Context& c) {
  return c.seen.survivor_snapshot.known() && *c.seen.survivor_snapshot;
}

// Before the fence the quorum may still come back, if what was lost was not lost.
Answer give_up(Context& c) {
  for (auto& [name, member] : c.record.members) {
    if (member.phase == Phase::kVoter || member.phase == Phase::kLearner) member.may_start = true;
  }
  c.record.recovery.reset();
  c.record.operation.reset();
  const std::string text = "a quorum is back: the recovery is given up, nothing was changed";
  tell(c, Reason::kRecovering, text);
  return Answer::note(Reason::kRecovering, text);
}

// Stops everything old; no value: all that could serve is proven stopped.
std::optional<Answer> stop_old(Context& c) {
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kRecovering;
  std::string names, unknown;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || seat.record->incarnation != c.record.recovery->old_incarnation ||
        is_stopped(seat))
      continue;
    const std::string& name = seat.record->name;
    const bool known = seat.facts != nullptr && seat.facts->process.known();
    // Without data it cannot vote; for one that is out of sight a person may vouch.
    const bool harmless = is_proven_lost(seat) || c.record.recovery->approved;
    if (!known && harmless && name != c.record.recovery->survivor) continue;
    if (!known) unknown = name;
    names += (names.empty() ? "" : ", ") + name;
    answer.steps.push_back({StopMember{name}, Reason::kRecovering});
  }
  if (answer.steps.empty()) return std::nullopt;
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
  r.old_tokens.insert(r.token);
  r.token.clear();
  r.incarnation.clear();
  r.cluster_id = {};
  r.epoch += 1;
  r.open_to_clients = false;
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
  leave_incarnation(c);
  c.record.incarnation = c.seen.fresh_incarnation;
  c.record.token = fmt::format("{}-{}", c.record.key.name, c.seen.fresh_incarnation);
  std::vector<MemberRecord> fresh = offers(c, 1);
  if (c.seen.fresh_incarnation.empty() || fresh.empty() ||
      c.record.old_tokens.contains(c.record.token)) {
    c.record = before;
    return gate("a fresh name, address and volume are awaited");
  }
  MemberRecord& member = fresh.front();
  member.phase = Phase::kForming;
  member.permit = Permit::kRestore;
  member.may_start = false;
  member.version = survivor.version;
  member.template_hash = survivor.template_hash;
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
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kDataLossTotal;
  answer.message = "what is left of the old incarnation is put aside";
  std::string unknown;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr) continue;
    const bool gone = is_stopped(seat) && seat.facts->data.is_absent();
    if (gone) continue;
    if (!is_stopped(seat)) {
      unknown = seat.record->name;
      continue;
    }
    answer.steps.push_back({PutAside{seat.record->name, false}, Reason::kDataLossTotal});
  }
  for (auto& [name, member] : c.record.members)
    if (is_current(member)) member.phase = Phase::kRetired;
  c.record.operation->step = "put aside";
  if (!answer.steps.empty() && !too_soon(c, "PutAside")) return answer;
  if (!answer.steps.empty()) return gate(fmt::format("{}: {}", answer.message, c.seen.last->text));
  if (!unknown.empty())
    return gate(
        fmt::format("{} is not seen to have stopped; it must not meet the new cluster", unknown));
  leave_incarnation(c);
  c.record.members.clear();
  c.record.formation = Formation::kNone;
  c.record.highest_minor_seen = 0;
  c.record.minor_since_index = 0;
  c.record.quorum_lost_since.reset();
  c.record.recovery.reset();
  c.record.operation.reset();
  const std::string text = "a new empty cluster begins, as a person approved";
  warn(c, Reason::kDataLossTotal, text);
  return Answer::stop(Reason::kDataLossTotal, text, kSoon);
}

Answer before_fence(Context& c) {
  if (c.view.quorum && c.record.formation == Formation::kLatched) return give_up(c);
  if (auto answer = save_running(c)) return *std::move(answer);
  if (auto answer = stop_old(c)) return *std::move(answer);
  if (c.record.recovery->survivor.empty()) return begin_empty(c);
  // The volume may hold what the survivor had not yet applied: it is read even after a snapshot.
  const bool enough = saved(c) && failures_of(c.seen, "ExportSurvivor") >= kSaveTries;
  if (!just_done(c, "ExportSurvivor") && !enough) {
    c.record.operation->step = "export";
    return attempt(
        c, Reason::kRecovering, ExportSurvivor{c.record.recovery->survivor},
        fmt::format("the data of {} is read from its volume", c.record.recovery->survivor));
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
  const bool runs = seat->facts != nullptr && seat->facts->process.known() && !is_stopped(*seat);
  MemberRecord& member = c.record.members.at(op.member);
  if (runs && member.may_start) {
    return gate(seat->facts->ended
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
  Operation& op = begin(c, OperationKind::kRecovery, Reason::kQuorumLostForGood, member, kDeadline);
  op.id = c.record.recovery->operation;
  op.step = fenced ? "fence" : "stop";
}

// A new try under a new id: the present incarnation, if it was begun, is left as the old one was.
void try_again(Context& c) {
  Recovery& recovery = *c.record.recovery;
  recovery.operation = c.record.operation->id;
  recovery.chosen_at = c.now;
  recovery.old_incarnation = c.record.incarnation;
  Operation& op = *c.record.operation;
  op.step = "save";
  op.member = recovery.survivor;
  op.halted = false;
  op.reason = Reason::kRecovering;
  op.note.clear();
  op.started_at = c.now;
  op.deadline = c.now + kDeadline;
}

// What was restored can never run: waiting for the deadline would change nothing.
bool is_hopeless(const Context& c) {
  if (c.record.incarnation == c.record.recovery->old_incarnation) return false;
  const Seat* seat = c.view.by_name(c.record.operation->member);
  return seat != nullptr && (seat->ended_by(End::kDataLost) || seat->ended_by(End::kDataCorrupt) ||
                             seat->ended_by(End::kForeign));
}

// Past its deadline it waits for a person; no value: it goes on.
std::optional<Answer> hold_if_late(Context& c) {
  const bool asking = c.record.operation->step == "approve again";
  if (!asking && c.now < c.record.operation->deadline && !is_hopeless(c)) return std::nullopt;
  if (!asking) {
    const std::string step = c.record.operation->step;
    c.record.operation.reset();
    Operation& op =
        begin(c, OperationKind::kRecovery, Reason::kApprovalNeeded, "", base::Duration(0));
    op.step = "approve again";
    op.halted = true;
    const std::string& survivor = c.record.recovery->survivor;
    op.note = fmt::format(
        "{} failed or is not done by its deadline (step '{}')",
        survivor.empty() ? "beginning again empty" : "the recovery from " + survivor, step);
    warn(c, Reason::kOperationTimedOut, op.note);
  }
  const Operation& op = *c.record.operation;
  if (is_approved(c.intent, op.id, c.now)) {
    try_again(c);
    return std::nullopt;
  }
  return Answer::stop(
      Reason::kApprovalNeeded,
      fmt::format("{}. Approval tries again: {}", op.note, approve_command(c.record, op.id)), 2s);
}

}  // namespace

Answer begin_recovery(Context& c, const std::string& survivor, bool approved) {
  const std::string id =
      running(c.record, OperationKind::kRecovery) ? c.record.operation->id : c.seen.fresh_operation;
  c.record.operation.reset();
  const Reason why = survivor.empty() ? Reason::kDataLossTotal : Reason::kQuorumLostForGood;
  Operation& op = begin(c, OperationKind::kRecovery, why, survivor, kDeadline);
  op.id = id;
  op.step = "save";
  c.record.recovery = Recovery{id, survivor, "", c.record.incarnation, c.now, approved};
  for (auto& [name, member] : c.record.members) member.may_start = false;
  if (!survivor.empty()) {
    tell(c, Reason::kSurvivorChosen,
         fmt::format("{} has the longest log that was seen: the cluster is recovered from it",
                     survivor));
  }
  return Answer::stop(Reason::kRecovering, "the recovery is decided on and begins",
                      base::Duration(100));
}

Answer continue_recovery(Context& c) {
  if (!c.record.recovery) return Answer::nothing();
  const bool fenced = c.record.incarnation != c.record.recovery->old_incarnation;
  if (!running(c.record, OperationKind::kRecovery)) resume(c, fenced);
  // Late or not: what has formed is latched.
  for (const Seat& seat : c.view.seats)
    if (fenced && seat.record != nullptr && seat.record->phase == Phase::kForming &&
        is_formed(c, seat))
      return latch(c, seat);
  if (auto answer = hold_if_late(c)) return *std::move(answer);
  return c.record.incarnation == c.record.recovery->old_incarnation ? before_fence(c) : build(c);
}

}  // namespace plan
