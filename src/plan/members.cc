#include "plan/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "api/annotations.h"
#include "base/ids.h"
#include "base/mutants.h"

namespace plan {

namespace {

std::string name_to_type(const base::ClusterKey& key) {
  return key.ns == "default" ? key.name : key.text();
}

bool no_process(const base::Fact<Process>& process) {
  return process.is_absent() || (process.known() && *process == Process::kStopped);
}

}  // namespace

bool is_stopped(const Seat& seat) {
  return seat.facts != nullptr && no_process(seat.facts->process);
}

bool is_stopped(const Observation& seen, const std::string& member) {
  const auto it = seen.members.find(member);
  return it != seen.members.end() && no_process(it->second.process);
}

bool is_current(const MemberRecord& member) {
  return member.phase != Phase::kRetired && member.phase != Phase::kSurvivor;
}

bool caught_up(const View& view, const Seat& seat) {
  if (seat.status == nullptr || view.leader == nullptr || view.leader->status == nullptr)
    return false;
  return seat.status->raft_applied + kCaughtUpEntries >= view.leader->status->raft_index;
}

std::string not_all_healthy(const View& view) {
  if (!view.quorum || !view.list_known) return "no quorum read succeeds";
  if (view.leader == nullptr) return "no leader is seen";
  for (const Seat& seat : view.seats) {
    if (seat.record != nullptr && !is_current(*seat.record)) continue;
    const std::string who = seat.name();
    if (seat.etcd == nullptr) return fmt::format("{} is not in the member list", who);
    if (!seat.voter) return fmt::format("{} is a learner", who);
    if (!seat.healthy) return fmt::format("{} is not healthy", who);
    if (!caught_up(view, seat)) return fmt::format("{} is catching up", who);
  }
  return {};
}

const Seat* best_transferee(const View& view, const std::function<bool(const Seat&)>& fits) {
  const Seat* best = nullptr;
  for (const Seat& seat : view.seats) {
    if (!seat.voter || !seat.healthy || seat.status == nullptr || seat.etcd == nullptr) continue;
    if (view.leader != nullptr && view.leader->etcd == seat.etcd) continue;
    if (!fits(seat)) continue;
    if (best == nullptr || seat.status->raft_applied > best->status->raft_applied) best = &seat;
  }
  return best;
}

std::uint32_t failures_of(const Observation& seen, std::string_view action) {
  if (!seen.last || seen.last->action != action || seen.last->outcome == Outcome::kDone) return 0;
  return std::max<std::uint32_t>(seen.last->failures, 1);
}

std::string why_not_done(const Observation& seen, std::string_view action) {
  if (failures_of(seen, action) == 0 || seen.last->text.empty()) return {};
  return "; not done yet: " + seen.last->text;
}

void give_up_token(Record& record) {
  if (record.token.empty()) return;
  auto& old = record.old_tokens;
  old.insert(record.token);
  while (old.size() > kOldTokens)
    old.erase(*old.begin() == record.token ? std::next(old.begin()) : old.begin());
  record.token.clear();
}

bool is_approved(const Intent& intent, const std::string& operation, base::Instant now) {
  return std::ranges::any_of(intent.approvals, [&](const Approval& a) {
    const bool same = a.operation == operation || mutant(base::Mutant::kAnyApproval);
    return same && a.expires > now;
  });
}

std::string approve_command(const Context& c) {
  return approve_command(c, c.record.operation->id);
}

std::string approve_command(const Context& c, const std::string& id) {
  const base::ClusterKey& key = c.record.key;
  if (c.intent.platform == api::Platform::kKubernetes)
    return fmt::format("`kubectl annotate {} {} -n {} {}={} --overwrite`",
                       c.intent.cluster.group == api::Group::kCoreOs
                           ? "etcdclusters.etcd.database.coreos.com"
                           : "etcdclusters.operator.etcd.io",
                       key.name, key.ns, api::kApproveAnnotation, id);
  return fmt::format("`etcd-operator approve {} {} --state DIR`", name_to_type(key), id);
}

void hidden_last(const View& view, std::vector<Step>& stops) {
  const auto is_hidden = [&](const Step& step) {
    const Seat* seat = view.by_name(std::get<StopMember>(step.action).member);
    return seat == nullptr || seat->facts == nullptr || !seat->facts->process.known();
  };
  std::vector<Step> hidden;
  std::ranges::copy_if(stops, std::back_inserter(hidden), is_hidden);
  std::erase_if(stops, is_hidden);
  stops.insert(stops.end(), hidden.begin(), hidden.end());
}

std::vector<Step> stop_all(const View& view, Reason why) {
  std::vector<Step> steps;
  std::optional<Step> leader;
  for (const Seat& seat : view.seats) {
    if (seat.record == nullptr || is_stopped(seat)) continue;
    Step step{StopMember{seat.record->name}, why};
    if (view.leader != nullptr && view.leader->record == seat.record)
      leader = std::move(step);
    else
      steps.push_back(std::move(step));
  }
  if (leader) steps.push_back(*std::move(leader));
  hidden_last(view, steps);
  return steps;
}

}  // namespace plan
