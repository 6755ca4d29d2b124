// What shall run and does not is started; what can never run again is replaced.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/mutants.h"
#include "base/text.h"
#include "plan/concern.h"
#include "plan/members.h"

namespace plan {
namespace {

constexpr base::Duration kSoon{200}, kPause{1'000}, kReplaceLimit{900'000};
// A volume that is not there may be a late mount.
constexpr base::Duration kLateMount{30'000};
// So long without a quorum: the voters that were merely stopped are not back by themselves.
constexpr base::Duration kMissed{10'000};

// Its removal was decided, and without a quorum nobody can say whether it was carried out. If it
// was, etcd itself tells the member so; if not, it may be what the quorum lacks. Its guard starts
// it with its own data only, so whatever it does the others' logs decide.
bool may_be_missed(const Context& c, const Seat& seat) {
  const auto& since = c.record.quorum_lost_since;
  return seat.record->phase == Phase::kRemoving && seat.record->permit == Permit::kData &&
         !c.view.list_known && since && c.now - *since >= kMissed && seat.data_is(Data::kOwn);
}

bool shall_run(const Context& c, const Seat& seat) {
  if (seat.record == nullptr) return false;
  if (may_be_missed(c, seat)) return true;
  if (seat.record->phase == Phase::kRetired && mutant(base::Mutant::kRemovedStartsAgain))
    return true;
  if (!seat.record->may_start) return false;
  if (seat.record->phase != Phase::kVoter && seat.record->phase != Phase::kLearner) return false;
  return !c.view.list_known || seat.etcd != nullptr;  // else it was removed: never again
}

// The guard of it is gone. Its own tries are counted by the guard; ours are spaced by the start.
bool to_be_started(const Seat& seat, base::Instant now) {
  if (!seat.process_is(Process::kStopped)) return false;
  const bool anew = data_lost(seat) && mutant(base::Mutant::kBeginAnewOnEmptyDisk);
  if (never_again(seat) && !anew) return false;
  if (seat.ended_by(End::kNoVolume) && !seat.data_is(Data::kOwn)) return false;
  const auto failures = seat.facts->ended ? std::min(seat.facts->ended->failures, 6U) : 0U;
  return now - seat.record->started_at >= kPause * (1 << failures);
}

std::optional<Answer> binary_missing(Context& c, const MemberRecord& member) {
  const auto at = c.seen.binaries.find(member.version.text());
  const Binary* binary = at == c.seen.binaries.end() ? nullptr : at->second.get();
  if (binary == nullptr || *binary == Binary::kPresent) return std::nullopt;
  std::string message = fmt::format("{} needs etcd {}, which is not on this machine", member.name,
                                    member.version.text());
  if (*binary == Binary::kFetching || too_soon(c, "FetchBinary"))
    return Answer::wait(Reason::kBinaryMissing, std::move(message), kPause);
  return Answer::act(Reason::kBinaryMissing, FetchBinary{member.version.text()},
                     std::move(message));
}

// Why a new member would end the same way, so that it is not a cure; empty: it would not.
std::string shared_cause(const Context& c, const Seat& seat) {
  if (seat.ended_by(End::kConfig))
    return "it cannot start as it is configured: " + seat.facts->ended->text;
  // The word of an end that is long past says nothing of a process that runs since.
  const bool long_past = seat.process_is(Process::kRunning) && seat.facts->ended &&
                         c.now - seat.facts->ended->at > c.intent.cluster.spec.repair_timeout;
  if (seat.ended_by(End::kNode) && !long_past)
    return "the machine fails it: " + seat.facts->ended->text;
  const auto& operation = c.record.operation;
  if (operation && operation->kind == OperationKind::kRollout &&
      operation->member == seat.record->name)
    return "a change was just rolled out to it";
  return {};
}

// Why it is to be replaced now; no value: it is not.
std::optional<Reason> why_replace(const Context& c, const Seat& seat) {
  if (seat.healthy) return std::nullopt;
  if (const auto why = never_again(seat)) return why;
  if (seat.ended_by(End::kNoVolume) && seat.process_is(Process::kStopped) &&
      !seat.data_is(Data::kOwn) && !seat.facts->data.is_unknown() &&
      c.now - seat.facts->ended->at >= kLateMount)
    return Reason::kMemberVolumeGone;
  if (&seat == c.view.leader || !seat.record->unreachable_since) return std::nullopt;
  if (c.now - *seat.record->unreachable_since < c.intent.cluster.spec.repair_timeout ||
      mutant(base::Mutant::kUnreachableForEver))
    return std::nullopt;
  if (!shared_cause(c, seat).empty()) return std::nullopt;
  return Reason::kMemberTimedOut;
}

Answer replace(Context& c, const Seat& seat, Reason why) {
  MemberRecord& member = c.record.members.at(seat.record->name);
  Operation& operation = begin(c, OperationKind::kReplace, why, member.name, kReplaceLimit);
  operation.step = "remove";
  member.phase = Phase::kRemoving;
  member.may_start = false;
  const std::string said =
      seat.facts != nullptr && seat.facts->ended && !seat.facts->ended->text.empty()
          ? " (" + seat.facts->ended->text + ")"
          : "";
  std::string message =
      fmt::format("{} is removed and replaced: {}{}", member.name, meaning_of(why), said);
  warn(c, why, message);
  Answer answer = Answer::act(why, RemoveMember{member.name, seat.id()}, std::move(message));
  answer.overtakes = true;
  answer.look_again = kSoon;
  return answer;
}

// What is said of a voter that is not healthy and is not replaced yet.
Answer wait_for(const Context& c, const Seat& seat) {
  const std::string& name = seat.record->name;
  const std::string cause = shared_cause(c, seat);
  if (!cause.empty())
    return Answer::wait(Reason::kMemberRestarting, fmt::format("{} is down: {}", name, cause),
                        kPause);
  std::string until;
  const base::Instant end =
      seat.record->unreachable_since.value_or(c.now) + c.intent.cluster.spec.repair_timeout;
  if (end > c.now && &seat != c.view.leader) until = "; it is replaced at " + base::to_rfc3339(end);
  if (seat.process_is(Process::kBackoff) || seat.process_is(Process::kStarting))
    return Answer::wait(Reason::kMemberRestarting,
                        fmt::format("{} is being restarted{}{}", name,
                                    seat.facts->ended ? ": " + seat.facts->ended->text : "", until),
                        kSoon);
  return Answer::wait(Reason::kMemberUnreachable, fmt::format("{} does not answer{}", name, until),
                      kSoon);
}

}  // namespace

Answer start_members(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery) return Answer::nothing();
  if (mutant(base::Mutant::kExitedStaysDown)) return Answer::nothing();
  std::vector<const Seat*> due;
  std::optional<Answer> missing;  // what one lacks does not hold up the others
  for (const Seat& seat : c.view.seats) {
    if (!shall_run(c, seat) || !to_be_started(seat, c.now)) continue;
    auto lacks = binary_missing(c, *seat.record);
    if (!lacks) due.push_back(&seat);
    if (lacks && !missing) missing = std::move(lacks);
  }
  if (due.empty()) return missing ? *std::move(missing) : Answer::nothing();
  if (too_soon(c, "StartMember"))
    return Answer::wait(Reason::kMemberStart, "a member cannot be started: " + c.seen.last->text,
                        kPause);
  // A step that is not done ends a plan: then one at a time, who waits longest first.
  if (failures_of(c.seen, "StartMember") > 0) {
    const auto waits = [](const Seat* seat) {
      return std::pair(seat->record->started_at, -seat->record->ordinal);
    };
    due = {*std::ranges::min_element(due, {}, waits)};
  }
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kMemberStart;
  answer.look_again = kSoon;
  std::vector<std::string> names;
  std::string missed;
  for (const Seat* seat : due) {
    MemberRecord& member = c.record.members.at(seat->record->name);
    member.may_start = true;
    member.started_at = c.now;
    if (mutant(base::Mutant::kBeginAnewOnEmptyDisk) && data_lost(*seat)) {
      member.permit = Permit::kBootstrap;
      answer.steps.push_back({PrepareMember{member.name}, Reason::kMemberStart});
    }
    answer.steps.push_back({StartMember{member.name}, Reason::kMemberStart});
    names.push_back(member.name);
    if (member.phase == Phase::kRemoving) missed = member.name;
  }
  answer.message = base::join(names, ", ") + " shall run and did not: started";
  if (!missed.empty())
    answer.message += fmt::format(
        "; the removal of {} was decided, and without a quorum it cannot be seen whether it "
        "happened",
        missed);
  tell(c, Reason::kMemberStart, answer.message);
  return answer;
}

Answer repair_member(Context& c) {
  if (!c.view.list_known || c.record.formation != Formation::kLatched || c.record.recovery)
    return Answer::nothing();
  if (mutant(base::Mutant::kReplacementFirst) &&
      static_cast<int>(c.view.voters) <= c.intent.cluster.spec.size)
    return Answer::nothing();
  const Seat* waiting = nullptr;
  const Seat* unsafe = nullptr;
  for (const bool proven : {true, false}) {
    for (const Seat& seat : c.view.seats) {
      if (seat.record == nullptr || seat.record->phase != Phase::kVoter) continue;
      if (seat.etcd == nullptr || !seat.record->may_start) continue;
      const auto why = why_replace(c, seat);
      if (!seat.healthy && waiting == nullptr) waiting = &seat;
      if (!why || (proven && *why == Reason::kMemberTimedOut)) continue;
      if (!c.view.may_remove(seat)) {
        unsafe = &seat;
      } else if (!too_soon(c, "RemoveMember")) {
        return replace(c, seat, *why);
      }
    }
  }
  if (unsafe != nullptr)
    return Answer::wait(
        Reason::kQuorumUnsafe,
        unsafe->record->name + " is lost, but without it the healthy voters are no quorum yet",
        kPause);
  return waiting == nullptr ? Answer::nothing() : wait_for(c, *waiting);
}

}  // namespace plan
