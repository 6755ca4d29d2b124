// CORRUPT: members vote by HashKV at one revision and one compact revision; a strict minority is
// replaced, and the alarm is disarmed when all that remain agree. The alarm's own member id may be
// 0 or wrong. NOSPACE: compact, defragment one by one, disarm by listed ids when every member is
// below 90 % of its quota.
//
// Operation steps: kCorrupt "vote", "replace", "no majority", "not ours"; kNoSpace "look",
// "compact", "defragment", "disarm", "stuck".
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/mutants.h"
#include "base/text.h"
#include "plan/concern.h"
#include "plan/defragment.h"
#include "plan/members.h"
#include "plan/quorum.h"
#include "plan/quota.h"
#include "plan/template.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kCorruptDeadline = 30min;
constexpr base::Duration kNoSpaceDeadline = 2h;
constexpr base::Duration kAgain = 60s;            // between two defragmentations of a full member
constexpr base::Duration kAskAtLeastEvery = 10s;  // for the hashes of members that disagree
constexpr std::uint32_t kTries = 3;

bool is_set(const Context& c, AlarmKind kind) {
  return c.seen.alarms.known() &&
         std::ranges::any_of(*c.seen.alarms, [&](const Alarm& a) { return a.kind == kind; });
}

// One listed id at a time; several alarms take several passes.
Answer disarm(const Context& c, AlarmKind kind, Reason why, std::string message) {
  const auto at =
      std::ranges::find_if(*c.seen.alarms, [&](const Alarm& a) { return a.kind == kind; });
  return Answer::act(why, DisarmAlarm{at->member, kind}, std::move(message));
}

void halt_if_late(Context& c) {
  Operation& op = *c.record.operation;
  if (op.halted || c.now < op.deadline) return;
  op.halted = true;
  warn(c, Reason::kOperationTimedOut, fmt::format("'{}' is not done by its deadline", op.step));
}

// A new step of the operation is told once.
void enter(Context& c, std::string_view step, Reason why, bool warning, const std::string& text) {
  Operation& op = *c.record.operation;
  if (op.step == step) return;
  op.step = step;
  op.reason = why;
  op.note = text;
  c.events.push_back({why, warning, text});
}

struct Vote {
  std::string missing;  // who has not answered, or why the answers do not compare
  std::vector<const Seat*> minority;
  std::size_t voters = 0, majority = 0;
};

Vote count_votes(const Context& c) {
  Vote vote;
  std::map<std::uint32_t, std::size_t> counts;
  const Hash* first = nullptr;
  for (const Seat& seat : c.view.seats) {
    if (seat.etcd == nullptr) continue;
    const auto at = c.seen.hashes.find(seat.etcd->id);
    if (at == c.seen.hashes.end() && !seat.voter) {
      // etcd refuses the question to a learner: whether it is right cannot be known.
      vote.minority.push_back(&seat);
      continue;
    }
    if (at == c.seen.hashes.end()) {
      vote.missing = fmt::format("no hash of {} yet", seat.name());
      continue;
    }
    if (first == nullptr) first = &at->second;
    if (at->second.revision != first->revision ||
        at->second.compact_revision != first->compact_revision)
      vote.missing = fmt::format("the hashes are of different revisions ({})", seat.name());
    if (!seat.voter) continue;
    ++vote.voters;
    ++counts[at->second.hash];
  }
  const auto best =
      std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
  if (best == counts.end()) return vote;
  vote.majority = best->second;
  for (const Seat& seat : c.view.seats) {
    if (seat.etcd == nullptr) continue;
    const auto at = c.seen.hashes.find(seat.etcd->id);
    if (at != c.seen.hashes.end() && at->second.hash != best->first) vote.minority.push_back(&seat);
  }
  return vote;
}

// To answer costs each member a reading of its whole database: they are asked ever less often.
base::Duration ask_again(const Context& c, const Operation& since) {
  return std::clamp<base::Duration>((c.now - since.started_at) / 4, 250ms, kAskAtLeastEvery);
}

Answer ask(const Context& c, Reason why, std::string message) {
  Answer answer = Answer::wait(why, std::move(message), ask_again(c, *c.record.operation));
  answer.want_hashes = true;
  return answer;
}

// A member that is not ours is left alone, also when it is the wrong one.
Answer leave_corrupt(Context& c, const Seat& bad) {
  const std::string text = fmt::format(
      "{} ({}) disagrees with the majority and is not ours: it is left alone, and etcd refuses all "
      "writes until it is removed with etcdctl",
      bad.name(), base::to_text(bad.etcd->id));
  enter(c, "not ours", Reason::kUnknownMember, true, text);
  c.record.operation->halted = true;
  Answer answer = ask(c, Reason::kUnknownMember, text);
  answer.look_again = 10s;
  return answer;
}

Answer replace_corrupt(Context& c, const Seat& bad) {
  Operation& op = *c.record.operation;
  op.member = bad.name();
  op.halted = c.now >= op.deadline;
  const std::string why = c.seen.hashes.contains(bad.etcd->id)
                              ? "disagrees with the majority"
                              : "is a learner that cannot be asked for its hash";
  enter(c, "replace", Reason::kCorruptReplace, true,
        fmt::format("{} {}: it is replaced", bad.name(), why));
  const bool leads = c.view.leader != nullptr && c.view.leader->etcd == bad.etcd;
  if (leads && failures_of(c.seen, "MoveLeader") < kTries) {
    const Hash& wrong = c.seen.hashes.at(bad.etcd->id);
    const Seat* to = best_transferee(c.view, [&](const Seat& seat) {
      const auto at = c.seen.hashes.find(seat.etcd->id);
      return at != c.seen.hashes.end() && at->second.hash != wrong.hash;
    });
    if (to != nullptr) {
      Answer answer = Answer::act(Reason::kLeaderMoved, MoveLeader{bad.etcd->id, to->etcd->id},
                                  fmt::format("leadership moves away from {}", bad.name()));
      answer.want_hashes = true;
      return answer;
    }
  }
  if (!c.view.may_remove(bad)) {
    return ask(
        c, Reason::kQuorumUnsafe,
        fmt::format("{} disagrees but cannot be removed: too few would be left", bad.name()));
  }
  MemberRecord& member = c.record.members.at(bad.record->name);
  member.phase = Phase::kRemoving;
  member.may_start = false;
  return Answer::act(Reason::kCorruptReplace, RemoveMember{bad.record->name, bad.etcd->id},
                     fmt::format("{} {} and is removed", bad.name(), why));
}

Answer corrupt(Context& c) {
  if (!running(c.record, OperationKind::kCorrupt)) {
    // Not begin(): the operation keeps its start while the member it is about changes.
    begin(c, OperationKind::kCorrupt, Reason::kCorrupt, "", kCorruptDeadline);
    enter(c, "vote", Reason::kCorrupt, true,
          "etcd reports that members disagree and refuses all writes: they vote by hash");
  }
  if (!c.view.list_known)
    return ask(c, Reason::kCorrupt, "members disagree; no quorum read succeeds");
  const Vote vote = count_votes(c);
  halt_if_late(c);
  if (!vote.missing.empty())
    return ask(c, Reason::kCorrupt, fmt::format("members disagree: {}", vote.missing));
  const Seat* named = mutant(base::Mutant::kCorruptByTheAlarm)
                          ? c.view.by_id(c.seen.alarms->front().member)
                          : nullptr;
  if (named != nullptr && named->record != nullptr) return replace_corrupt(c, *named);
  if (vote.voters < 2 || vote.majority < quorum_of(vote.voters)) {
    const std::string text = fmt::format(
        "{} of {} members agree: no majority tells which data is right. Nothing is touched. Save a "
        "snapshot of each member, compare them, then remove the wrong members or restore a backup",
        vote.majority, vote.voters);
    enter(c, "no majority", Reason::kCorruptNoMajority, true, text);
    c.record.operation->halted = true;
    Answer answer = ask(c, Reason::kCorruptNoMajority, text);
    answer.look_again = 10s;
    return answer;
  }
  const auto ours =
      std::ranges::find_if(vote.minority, [](const Seat* seat) { return seat->record != nullptr; });
  if (ours != vote.minority.end()) return replace_corrupt(c, **ours);
  if (!vote.minority.empty()) return leave_corrupt(c, *vote.minority.front());
  end(c, OperationKind::kCorrupt);
  tell(c, Reason::kCorruptDisarm, "all members agree again: the alarm is disarmed");
  return disarm(c, AlarmKind::kCorrupt, Reason::kCorruptDisarm, "all members agree again");
}

struct Space {
  std::string unknown;   // a member whose size is not known
  std::string no_quota;  // one whose quota is not known before it restarts; who leaves does not
  bool full = false;     // a member is at 90 % of its quota
  // Percentage of live data, of the member with the least: all hold the same, and a member that
  // commits nothing more since the compaction still counts freed pages.
  std::int64_t in_use = 100;
  std::int64_t revision = 0;  // the newest that is seen
};

bool is_full(const Context& c, const Seat& seat) {
  const std::int64_t quota = quota_of(c.intent, seat).value_or(0);
  return quota > 0 && seat.status->db_size >= quota / 100 * kFullPercent;
}

Space measure(const Context& c) {
  Space space;
  for (const Seat& seat : c.view.seats) {
    if (seat.etcd == nullptr || !seat.etcd->started) continue;  // what never ran holds nothing
    if (seat.status == nullptr) {
      space.unknown = seat.name();
      continue;
    }
    const auto quota = quota_of(c.intent, seat);
    if (!quota && seat.record->phase != Phase::kRemoving) space.no_quota = seat.name();
    space.full |= is_full(c, seat);
    if (quota && *quota > 0)
      space.in_use = std::min(space.in_use, seat.status->db_in_use / (*quota / 100 + 1));
    space.revision = std::max(space.revision, seat.status->revision);
  }
  return space;
}

Answer compact(Context& c, std::int64_t revision) {
  c.record.compacted_revision = revision;
  const std::string text = fmt::format("revisions before {} are compacted", revision);
  enter(c, "compact", Reason::kNoSpaceCompact, false, text);
  return Answer::act(Reason::kNoSpaceCompact, Compact{revision}, text);
}

// The compaction in the record may not have happened: it is asked for until an answer is seen. A
// refusal means that it had. After a restart nothing was seen, and to ask again changes nothing.
bool compaction_is_open(const Context& c) {
  if (c.record.operation->step != "compact" || just_done(c, "Compact")) return false;
  const std::uint32_t failures = failures_of(c.seen, "Compact");
  return failures == 0 || (failures < kTries && c.seen.last->outcome != Outcome::kRefused);
}

Answer stuck(Context& c, const Space& space) {
  Operation& op = *c.record.operation;
  // The user deletes keys: that counts only once compacted.
  if (space.revision > c.record.compacted_revision) return compact(c, space.revision);
  const std::string text = fmt::format(
      "live data fills {} % of the quota: etcd refuses writes. Delete keys, or raise "
      "--quota-backend-bytes in spec.etcdOptions",
      space.in_use);
  enter(c, "stuck", Reason::kNoSpaceStuck, true, text);
  op.halted = true;
  return Answer::wait(Reason::kNoSpaceStuck, text, 10s);
}

// It was to be defragmented and no answer was seen: the operator was restarted in between.
bool defragmentation_is_open(const Context& c, const Seat& seat) {
  const Operation& op = *c.record.operation;
  return op.step == "defragment" && op.member == seat.record->name && !just_done(c, "Defragment") &&
         failures_of(c.seen, "Defragment") == 0;
}

Answer defragments(Context& c, Answer answer) {
  if (const auto* now = std::get_if<Defragment>(&answer.steps.front().action)) {
    c.record.operation->step = "defragment";
    c.record.operation->member = now->member;
  }
  return answer;
}

// Somebody's size is exact. An operation that was interrupted does not know whether that was after
// its compaction.
bool is_sized(const Context& c) {
  return std::ranges::any_of(c.record.last_defragmented, [&](const auto& entry) {
    return entry.second + kDefragmentInterval > c.now;
  });
}

// A full member commits nothing that would make it count the pages which the compaction freed: live
// data is blamed only when one was defragmented after it, whose size is exact. No value: one was,
// or none may be.
std::optional<Answer> size_exactly(Context& c) {
  const Operation& op = *c.record.operation;
  if (!defragment_hazard(c.view).why.empty()) return std::nullopt;
  const bool due = op.step == "compact" || (op.step == "look" && !is_sized(c));
  const std::uint32_t failures = failures_of(c.seen, "Defragment");
  if (failures > 0 && failures < kTries && too_soon(c, "Defragment"))
    return Answer::wait(Reason::kNoSpace, c.seen.last->text, 2s);
  const bool again = op.step == "defragment" && failures > 0 && failures < kTries;
  const auto need = [&](const Seat& seat) {
    if (!seat.voter || (!due && !again && !defragmentation_is_open(c, seat))) return false;
    return c.view.voters <= 2 || c.view.may_stop(seat);
  };
  auto answer = defragment_next(c, Reason::kNoSpaceDefragment, need);
  if (!answer) return std::nullopt;
  return defragments(c, *std::move(answer));
}

std::optional<Answer> make_room(Context& c) {
  if (const DefragmentHazard hazard = defragment_hazard(c.view); !hazard.why.empty()) {
    return Answer::wait(hazard.for_good ? Reason::kNoSpaceStuck : Reason::kNoSpace,
                        "space is not given back: " + hazard.why, 5s);
  }
  std::string unsafe;
  const auto need = [&](const Seat& seat) {
    const auto last = c.record.last_defragmented.find(seat.record->name);
    const bool rested = last == c.record.last_defragmented.end() ||
                        last->second + kAgain <= c.now || defragmentation_is_open(c, seat);
    if (!rested || (!is_full(c, seat) && !much_is_free(*seat.status))) return false;
    // One or two members stand still meanwhile; they refuse writes anyway.
    if (c.view.voters <= 2 || c.view.may_stop(seat)) return true;
    unsafe = seat.name();
    return false;
  };
  if (auto answer = defragment_next(c, Reason::kNoSpaceDefragment, need))
    return defragments(c, *std::move(answer));
  if (unsafe.empty()) return std::nullopt;
  return Answer::wait(Reason::kQuorumUnsafe,
                      fmt::format("{} is full, but too few would serve meanwhile", unsafe), 2s);
}

Answer no_space(Context& c) {
  const Space space = measure(c);
  if (!running(c.record, OperationKind::kNoSpace)) {
    begin(c, OperationKind::kNoSpace, Reason::kNoSpace, "", kNoSpaceDeadline);
    enter(c, "look", Reason::kNoSpace, true, "a member is over its quota: etcd refuses writes");
  }
  if (!c.view.list_known || !space.unknown.empty()) {
    halt_if_late(c);
    return Answer::wait(Reason::kNoSpace,
                        c.view.list_known
                            ? fmt::format("the size of {} is not known", space.unknown)
                            : std::string("no quorum read succeeds"),
                        2s);
  }
  if (mutant(base::Mutant::kDisarmAtOnce))
    return disarm(c, AlarmKind::kNoSpace, Reason::kNoSpaceDisarm, "the alarm is disarmed");
  Operation& op = *c.record.operation;
  // Once, with the revision of that time; deletions since then count only if they are needed.
  if (op.step == "look" && space.revision > c.record.compacted_revision)
    return compact(c, space.revision);
  if (compaction_is_open(c)) return compact(c, c.record.compacted_revision);
  // The flags of the spec may be the cure: they come in first.
  if (!space.no_quota.empty())
    return Answer::wait(Reason::kNoSpace,
                        fmt::format("a member is over its quota, and that of {} is not known "
                                    "before it restarts with the wanted template: its etcd does "
                                    "not tell it",
                                    space.no_quota),
                        2s);
  if (space.in_use >= kFullPercent) {
    if (auto answer = size_exactly(c)) return *std::move(answer);
    return stuck(c, space);
  }
  op.halted = false;
  if (auto answer = make_room(c)) return *std::move(answer);
  halt_if_late(c);
  if (space.full)
    return Answer::wait(Reason::kNoSpace, "a member is still at 90 % of its quota", 5s);
  op.step = "disarm";
  op.member.clear();
  const std::string text = "every member is below 90 % of its quota: the alarm is disarmed";
  tell(c, Reason::kNoSpaceDisarm, text);
  return disarm(c, AlarmKind::kNoSpace, Reason::kNoSpaceDisarm, text);
}

// An operation that is under way (a join, a rollout) keeps its place as long as this one only
// waits.
Answer beside_others(Context& c, OperationKind kind, Answer (*concern)(Context&)) {
  const auto before = c.record.operation;
  Answer answer = concern(c);
  if (answer.kind == Answer::Kind::kWait && before && before->kind != kind) {
    if (answer.want_hashes) answer.look_again = std::max(answer.look_again, ask_again(c, *before));
    c.record.operation = before;
    c.events.clear();
  }
  return answer;
}

// A join that is under way goes on while the alarm can only wait: a learner that catches up, or
// that does not answer, may be all that is waited for.
Answer no_space_beside_a_join(Context& c) {
  Answer answer = beside_others(c, OperationKind::kNoSpace, no_space);
  const bool joins = std::ranges::any_of(
      c.view.seats, [](const Seat& seat) { return seat.etcd != nullptr && seat.etcd->learner; });
  if (joins && answer.kind == Answer::Kind::kWait) answer.kind = Answer::Kind::kNoted;
  return answer;
}

std::int64_t quota_of(const api::ClusterSpec& spec) {
  std::int64_t quota = kDefaultQuota;
  for (const std::string& option : spec.etcd_options) {
    constexpr std::string_view kFlag = "--quota-backend-bytes=";
    if (!option.starts_with(kFlag)) continue;
    if (const auto bytes = base::parse_int(std::string_view(option).substr(kFlag.size())))
      quota = *bytes == 0 ? kDefaultQuota : std::max<std::int64_t>(*bytes, 0);
  }
  return quota;
}

}  // namespace

std::optional<std::int64_t> quota_of(const Intent& intent, const Seat& seat) {
  if (seat.status->db_quota > 0) return seat.status->db_quota;
  if (seat.record == nullptr) return quota_of(intent.cluster.spec);
  const bool seen = seat.facts != nullptr && !seat.facts->template_hash.empty();
  const std::string& runs = seen ? seat.facts->template_hash : seat.record->template_hash;
  if (parse_template(runs).spec != intent.template_hash) return std::nullopt;
  return quota_of(intent.cluster.spec);
}

bool raises_quota(const Intent& intent, const Seat& seat) {
  if (seat.status == nullptr) return false;
  const std::int64_t wanted = quota_of(intent.cluster.spec);
  const auto now = quota_of(intent, seat);
  return !now || (*now > 0 && (wanted == 0 || wanted > *now));
}

Answer alarms(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery) return Answer::nothing();
  if (is_set(c, AlarmKind::kCorrupt) && !mutant(base::Mutant::kCorruptIgnored))
    return beside_others(c, OperationKind::kCorrupt, corrupt);
  if (is_set(c, AlarmKind::kNoSpace) && !mutant(base::Mutant::kNoSpaceIgnored))
    return no_space_beside_a_join(c);
  const bool known = c.seen.alarms.known();
  if (known &&
      (running(c.record, OperationKind::kCorrupt) || running(c.record, OperationKind::kNoSpace))) {
    const Reason why = running(c.record, OperationKind::kCorrupt) ? Reason::kCorruptDisarm
                                                                  : Reason::kNoSpaceDisarm;
    c.record.operation.reset();
    return Answer::note(why, "the alarm is gone");
  }
  return Answer::nothing();
}

}  // namespace plan
