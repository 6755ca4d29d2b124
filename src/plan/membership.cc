// Joins and removals, one at a time. Steps of ScaleUp and Replace: "add", "catch up N" (N: the log
// index that it had applied when it was last seen to progress); of ScaleDown and Replace: "remove".
#include <fmt/format.h>

#include <algorithm>

#include "api/annotations.h"
#include "base/mutants.h"
#include "base/text.h"
#include "plan/concern.h"
#include "plan/members.h"

namespace plan {
namespace {

constexpr base::Duration kSoon{200}, kPause{1'000}, kJoinLimit{600'000}, kScaleLimit{900'000};
constexpr base::Duration kByHand{10'000};
constexpr base::Duration kInFlight{10'000};  // a call without an answer is settled after that
constexpr std::uint64_t kInSync = 1'000;     // log entries behind the leader

bool joins(const Record& record) {
  return running(record, OperationKind::kScaleUp) || running(record, OperationKind::kReplace);
}

int wanted(const Context& c) {
  return c.intent.wish == Wish::kPresent ? c.intent.cluster.spec.size : c.record.size;
}

// Where a voter's volume ends with its pod, another one takes its place before it goes; if that
// happens first, all the same.
int most_voters(const Context& c) {
  const bool loses = std::ranges::any_of(c.view.seats, [](const Seat& seat) {
    return volume_ends(seat) || (seat.voter && never_again(seat));
  });
  return wanted(c) + (loses ? 1 : 0);
}

int our_voters(const View& view) {
  return static_cast<int>(std::ranges::count_if(view.seats, [](const Seat& s) {
    if (!s.healthy && mutant(base::Mutant::kReplacementFirst)) return false;
    return s.voter && s.record != nullptr && s.record->phase == Phase::kVoter;
  }));
}

Answer soon(Answer answer) {
  answer.look_again = kSoon;
  return answer;
}

// --- half-done removals -------------------------------------------------------------------------

// Someone else removed it: its data never counts again.
void retire(Context& c, const Seat& seat) {
  MemberRecord& member = c.record.members.at(seat.record->name);
  member.phase = Phase::kRetired;
  member.may_start = false;
  warn(c, Reason::kMemberRemovedElsewhere,
       fmt::format("{} ({}) is not in the membership any more; it never runs again", member.name,
                   base::to_text(member.id)));
}

Answer remove(Context& c, const Seat& seat, Reason why) {
  if (too_soon(c, "RemoveMember"))
    return Answer::wait(
        why, fmt::format("{} could not be removed yet: {}", seat.name(), c.seen.last->text),
        kPause);
  const std::string name = seat.record == nullptr ? "" : seat.record->name;
  return soon(Answer::act(why, RemoveMember{name, seat.id()},
                          seat.name() + " is removed from the membership"));
}

Answer move_leader(const Seat& from, const Seat& to) {
  return soon(Answer::act(Reason::kLeaderMoved, MoveLeader{from.id(), to.id()},
                          fmt::format("leadership moves from {} to {}", from.name(), to.name())));
}

// The removal may still be carried out, though the list does not show it yet.
bool is_removal_open(const Context& c) {
  return failures_of(c.seen, "RemoveMember") > 0 &&
         c.seen.last->outcome == Outcome::kMayHaveHappened && c.now - c.seen.last->at < kInFlight;
}

// It stays: what was decided is not carried out.
Answer take_back_removal(Context& c, const Seat& seat, Reason why, const std::string& text) {
  if (is_removal_open(c))
    return Answer::wait(why, seat.name() + " may be removed at any moment: it was asked for",
                        kPause);
  MemberRecord& member = c.record.members.at(seat.record->name);
  member.phase = Phase::kVoter;
  member.may_start = true;
  end(c, OperationKind::kScaleDown);
  end(c, OperationKind::kReplace);
  warn(c, why, member.name + " stays: " + text);
  return Answer::wait(why, member.name + " is not removed now", kPause);
}

Reason why_removed(const Context& c, const Seat& seat) {
  if (!seat.voter) return Reason::kOrphanRemoved;
  const bool told =
      running(c.record, OperationKind::kScaleDown) || running(c.record, OperationKind::kReplace) ||
      running(c.record, OperationKind::kCorrupt) || running(c.record, OperationKind::kBootstrap);
  return told ? c.record.operation->reason : Reason::kReplaceMember;
}

// Its removal was recorded; it is still in the list.
Answer finish_removal(Context& c, const Seat& seat) {
  const Reason why = why_removed(c, seat);
  const bool well = seat.healthy && seat.voter && seat.record->phase == Phase::kRemoving;
  // It was given up because it was down: started since, perhaps to bring a lost quorum back.
  if (well && running(c.record, OperationKind::kReplace) &&
      c.record.operation->member == seat.record->name)
    return take_back_removal(c, seat, Reason::kReplaceMember, "it is well again");
  // A founder that never ran must not begin to, now that the cluster is latched.
  if (!seat.etcd->started && seat.facts != nullptr && seat.facts->process.known() &&
      !seat.process_is(Process::kStopped) && c.view.may_stop(seat) && !too_soon(c, "StopMember"))
    return soon(Answer::act(why, StopMember{seat.record->name},
                            seat.record->name + " never started and is stopped"));
  if (c.view.may_remove(seat)) {
    const Seat* heir = &seat == c.view.leader ? c.view.heir(seat) : nullptr;
    if (heir != nullptr && !too_soon(c, "MoveLeader")) return move_leader(seat, *heir);
    Answer answer = remove(c, seat, why);
    // What waits for this member to come back would wait for ever.
    answer.overtakes = !seat.healthy;
    return answer;
  }
  // A removal by size is taken back when another member fails meanwhile: that one goes first.
  if (well)
    return take_back_removal(c, seat, Reason::kQuorumUnsafe,
                             "without it no quorum would be healthy");
  return Answer::wait(Reason::kQuorumUnsafe,
                      seat.name() + " is to be removed, but the healthy voters are no quorum yet",
                      kPause);
}

// --- half-done joins ----------------------------------------------------------------------------

Answer give_up_join(Context& c, const Seat& seat, const std::string& why) {
  MemberRecord& member = c.record.members.at(seat.record->name);
  member.phase = seat.etcd == nullptr ? Phase::kRetired : Phase::kRemoving;
  member.may_start = false;
  warn(c, Reason::kOrphanRemoved, fmt::format("the join of {} is given up: {}", member.name, why));
  if (seat.etcd == nullptr)
    return Answer::wait(Reason::kOrphanRemoved, member.name + " never joined", kSoon);
  if (!c.view.may_remove(seat))
    return Answer::wait(Reason::kQuorumUnsafe,
                        member.name + " is to be removed when a quorum is healthy", kPause);
  return remove(c, seat, Reason::kOrphanRemoved);
}

// Recorded before the call and not in the list: the call was refused, lost, or never sent.
Answer add_again(Context& c, const Seat& seat) {
  if (!joins(c.record)) return give_up_join(c, seat, "no operation wants it");
  if (our_voters(c.view) >= most_voters(c))
    return give_up_join(c, seat, "no more members are wanted");
  if (c.now > c.record.operation->deadline)
    return give_up_join(c, seat, "it could not be added for long");
  // All removals come before the first add: 3.5.12 refuses adds while any listed voter is dead.
  if (std::ranges::any_of(c.view.seats, [](const Seat& s) { return s.voter && never_again(s); }))
    return Answer::wait(Reason::kAddRefused,
                        seat.record->name + " is added when the lost member is removed", kSoon);
  // etcd takes one learner at a time.
  if (std::ranges::any_of(c.view.seats, [](const Seat& s) { return s.etcd && s.etcd->learner; }))
    return Answer::wait(Reason::kAddRefused,
                        seat.record->name + " is added when no other is a learner", kSoon);
  if (too_soon(c, "AddLearner", kPause))
    return Answer::wait(
        Reason::kAddRefused,
        fmt::format("{} is added when etcd allows it: {}", seat.record->name, c.seen.last->text),
        kSoon);
  if (!c.view.may_add())
    return Answer::wait(Reason::kQuorumUnsafe,
                        seat.record->name + " is added when a quorum of the larger cluster is up",
                        kPause);
  return soon(Answer::act(c.record.operation->reason,
                          AddLearner{seat.record->name, seat.record->addresses.peer_url},
                          seat.record->name + " is added as a learner"));
}

// It is in the list: whatever the call answered, it is ours by the peer URL that was stored before.
void adopt(Context& c, const Seat& seat) {
  MemberRecord& member = c.record.members.at(seat.record->name);
  member.phase = Phase::kLearner;
  const bool plain = just_done(c, "AddLearner");
  const Reason why = plain ? Reason::kLearnerAdded : Reason::kOrphanAdopted;
  tell(c, why, fmt::format("{} ({}): {}", member.name, base::to_text(member.id), meaning_of(why)));
}

constexpr std::string_view kCatchUp = "catch up ";

// What it had applied when it was last seen to progress; none: that is not noted yet.
std::optional<std::int64_t> progress_in(std::string_view step) {
  if (!step.starts_with(kCatchUp)) return std::nullopt;
  return base::parse_int(step.substr(kCatchUp.size()));
}

// One that comes and goes applies the same entries again: only what it never had is progress.
void note_progress(Context& c, const Seat& seat) {
  if (!joins(c.record))
    begin(c, OperationKind::kScaleUp, Reason::kScaleUp, seat.record->name, kJoinLimit);
  Operation& operation = *c.record.operation;
  const auto applied =
      static_cast<std::int64_t>(seat.status == nullptr ? 0 : seat.status->raft_applied);
  const auto before = progress_in(operation.step);
  if (before && applied <= *before) return;
  operation.step = fmt::format("{}{}", kCatchUp, applied);
  operation.deadline = c.now + kJoinLimit;
}

// etcd begins only with as many members in its list as there are: one that was told the list and
// has not begun waits for ever once a removal has made it old. It is seen by the ticket, or by its
// waiting, which it does also after it lost its data.
bool has_old_list(const Context& c, const Seat& seat) {
  if (!seat.record->may_start) return false;
  if (seat.process_is(Process::kBackoff) && seat.ended_by(End::kRetry)) return true;
  return seat.record->permit == Permit::kJoin && !seat.etcd->started && seat.facts != nullptr &&
         seat.facts->ticket_members > 0 &&
         seat.facts->ticket_members != std::ssize(c.seen.membership->members);
}

Answer join_learner(Context& c, const Seat& seat) {
  if (const auto why = never_again(seat))
    return give_up_join(c, seat, std::string(meaning_of(*why)));
  note_progress(c, seat);
  if (c.now > c.record.operation->deadline)
    return give_up_join(c, seat, "it made no progress for long");
  if (our_voters(c.view) >= most_voters(c))
    return give_up_join(c, seat, "no more members are wanted");
  MemberRecord& member = c.record.members.at(seat.record->name);
  // The cluster version has moved past what it was to run: etcd refuses to start it.
  if (member.version.minor < minor_reached(c))
    member.version = std::max(member.version, version_for_new(c));
  if (has_old_list(c, seat) && !too_soon(c, "WriteTicket") && !just_done(c, "WriteTicket") &&
      !mutant(base::Mutant::kOldMemberList))
    return soon(Answer::act(Reason::kLearnerAdded, WriteTicket{member.name},
                            member.name + " gets the member list of now"));
  if (member.may_start) return Answer::nothing();
  if (too_soon(c, "PrepareMember"))
    return Answer::wait(Reason::kLearnerAdded,
                        fmt::format("{} cannot be prepared: {}", member.name, c.seen.last->text),
                        kPause);
  if (!just_done(c, "PrepareMember"))
    return soon(Answer::act(Reason::kLearnerAdded, PrepareMember{member.name},
                            member.name + " is prepared"));
  member.may_start = true;
  member.started_at = c.now;
  return soon(Answer::act(Reason::kLearnerAdded, StartMember{member.name},
                          member.name + " is started as a learner"));
}

// --- members that are not ours ------------------------------------------------------------------

Answer settle_stranger(Context& c, const Seat& seat) {
  const bool touched = mutant(base::Mutant::kStrangerRemoved);
  if (seat.etcd->started && !touched) return Answer::nothing();  // status reports it
  if (mutant(base::Mutant::kOrphanStays) || mutant(base::Mutant::kTimeoutMeansNotAdded))
    return Answer::nothing();
  if (!c.view.may_remove(seat))
    return Answer::wait(Reason::kQuorumUnsafe, "an orphan waits for its removal", kPause);
  if (!too_soon(c, "RemoveMember"))
    warn(c, Reason::kOrphanRemoved,
         fmt::format("member {} at {} never started and nothing explains it: removed",
                     base::to_text(seat.etcd->id), seat.etcd->peer_url));
  return remove(c, seat, Reason::kOrphanRemoved);
}

Answer settle_ours(Context& c, const Seat& seat) {
  const bool listed = seat.etcd != nullptr;
  if (listed && !seat.voter && seat.record->phase != Phase::kAdding &&
      seat.record->phase != Phase::kLearner && mutant(base::Mutant::kOrphanStays))
    return Answer::nothing();
  switch (seat.record->phase) {
    case Phase::kRetired:
      if (listed) return finish_removal(c, seat);
      if (seat.facts == nullptr || !seat.facts->process.known() ||
          seat.process_is(Process::kStopped) || too_soon(c, "StopMember"))
        return Answer::nothing();
      return soon(Answer::act(
          running(c.record, OperationKind::kScaleDown) ? Reason::kScaleDown : Reason::kPutAside,
          StopMember{seat.record->name},
          seat.record->name + " is out of the cluster and is stopped"));
    case Phase::kRemoving:
      return listed ? finish_removal(c, seat) : Answer::nothing();
    case Phase::kAdding:
      if (!listed && mutant(base::Mutant::kTimeoutMeansNotAdded) && c.seen.last &&
          c.seen.last->outcome == Outcome::kMayHaveHappened)
        return give_up_join(c, seat, "it was not added");
      if (!listed && !seat.record->id) return add_again(c, seat);
      if (!listed) return give_up_join(c, seat, "someone else removed it");
      adopt(c, seat);
      return join_learner(c, seat);
    case Phase::kLearner:
      if (listed) return join_learner(c, seat);
      return give_up_join(c, seat, "someone else removed it");
    case Phase::kVoter:
      if (!listed) retire(c, seat);
      return Answer::nothing();
    case Phase::kForming:
    case Phase::kSurvivor:
      return Answer::nothing();
  }
  return Answer::nothing();
}

// --- size ---------------------------------------------------------------------------------------

bool change_in_flight(const View& view) {
  return std::ranges::any_of(view.seats, [](const Seat& s) {
    const bool half = s.record != nullptr &&
                      (s.record->phase == Phase::kAdding || s.record->phase == Phase::kLearner ||
                       (s.record->phase == Phase::kRemoving && s.etcd != nullptr));
    return half || (s.etcd != nullptr && (s.etcd->learner || !s.etcd->started));
  });
}

Answer grow(Context& c, int target, const Seat* ending = nullptr) {
  const bool replaces = running(c.record, OperationKind::kReplace);
  const Reason why = ending != nullptr ? Reason::kMemberVolumeGoing
                     : replaces        ? Reason::kReplaceMember
                                       : Reason::kScaleUp;
  if (!c.view.may_add())
    return Answer::wait(Reason::kQuorumUnsafe,
                        "a member is added when a quorum of the larger cluster is up", kPause);
  auto offered = offers(c, 1);
  if (offered.empty())
    return Answer::wait(why, "no free address or volume for a new member", kPause);
  MemberRecord& member = offered.front();
  member.phase = Phase::kAdding;
  member.permit = Permit::kJoin;
  Operation& operation = replaces
                             ? *c.record.operation
                             : begin(c, OperationKind::kScaleUp, why, member.name, kScaleLimit);
  operation.reason = why;
  operation.step = "add";
  operation.deadline = c.now + kScaleLimit;
  c.record.size = target;
  std::string message = ending == nullptr
                            ? fmt::format("{} joins as a learner: {}", member.name, meaning_of(why))
                            : fmt::format("{} joins as a learner to take the place of {}: {}",
                                          member.name, ending->record->name, meaning_of(why));
  ending == nullptr ? tell(c, why, message) : warn(c, why, message);
  Action action = AddLearner{member.name, member.addresses.peer_url};
  c.record.members[member.name] = std::move(member);
  Answer answer = soon(Answer::act(why, std::move(action), std::move(message)));
  answer.overtakes = mutant(base::Mutant::kSecondChangeAtOnce);
  return answer;
}

// By hand a claim and its pod are mostly deleted together. Where that befalls a quorum, a member
// that is just joining to take one's place would make its recovery a question.
Answer give_way(Context& c, int target, const Seat& ending) {
  if (c.view.healthy_voters != c.view.voters) return Answer::noted();  // who is down comes first
  const Operation& operation = begin(c, OperationKind::kReplace, Reason::kMemberVolumeGoing,
                                     ending.record->name, kScaleLimit);
  if (c.now - operation.started_at >= kByHand) return grow(c, target, &ending);
  return Answer::wait(Reason::kMemberVolumeGoing,
                      fmt::format("{}: {}; another member takes its place soon",
                                  ending.record->name, meaning_of(Reason::kMemberVolumeGoing)),
                      kPause);
}

// The one whose removal costs least: not healthy first, then one whose volume ends, then the
// highest ordinal.
const Seat* choose_victim(const View& view) {
  const auto rank = [](const Seat& seat) { return seat.healthy ? (volume_ends(seat) ? 1 : 2) : 0; };
  const Seat* victim = nullptr;
  for (const Seat& seat : view.seats) {
    if (!seat.voter || seat.record == nullptr || seat.record->phase != Phase::kVoter) continue;
    if (victim == nullptr || rank(seat) <= rank(*victim)) victim = &seat;
  }
  return victim;
}

Answer shrink(Context& c, int target) {
  const Seat* victim = choose_victim(c.view);
  if (victim == nullptr) return Answer::nothing();
  if (!c.view.may_remove(*victim))
    return Answer::wait(Reason::kQuorumUnsafe,
                        fmt::format("{} leaves when the healthy voters without it are a quorum",
                                    victim->record->name),
                        kPause);
  const Reason why = volume_ends(*victim) ? Reason::kMemberVolumeGoing : Reason::kScaleDown;
  Operation& operation =
      begin(c, OperationKind::kScaleDown, why, victim->record->name, kScaleLimit);
  c.record.size = target;
  const Seat* heir = victim == c.view.leader ? c.view.heir(*victim) : nullptr;
  if (heir != nullptr && !too_soon(c, "MoveLeader")) {
    operation.step = "move leader";
    return move_leader(*victim, *heir);
  }
  operation.step = "remove";
  MemberRecord& member = c.record.members.at(victim->record->name);
  member.phase = Phase::kRemoving;
  tell(c, why, fmt::format("{} leaves the cluster: {}", member.name, meaning_of(why)));
  Answer answer = remove(c, *victim, why);
  answer.overtakes = !victim->healthy;
  return answer;
}

}  // namespace

Answer settle_membership(Context& c) {
  if (!c.view.list_known || c.record.formation != Formation::kLatched || c.record.recovery)
    return Answer::nothing();
  for (const Seat& seat : c.view.seats) {
    Answer answer = seat.record != nullptr ? settle_ours(c, seat) : settle_stranger(c, seat);
    if (answer.kind != Answer::Kind::kNothing) return answer;
  }
  return Answer::noted();
}

// What its last start ended with, while it does not run again.
std::string held_up(const Seat& seat) {
  if (seat.facts == nullptr || !seat.facts->ended || seat.process_is(Process::kRunning)) return {};
  return ": " + seat.facts->ended->text;
}

Answer promote_learner(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery) return Answer::nothing();
  const auto at = std::ranges::find_if(c.view.seats, [](const Seat& s) {
    return s.record != nullptr && s.record->phase == Phase::kLearner && s.etcd != nullptr;
  });
  if (at == c.view.seats.end()) return Answer::nothing();
  const Seat& seat = *at;
  MemberRecord& member = c.record.members.at(seat.record->name);
  const EtcdStatus* leader = c.view.leader == nullptr ? nullptr : c.view.leader->status;
  if (!seat.healthy || leader == nullptr ||
      seat.status->raft_applied + kInSync < leader->raft_applied)
    return Answer::wait(Reason::kLearnerAdded,
                        member.name + " starts and catches up" + held_up(seat), kSoon);
  if (!c.view.may_promote(seat))
    return Answer::wait(Reason::kQuorumUnsafe,
                        member.name + " votes when a quorum of the larger cluster is healthy",
                        kPause);
  // Before it votes its ticket says so: from then on blank data is a loss.
  const bool ticket_known = seat.facts != nullptr && seat.facts->ticket.known();
  const bool latched =
      mutant(base::Mutant::kPromoteBeforeTheTicket) ||
      (member.permit == Permit::kData &&
       (ticket_known ? *seat.facts->ticket == Permit::kData : just_done(c, "WriteTicket")));
  if (!latched) {
    member.permit = Permit::kData;
    return soon(Answer::act(Reason::kTicketLatched, WriteTicket{member.name},
                            member.name + " is in sync; its start ticket turns to data"));
  }
  if (too_soon(c, "PromoteMember", kPause))
    return Answer::wait(Reason::kLearnerAdded,
                        fmt::format("{} is not promoted yet: {}", member.name, c.seen.last->text),
                        kSoon);
  tell(c, Reason::kLearnerPromoted, member.name + " is in sync and becomes a voter");
  return soon(Answer::act(Reason::kLearnerPromoted, PromoteMember{member.name, seat.id()},
                          member.name + " is in sync and becomes a voter"));
}

Answer scale(Context& c) {
  if (!c.view.list_known || c.record.formation != Formation::kLatched || c.record.recovery)
    return Answer::nothing();
  const bool busy = change_in_flight(c.view) && !mutant(base::Mutant::kSecondChangeAtOnce);
  const bool ends = c.intent.wish == Wish::kDeleted && !api::is_protected(c.intent.cluster);
  if (ends || busy) return Answer::nothing();
  const int target = wanted(c);
  const int voters = our_voters(c.view);
  if (voters < target) return grow(c, target);
  if (voters > target) return shrink(c, target);
  if (const Seat* ending = find_volume_end(c.view)) return give_way(c, target, *ending);
  for (const auto kind :
       {OperationKind::kScaleUp, OperationKind::kScaleDown, OperationKind::kReplace}) {
    if (c.view.healthy_voters == c.view.voters) end(c, kind);
  }
  return Answer::noted();
}

}  // namespace plan
