// Lost quorum and recoveries on random worlds (S3, S5, L3, L4). What counts as proof is written a
// second time on purpose.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "plan/property.h"

namespace plan {
namespace {

using namespace test;
using std::chrono_literals::operator""s;

// What may be said of one member.
struct Fate {
  bool votes = false, may_vote = false;  // by the record
  bool own = false;                      // its data is its own, and nothing speaks against it
  bool gone = false;                     // its data is proven gone
  bool removed = false;                  // etcd said so
  bool hidden = false;                   // whether a process of it runs cannot be seen
  bool down = false;                     // no process of it runs
  std::pair<std::uint64_t, std::uint64_t> log;
};

bool is(const MemberFacts* f, Data data) {
  return f != nullptr && f->data.known() && *f->data == data;
}

Fate fate_of(const World& w, const MemberRecord& m) {
  Fate out;
  const auto facts = w.seen.members.find(m.name);
  const MemberFacts* f = facts == w.seen.members.end() ? nullptr : &facts->second;
  const auto status = w.seen.statuses.find(m.id);
  const bool answers = m.id && status != w.seen.statuses.end() && status->second.known();
  const End end = f != nullptr && f->ended ? f->ended->end : End::kNone;
  out.removed = !answers && end == End::kRemoved;
  out.votes = m.phase == Phase::kVoter && !out.removed;
  out.may_vote = (m.phase == Phase::kRemoving || m.phase == Phase::kLearner) && !out.removed;
  const bool condemned = end == End::kDataLost || end == End::kDataCorrupt || end == End::kForeign;
  out.own = answers ? status->second->cluster_id == w.record.cluster_id ||
                          (is(f, Data::kOwn) && !condemned && end != End::kRemoved)
                    : is(f, Data::kOwn) && !condemned;
  const bool nothing = f != nullptr && (!f->data.known() || is(f, Data::kOlder));
  out.gone =
      !answers && f != nullptr && (is(f, Data::kBlank) || (end == End::kDataLost && nothing));
  out.hidden = f == nullptr || f->process.is_unknown();
  out.down = f != nullptr &&
             (f->process.is_absent() || (f->process.known() && *f->process == Process::kStopped));
  if (f != nullptr) out.log = {f->log_term, f->log_index};
  return out;
}

// Could any of the memberships that are possible have a quorum, of those not proven gone?
bool may_be_quorum(const World& w, const Record& record) {
  std::size_t voters = record.strangers.size(), left = voters, maybe = 0;
  for (const auto& [name, m] : record.members) {
    const Fate fate = fate_of(w, m);
    voters += fate.votes ? 1U : 0U;
    left += fate.votes && !fate.gone ? 1U : 0U;
    maybe += fate.may_vote && !fate.gone ? 1U : 0U;
  }
  for (std::size_t a = 0; a <= maybe; ++a)
    if (left + a >= majority(voters + a)) return true;
  return false;
}

// Restarted since a quorum served, and without a leader for a minute.
bool finds_nobody(const World& w, const MemberRecord& m) {
  const auto status = w.seen.statuses.find(m.id);
  const bool led = m.id && status != w.seen.statuses.end() && status->second.known() &&
                   status->second->leader != base::MemberId{};
  const MemberFacts& f = w.seen.members.at(m.name);
  if (led || f.process != base::Fact<Process>(Process::kRunning)) return false;
  const base::Instant since = f.ended ? std::max(m.started_at, f.ended->at) : m.started_at;
  return since > w.record.last_quorum_read && w.now - since >= 60s;
}

// Some were removed, by the list or by etcd's own word: it elects by a membership that the disks of
// the others may tell wrongly, the larger one, and of that they are no quorum.
bool may_be_unaware(const World& w, const Record& record) {
  std::size_t voters = 0, whole = 0, out = 0;
  bool tried = true;
  for (const auto& [name, m] : record.members) {
    const Fate fate = fate_of(w, m);
    const auto facts = w.seen.members.find(name);
    const bool stopped = facts != w.seen.members.end() &&
                         facts->second.process == base::Fact<Process>(Process::kStopped);
    const bool left = fate.removed || (m.phase == Phase::kRetired && stopped);
    if (left && m.permit == Permit::kData && m.incarnation == record.incarnation) out += 1;
    if (fate.may_vote) return false;
    voters += fate.votes ? 1U : 0U;
    whole += fate.votes && fate.own ? 1U : 0U;
    if (fate.votes && fate.own) tried &= finds_nobody(w, m);
  }
  return out > 0 && record.strangers.empty() && whole < majority(voters + out) &&
         (tried || record.recovery);
}

// S5: nobody needs to be asked. Empty: so it is.
std::string missing_proof(const World& w, const Record& record, const std::string& survivor) {
  if (!record.strangers.empty()) return "somebody votes who is not ours";
  if (may_be_quorum(w, record) && !may_be_unaware(w, record)) return "the others may be a quorum";
  const auto chosen = record.members.find(survivor);
  if (chosen == record.members.end()) return "there is no survivor";
  const Fate best = fate_of(w, chosen->second);
  if (!best.votes || !best.own) return "the survivor is no voter with data";
  for (const auto& [name, m] : record.members) {
    const Fate fate = fate_of(w, m);
    if (m.incarnation == record.incarnation && fate.hidden) return name + " may run";
    if (!fate.votes && !fate.may_vote) continue;
    if (!fate.own && !fate.gone) return name + " may have data";
    const bool noted = fate.log.second > 0 && best.log.second > 0;
    if (fate.own && noted && fate.log > best.log) return name + " has a longer log";
  }
  return {};
}

// Also in place of one that is given up in the same pass.
bool begins(const World& w, const Plan& p) {
  if (!p.record.recovery) return false;
  const bool another =
      w.record.recovery && w.record.recovery->operation != p.record.recovery->operation;
  return !w.record.recovery || (another && !p.record.recovery->approved);
}

// Nothing is left, by proof, of what was deleted and declared again with a restore block.
bool is_new_again(const World& w, const Record& record) {
  const auto& spec = w.intent.cluster.spec;
  return record.restore.again && record.recovery->survivor.empty() && spec.restore &&
         spec.recovery.on_data_loss == api::OnDataLoss::kApprove && record.strangers.empty() &&
         std::ranges::all_of(record.members, [&](const auto& entry) {
           const auto& [name, m] = entry;
           const Fate fate = fate_of(w, m);
           if (m.incarnation == record.incarnation && fate.hidden) return false;
           return fate.gone || (!fate.votes && !fate.may_vote);
         });
}

RC_GTEST_PROP(Recovery, S5BeginsByItselfOnlyWithProof, ()) {
  const auto [w, p] = draw();
  if (!begins(w, p) || !w.intent.approvals.empty()) RC_SUCCEED("none begins by itself");
  if (p.record.in_place.stage == InPlace::kBegin) RC_SUCCEED("a person asked to go back");
  if (is_new_again(w, p.record)) RC_SUCCEED("it was declared again");
  const auto& restore = w.intent.cluster.spec.restore;
  RC_ASSERT(!p.record.restore.again || !restore || !restore->asked_by.empty());
  RC_ASSERT(w.intent.cluster.spec.recovery.on_quorum_loss == api::OnQuorumLoss::kAutomatic);
  RC_ASSERT(!p.record.recovery->approved && p.record.recovery->vouched.empty());
  RC_ASSERT(missing_proof(w, p.record, p.record.recovery->survivor) == "");
  RC_ASSERT(w.now - *p.record.quorum_lost_since >= w.intent.cluster.spec.recovery.wait);
  RC_ASSERT(steps(p).empty());
}

// The last look before the fence: all is stopped and read, but perhaps one is out of sight.
void bring_to_the_fence(World& w) {
  w.record.operation->step = "export";
  w.record.operation->deadline = w.now + 60s;
  w.seen.last = LastAct{"ExportSurvivor", Outcome::kDone, "", w.now, 0, false};
  for (auto& [name, facts] : w.seen.members) {
    facts.process = Process::kStopped;
    if (*rc::gen::inRange(0, 6) == 0) facts.process = base::Fact<Process>::unknown("no look");
  }
}

RC_GTEST_PROP(Recovery, S5NothingOldRunsWhenANewIncarnationBegins, ()) {
  World w = draw_world();
  const bool begun = w.record.recovery && w.record.recovery->failure.empty();
  if (begun && w.record.formation == Formation::kLatched) bring_to_the_fence(w);
  const Plan p = plan(w.intent, w.record, w.seen, w.now);
  RC_LOG() << to_text(w) << "plans:\n" << steps(p);
  const bool fences = w.record.recovery && p.record.incarnation != w.record.incarnation;
  if (!fences) RC_SUCCEED("no fence");
  for (const auto& [name, m] : w.record.members) {
    if (m.incarnation != w.record.incarnation) continue;
    const Fate fate = fate_of(w, m);
    const bool survivor = name == w.record.recovery->survivor;
    const bool vouched = fate.hidden && w.record.recovery->vouched.contains(name) && !survivor;
    RC_ASSERT(fate.down || vouched);
  }
  if (!w.record.recovery->approved && w.record.formation == Formation::kLatched) {
    const std::string lacks = missing_proof(w, w.record, w.record.recovery->survivor);
    const bool kept = w.seen.survivor_snapshot == base::Fact<bool>(true);
    RC_ASSERT(lacks.empty() || (kept && lacks == "the survivor is no voter with data"));
  }
  // Its data was read, or at least its snapshot was taken.
  const bool read = w.seen.last && w.seen.last->action == "ExportSurvivor" &&
                    w.seen.last->outcome == Outcome::kDone;
  RC_ASSERT(w.record.operation->step == "export");
  RC_ASSERT(read || w.seen.survivor_snapshot == base::Fact<bool>(true));
}

RC_GTEST_PROP(Recovery, APersonApprovesWhatTheyWereTold, ()) {
  auto [w, asked] = draw();
  const auto& question = asked.record.operation;
  if (!question || question->kind != OperationKind::kRecovery ||
      !question->step.starts_with("approve") || !question->halted)
    RC_SUCCEED("nothing is asked");
  World then = w;
  then.record = asked.record;
  then.seen.fresh_operation = "op3";
  then.intent.approvals = {{question->id, w.now + 1s}};
  if (!then.seen.members.empty() && *rc::gen::arbitrary<bool>()) {
    auto& facts = then.seen.members.begin()->second;
    if (*rc::gen::arbitrary<bool>()) facts.process = base::Fact<Process>::unknown("no look");
    if (*rc::gen::arbitrary<bool>()) facts.data = base::Fact<Data>::unknown("no look");
  }
  const Plan p = plan(then.intent, then.record, then.seen, then.now);
  const auto& before = asked.record.recovery;
  const bool goes_on =
      p.record.recovery &&
      (!before || (!before->failure.empty() && p.record.recovery->failure.empty()));
  if (!goes_on) RC_SUCCEED("nothing is done");
  RC_ASSERT(p.record.recovery->operation == question->id);
  RC_ASSERT(p.record.recovery->survivor == question->member);
  const auto count = [&](const std::string& name) {
    const auto at = before->failed.find(name);
    return at == before->failed.end() ? 0 : at->second;
  };
  for (const auto& [name, m] : asked.record.members) {
    const Fate fate = fate_of(then, m);
    if (!before || before->survivor.empty() || !(fate.votes || fate.may_vote) || !fate.own)
      continue;
    const bool nothing = m.permit == Permit::kJoin && fate.log.second == 0;
    if (question->member.empty()) RC_ASSERT(nothing);
    if (count(name) < 2 && !nothing) RC_ASSERT(count(question->member) < 2);
  }
  for (const std::string& name : p.record.recovery->vouched)
    RC_ASSERT(question->step.find(name) != std::string::npos &&
              question->note.find(name) != std::string::npos);
  const bool old_in_force = asked.record.formation == Formation::kLatched;
  if (question->step.find("without proof") == std::string::npos && old_in_force &&
      !question->member.empty()) {
    const std::string lacks = missing_proof(then, then.record, question->member);
    // What failed before is passed over, as they were told.
    RC_ASSERT(lacks.empty() || (before && lacks.ends_with("a longer log")));
  }
}

RC_GTEST_PROP(Recovery, WhatFailedIsNotTriedAgainWithoutAWord, ()) {
  const auto [w, p] = draw();
  if (!w.record.recovery || !p.record.recovery || begins(w, p)) RC_SUCCEED("no recovery goes on");
  const auto& before = *w.record.recovery;
  const auto& after = *p.record.recovery;
  if (before.operation == after.operation) {
    RC_ASSERT(before.survivor == after.survivor);
    RC_ASSERT(before.failure.empty() || before.failure == after.failure);
    return;
  }
  RC_ASSERT(std::ranges::any_of(w.intent.approvals, [&](const Approval& a) {
    return a.operation == after.operation && a.expires > w.now;
  }));
  for (const auto& [name, times] : after.failed)
    if (name == after.survivor) RC_ASSERT(times < 2);
}

// All that could bring the quorum back was started before anything is given up.
RC_GTEST_PROP(Recovery, NobodyIsAskedBeforeWhatCanStartWasStarted, ()) {
  const auto [w, p] = draw();
  const auto& o = p.record.operation;
  const bool asks = o && o->kind == OperationKind::kRecovery && o->halted && !p.record.recovery &&
                    !w.record.recovery && o->step.starts_with("approve");
  if (!asks && !begins(w, p)) RC_SUCCEED("nothing is given up");
  if (w.record.operation && w.record.operation->id == o->id) RC_SUCCEED("asked before");
  for (const auto& [name, m] : w.record.members) {
    const Fate fate = fate_of(w, m);
    const bool missed = m.phase == Phase::kRemoving && m.permit == Permit::kData &&
                        w.now - *p.record.quorum_lost_since >= 10s;
    const auto binary = w.seen.binaries.find(m.version.text());
    const bool can =
        binary != w.seen.binaries.end() && binary->second == base::Fact<Binary>(Binary::kPresent);
    const bool tried = w.now - m.started_at < 120s || (w.seen.last && w.seen.last->failures > 0);
    const bool startable = fate.own && fate.down && !w.seen.members.at(name).ended;
    if (can && !tried && startable)
      RC_ASSERT(!missed && !(m.phase == Phase::kVoter && m.may_start));
  }
}

// L4: fewer than a quorum with data ends in a recovery or in a question, never in silence.
RC_GTEST_PROP(Recovery, L4NeverInSilence, ()) {
  auto [w, p] = draw();
  if (!steps_of<StartMember>(p).empty()) {  // what could be started was, and changed nothing
    w.record = p.record;
    w.seen.last = LastAct{"StartMember", Outcome::kDone, "", w.now, 0, false};
    p = plan(w.intent, w.record, w.seen, w.now);
  }
  const bool here = w.record.formation == Formation::kLatched && !w.seen.membership.known() &&
                    p.record.formation == Formation::kLatched && !p.record.recovery &&
                    !w.record.recovery && w.seen.record_state == RecordState::kOk;
  const bool rests = w.intent.wish == Wish::kDeleted || w.intent.stop || w.intent.paused ||
                     w.intent.cluster.spec.paused || w.intent.cluster.spec.hibernate;
  if (!here || rests || !p.steps.empty() || !p.record.quorum_lost_since) RC_SUCCEED("elsewhere");
  if (w.now - *p.record.quorum_lost_since < w.intent.cluster.spec.recovery.wait)
    RC_SUCCEED("the window is open");
  std::size_t with_data = 0, settling = 0, all = p.record.strangers.size();
  for (const auto& [name, m] : p.record.members) {
    const Fate fate = fate_of(w, m);
    with_data += fate.votes && fate.own ? 1U : 0U;
    all += fate.votes || (fate.may_vote && !fate.own) ? 1U : 0U;
    const bool settles = fate.may_vote && fate.own && m.phase == Phase::kRemoving && !fate.down &&
                         w.now - m.started_at < 60s;
    settling += settles ? 1U : 0U;
  }
  if (with_data >= majority(all) || with_data + settling >= majority(all + settling))
    RC_SUCCEED("enough have their data");
  const api::Condition* asks = api::find_condition(p.status, api::ConditionType::kNeedsApproval);
  const api::Condition* told = api::find_condition(p.status, api::ConditionType::kDegraded);
  const bool told_so = told->reason == "RecoveryForbidden" || told->reason == "DataLossTotal";
  RC_LOG() << "told: " << told->reason << ": " << told->message << "\n";
  RC_ASSERT(asks->status == api::Truth::kTrue || told_so);
}

}  // namespace
}  // namespace plan
