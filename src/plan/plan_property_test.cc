// The planner's contract (S1 to S10, as far as they apply) on random worlds. The arithmetic here is
// written a second time on purpose.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "plan/property.h"

namespace plan {
namespace {

using namespace test;

struct Voters {
  std::size_t all = 0, healthy = 0;
  std::map<base::MemberId, bool> is_healthy;  // of the voters
  bool known = false;
};

Voters count(const World& w) {
  Voters out;
  if (!w.seen.membership.known()) return out;
  const Membership& list = *w.seen.membership;
  if (w.record.cluster_id && list.cluster_id != w.record.cluster_id) return out;
  out.known = !list.members.empty();
  base::MemberId leader;
  std::uint64_t term = 0;
  for (const auto& [id, fact] : w.seen.statuses) {
    if (!fact.known() || !fact->leader || fact->cluster_id != list.cluster_id) continue;
    if (!leader || fact->raft_term > term) {
      leader = fact->leader;
      term = fact->raft_term;
    }
  }
  for (const EtcdMember& m : list.members) {
    if (m.learner) continue;
    const auto at = w.seen.statuses.find(m.id);
    const bool healthy = m.started && leader && at != w.seen.statuses.end() && at->second.known() &&
                         at->second->leader == leader && at->second->cluster_id == list.cluster_id;
    out.all += 1;
    out.healthy += healthy ? 1U : 0U;
    out.is_healthy[m.id] = healthy;
  }
  return out;
}

// Named exceptions: deletion, rest, a fenced recovery.
bool rests(const World& w, const Plan& p) {
  return w.intent.wish == Wish::kDeleted || w.intent.stop || w.intent.cluster.spec.hibernate ||
         p.record.recovery.has_value() || p.record.hibernated;
}

bool is_down(const World& w, const std::string& member) {
  const auto at = w.seen.members.find(member);
  return at != w.seen.members.end() && at->second.process.known() &&
         (*at->second.process == Process::kStopped || *at->second.process == Process::kBackoff);
}

bool halted_at(const World& w, const std::string& member) {
  const auto& o = w.record.operation;
  return o && o->kind == OperationKind::kRollout && o->halted && o->member == member;
}

// Before: a quorum is healthy. After the step: too.
void stays(const Voters& v, std::size_t healthy, std::size_t voters) {
  if (v.healthy >= majority(v.all)) RC_ASSERT(healthy >= majority(voters));
}

RC_GTEST_PROP(Properties, S1KeepsAQuorumOfHealthyVoters, ()) {
  const auto [w, p] = draw();
  const Voters v = count(w);
  for (const auto& step : steps_of<RemoveMember>(p)) {
    RC_ASSERT(v.known);
    const auto at = v.is_healthy.find(step.id);
    if (at != v.is_healthy.end()) stays(v, v.healthy - (at->second ? 1 : 0), v.all - 1);
  }
  for (const auto& step : steps_of<PromoteMember>(p)) {
    RC_ASSERT(v.known);
    RC_ASSERT(!v.is_healthy.contains(step.id));
    stays(v, v.healthy + 1, v.all + 1);
  }
  for (const auto& step : steps_of<StopMember>(p)) {
    if (rests(w, p)) continue;  // a deletion stops what no record knows, too
    const MemberRecord& m = p.record.members.at(step.member);
    if (m.phase == Phase::kRetired) continue;
    if (!v.known) {  // only what does not serve, or what a halted rollout did not bring up
      RC_ASSERT(is_down(w, step.member) || halted_at(w, step.member));
      continue;
    }
    const auto at = v.is_healthy.find(m.id);
    const bool healthy = at != v.is_healthy.end() && at->second;
    if (healthy && v.all <= 2) continue;  // the announced outage of a restart
    stays(v, v.healthy - (healthy ? 1 : 0), v.all);
  }
  if (!steps_of<AddLearner>(p).empty()) RC_ASSERT(v.known);
}

RC_GTEST_PROP(Properties, S2OneChangeOfTheMembershipInFlight, ()) {
  const auto [w, p] = draw();
  const auto adds = steps_of<AddLearner>(p);
  RC_ASSERT(adds.size() + steps_of<RemoveMember>(p).size() + steps_of<PromoteMember>(p).size() <=
            1U);
  if (adds.empty()) RC_SUCCEED("no addition");
  for (const auto& [name, m] : p.record.members) {
    if (name != adds.front().member)
      RC_ASSERT(m.phase != Phase::kAdding && m.phase != Phase::kLearner);
  }
  const MemberRecord& added = p.record.members.at(adds.front().member);
  RC_ASSERT(added.phase == Phase::kAdding && added.permit == Permit::kJoin);
  RC_ASSERT(added.addresses.peer_url == adds.front().peer_url);
}

RC_GTEST_PROP(Properties, OneDisruptiveStepAndThenItIsTheOnlyOne, ()) {
  const auto [w, p] = draw();
  const auto disruptive =
      std::ranges::count_if(p.steps, [](const Step& s) { return is_disruptive(s.action); });
  if (rests(w, p)) {  // then all members may stop at once, and nothing else happens
    const bool only_stops = steps_of<StopMember>(p).size() == p.steps.size();
    RC_ASSERT(disruptive == 0 || p.steps.size() == 1U || only_stops);
  } else {
    RC_ASSERT(disruptive == 0 || p.steps.size() == 1U);
  }
}

RC_GTEST_PROP(Properties, S3NeverNewAfterTheLatch, ()) {
  const auto [w, p] = draw();
  RC_ASSERT(p.record.token.empty() || !p.record.old_tokens.contains(p.record.token));
  for (const auto& token : w.record.old_tokens) RC_ASSERT(p.record.old_tokens.contains(token));
  if (p.record.formation == Formation::kLatched) {
    for (const auto& [name, m] : p.record.members) RC_ASSERT(m.permit != Permit::kBootstrap);
  }
  const bool recovers = w.record.recovery || p.record.recovery || p.record.epoch != w.record.epoch;
  if (w.record.formation == Formation::kLatched && !recovers) {
    RC_ASSERT(p.record.formation == Formation::kLatched);
    RC_ASSERT(p.record.token == w.record.token && p.record.cluster_id == w.record.cluster_id);
    RC_ASSERT(p.record.incarnation == w.record.incarnation);
  }
  // Ordinals, and so names and volumes, are never used twice.
  RC_ASSERT(p.record.next_ordinal >= w.record.next_ordinal);
  for (const auto& [name, m] : p.record.members)
    if (!w.record.members.contains(name)) RC_ASSERT(m.ordinal >= w.record.next_ordinal);
}

RC_GTEST_PROP(Properties, S3OnlyMembersWithTheirDataStart, ()) {
  const auto [w, p] = draw();
  for (const auto& step : steps_of<StartMember>(p)) {
    const MemberRecord& m = p.record.members.at(step.member);
    RC_ASSERT(m.may_start);
    const auto at = w.seen.members.find(step.member);
    if (m.phase == Phase::kRemoving) {  // only while nobody can say whether it was removed
      RC_ASSERT(!count(w).known && m.permit == Permit::kData);
      RC_ASSERT(at != w.seen.members.end() && at->second.data == base::Fact<Data>(Data::kOwn));
    } else {
      RC_ASSERT(m.phase == Phase::kVoter || m.phase == Phase::kLearner ||
                m.phase == Phase::kForming);
    }
    if (at == w.seen.members.end()) continue;
    const auto& process = at->second.process;
    if (process.known() && *process != Process::kStopped) continue;  // it runs: nothing is started
    const auto& ended = at->second.ended;
    const auto status = w.seen.statuses.find(m.id);
    const bool answers = m.id && status != w.seen.statuses.end() && status->second.known();
    if (ended && !answers)
      RC_ASSERT(ended->end != End::kDataLost && ended->end != End::kDataCorrupt &&
                ended->end != End::kForeign && ended->end != End::kRemoved);
    const bool blank = at->second.data.known() &&
                       (*at->second.data == Data::kBlank || *at->second.data == Data::kOlder);
    // What a restore put there is put there again, as long as nobody was sent to it.
    const bool restores = m.permit == Permit::kRestore && p.record.recovery;
    if (m.ran && process.known()) RC_ASSERT(!blank || restores);
  }
  for (const auto& step : steps_of<PromoteMember>(p))
    RC_ASSERT(p.record.members.at(step.member).permit == Permit::kData);
}

RC_GTEST_PROP(Properties, S4NoDataIsDroppedThatCounts, ()) {
  const auto [w, p] = draw();
  for (const auto& step : steps_of<PutAside>(p)) {
    const auto at = p.record.members.find(step.member);
    RC_ASSERT(at != p.record.members.end());
    RC_ASSERT(at->second.phase == Phase::kRetired || p.record.recovery);
    if (step.delete_data) RC_ASSERT(w.intent.cluster.spec.when_scaled == api::ClaimPolicy::kDelete);
  }
  for (const auto& step : steps_of<DeleteCluster>(p)) {
    RC_ASSERT(w.intent.wish == Wish::kDeleted);
    if (step.delete_data)
      RC_ASSERT(w.intent.cluster.spec.when_deleted == api::ClaimPolicy::kDelete);
  }
  if (!steps_of<DiscardFormation>(p).empty()) RC_ASSERT(w.record.formation == Formation::kForming);
}

RC_GTEST_PROP(Properties, S7NoMemberGoesBelowTheClusterVersion, ()) {
  const auto [w, p] = draw();
  if (!w.seen.cluster_version.known()) RC_SUCCEED("not known");
  for (const auto& [name, m] : p.record.members) {
    const auto before = w.record.members.find(name);
    if (before == w.record.members.end() || before->second.version == m.version) continue;
    if (m.version < before->second.version)
      RC_ASSERT(m.version.minor >= w.seen.cluster_version->minor);
  }
}

RC_GTEST_PROP(Properties, S10NothingIsCalledAvailableWithoutAFreshRead, ()) {
  const auto [w, p] = draw();
  const api::Condition* c = api::find_condition(p.status, api::ConditionType::kAvailable);
  RC_ASSERT(c != nullptr);
  if (c->status != api::Truth::kTrue) RC_SUCCEED("not called so");
  const bool old = w.now - w.record.last_quorum_read > std::chrono::seconds(30);
  RC_ASSERT(count(w).known || !old);
  RC_ASSERT(p.record.formation == Formation::kLatched);
}

RC_GTEST_PROP(Properties, AStaleWishBeginsNothing, ()) {
  const auto [w, p] = draw();
  if (w.intent.wish != Wish::kStale) RC_SUCCEED("another wish");
  // A follower that nobody wants any more is ended, which begins nothing.
  if (w.record.formation == Formation::kNone)
    RC_ASSERT(steps_of<EndFollower>(p).size() == p.steps.size());
  RC_ASSERT(p.record.version == w.record.version || w.record.recovery || p.record.recovery);
  RC_ASSERT(steps_of<DeleteCluster>(p).empty());
}

RC_GTEST_PROP(Properties, NothingIsTouchedThatIsNotOurs, ()) {
  const auto [w, p] = draw();
  if (!w.seen.membership.known()) RC_SUCCEED("no list");
  for (const auto& step : steps_of<RemoveMember>(p)) {
    if (!step.member.empty()) {
      RC_ASSERT(p.record.members.at(step.member).id == step.id);
      continue;
    }
    for (const EtcdMember& m : w.seen.membership->members)
      if (m.id == step.id && !w.seen.alarms.known()) RC_ASSERT(!m.started);
  }
}

RC_GTEST_PROP(Properties, ATornRecordOrAPauseTouchesNothing, ()) {
  const auto [w, p] = draw();
  const bool paused =
      (w.intent.paused || w.intent.cluster.spec.paused) && w.intent.wish != Wish::kDeleted;
  if (w.seen.record_state == RecordState::kTorn || paused) RC_ASSERT(p.steps.empty());
}

RC_GTEST_PROP(Properties, TheSameFactsGiveTheSamePlan, ()) {
  const auto [w, p] = draw();
  const Plan again = plan(w.intent, w.record, w.seen, w.now);
  RC_ASSERT(steps(p) == steps(again));
  RC_ASSERT(p.status == again.status);
  RC_ASSERT(p.requeue_after == again.requeue_after && p.want_hashes == again.want_hashes);
  RC_ASSERT(p.record.next_ordinal == again.record.next_ordinal);
}

RC_GTEST_PROP(Properties, PlansOnTopOfPlansNeverFail, ()) {
  auto [w, p] = draw();
  for (int i = 0; i < 6; ++i) {
    w.record = p.record;
    w.seen.last.reset();
    if (!p.steps.empty())
      w.seen.last =
          LastAct{std::string(name_of(p.steps.back().action)), Outcome::kDone, "", w.now, 0};
    w.now += std::chrono::seconds(20);
    p = plan(w.intent, w.record, w.seen, w.now);
    RC_ASSERT(p.requeue_after.count() > 0);
    for (const auto& condition : p.status.conditions) RC_ASSERT(!condition.reason.empty());
  }
}

}  // namespace
}  // namespace plan
