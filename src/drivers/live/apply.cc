// Actions on the live cluster. Each reads the membership again right before its call.
#include <algorithm>

#include "base/mutants.h"
#include "drivers/live/cluster.h"
#include "etcd/rewrite_members.h"

namespace live {
namespace {

constexpr base::Duration kStatus{1'000}, kRead{3'000}, kChange{10'000};

engine::ApplyResult done(std::string text = {}) {
  return {plan::Outcome::kDone, std::move(text)};
}
engine::ApplyResult refused(std::string text) {
  return {plan::Outcome::kRefused, std::move(text)};
}
template <class T>
engine::ApplyResult result_of(const etcd::Change<T>& change) {
  if (change) return done();
  return {to_plan(change.error().outcome), change.error().error.message};
}

// S12: asked directly before the call, which ends before our lease does.
template <class Send>
engine::ApplyResult within_lease(Surroundings& around, base::Duration at_most, const Send& send) {
  const auto time = around.may_change_for(at_most);
  if (time.count() <= 0) return refused("not sent: it might end after our lease");
  return result_of(send(time));
}

const etcd::Member* find(const etcd::MemberList& list, base::MemberId id) {
  const auto found = std::ranges::find(list.members, id, &etcd::Member::id);
  return found == list.members.end() ? nullptr : &*found;
}

}  // namespace

base::Result<Cluster::Live> Cluster::live(const Call& call) {
  TRY_OK(dial(call.job.intent.cluster.spec.tls));
  std::string problems;
  const auto& cluster = call.job.record.cluster_id;
  for (const auto& [name, member] : call.job.record.members) {
    if (member.phase != plan::Phase::kVoter || call.stop.stop_requested()) continue;
    const Api api = endpoints_.at(member.addresses.client_url);
    const auto status = api->status(kStatus);
    const bool leads = status && (status->leader || mutant(base::Mutant::kStaleList));
    if (!leads || status->learner) continue;
    auto list = api->member_list(!mutant(base::Mutant::kStaleList), kRead);
    if (list && cluster && list->cluster_id != cluster) {
      problems = name + " is of cluster " + base::to_text(list->cluster_id);
      continue;
    }
    if (list) return Live{std::move(*list), api};
    problems = list.error().message;
  }
  return base::fail(base::Code::kUnavailable,
                    problems.empty() ? "no voter answers that sees a leader" : problems);
}

base::Result<Cluster::Api> Cluster::leader(const Live& now, const Call& call) {
  TRY(const auto status, now.api->status(kStatus));
  for (const auto& [name, member] : call.job.record.members)
    if (member.id && member.id == status.leader) return endpoints_.at(member.addresses.client_url);
  return base::fail(base::Code::kUnavailable,
                    "the leader " + base::to_text(status.leader) + " is not a member of ours");
}

engine::ApplyResult Cluster::act(const plan::AddLearner& a, const Call& call) {
  const auto now = live(call);
  if (!now) return refused(now.error().message);
  for (const auto& m : now->list.members)
    for (const auto& url : m.peer_urls)
      if (host_port(url) == host_port(a.peer_url))
        return done("it is in the list already as " + base::to_text(m.id));
  const bool learner = !mutant(base::Mutant::kAddAsVoter);
  return within_lease(around_, kChange, [&](base::Duration time) {
    return now->api->member_add(a.peer_url, learner, time);
  });
}

engine::ApplyResult Cluster::act(const plan::PromoteMember& a, const Call& call) {
  const auto now = live(call);
  if (!now) return refused(now.error().message);
  const auto* m = find(now->list, a.id);
  if (m == nullptr) return refused(base::to_text(a.id) + " is not in the membership");
  if (!m->learner) return done("it votes already");
  return within_lease(around_, kChange,
                      [&](base::Duration time) { return now->api->member_promote(a.id, time); });
}

engine::ApplyResult Cluster::act(const plan::RemoveMember& a, const Call& call) {
  const auto now = live(call);
  if (!now) return refused(now.error().message);
  if (find(now->list, a.id) == nullptr) return done("it is not in the membership");
  // Not through the one that goes: it ends itself before it has answered.
  Api through = now->api;
  if (now->list.answered_by == a.id || !now->list.answered_by) {
    for (const auto& [name, member] : call.job.record.members)
      if (member.id != a.id && member.phase == plan::Phase::kVoter) {
        const Api other = endpoints_.at(member.addresses.client_url);
        const auto status = other->status(kStatus);
        if (status && status->leader) through = other;
      }
  }
  const auto id = mutant(base::Mutant::kWrongMemberRemoved) ? now->list.members.front().id : a.id;
  return within_lease(around_, kChange,
                      [&](base::Duration time) { return through->member_remove(id, time); });
}

engine::ApplyResult Cluster::act(const plan::MoveLeader& a, const Call& call) {
  const auto now = live(call);
  if (!now) return refused(now.error().message);
  const auto* to = find(now->list, a.to);
  if (to == nullptr || to->learner) return refused(base::to_text(a.to) + " cannot lead");
  const auto from = leader(*now, call);
  if (!from) return refused(from.error().message);
  const auto status = (*from)->status(kStatus);
  if (!status) return refused(status.error().message);
  if (status->leader == a.to) return done("it leads already");
  return within_lease(around_, kChange,
                      [&](base::Duration time) { return (*from)->move_leader(a.to, time); });
}

engine::ApplyResult Cluster::act(const plan::Compact& a, const Call& call) {
  const auto now = live(call);
  if (!now) return refused(now.error().message);
  auto result = within_lease(around_, call.job.deadline, [&](base::Duration time) {
    return now->api->compact(a.revision, true, time);
  });
  if (result.outcome == plan::Outcome::kRefused &&
      result.text.find("required revision has been compacted") != std::string::npos)
    return done("it was compacted already");
  return result;
}

engine::ApplyResult Cluster::act(const plan::Defragment& a, const Call& call) {
  if (auto ready = dial(call.job.intent.cluster.spec.tls); !ready)
    return refused(ready.error().message);
  for (const auto& [name, member] : call.job.record.members)
    if (member.id == a.id && name == a.member)
      return within_lease(around_, call.job.deadline, [&](base::Duration time) {
        return endpoints_.at(member.addresses.client_url)->defragment(time);
      });
  return refused("the record does not know " + a.member);
}

engine::ApplyResult Cluster::act(const plan::DisarmAlarm& a, const Call& call) {
  const auto now = live(call);
  if (!now) return refused(now.error().message);
  const auto kind =
      a.kind == plan::AlarmKind::kNoSpace ? etcd::AlarmKind::kNoSpace : etcd::AlarmKind::kCorrupt;
  return within_lease(around_, kChange,
                      [&](base::Duration time) { return now->api->disarm(a.id, kind, time); });
}

engine::ApplyResult Cluster::act(const plan::RewriteMembers&, const Call& call) {
  const auto now = live(call);
  if (!now) return refused(now.error().message);
  const auto count = static_cast<int>(std::max(now->list.members.size(), size_t{1}));
  return within_lease(around_, kChange, [&](base::Duration time) {
    return etcd::rewrite_members(*now->api, now->list, time / count);
  });
}

// To disarm the alarm of no member changes nothing and is an entry of the log.
engine::ApplyResult Cluster::act(const plan::AdvanceLog& a, const Call& call) {
  constexpr int kAtMost = 2'000, kLook = 100;  // the planner asks again for what is left
  const auto now = live(call);
  if (!now) return refused(now.error().message);
  const auto advance = [&] {
    return within_lease(around_, kChange, [&](base::Duration time) {
      return now->api->disarm(base::MemberId{}, etcd::AlarmKind::kNoSpace, time);
    });
  };
  if (a.index == 0) return advance();
  const auto until = clock_.tick() + call.job.deadline / 2;
  for (int i = 0; i < kAtMost && !call.stop.stop_requested(); ++i) {
    if (i % kLook == 0) {
      const auto status = now->api->status(kStatus);
      if (!status) return refused(status.error().message);
      if (status->raft_applied >= a.index) break;
      if (clock_.tick() >= until) break;
    }
    if (auto entry = advance(); entry.outcome != plan::Outcome::kDone) return entry;
  }
  return done();
}

}  // namespace live
