#include "plan/view.h"

#include <algorithm>
#include <utility>

#include "base/mutants.h"
#include "plan/clock.h"
#include "plan/quorum.h"
#include "plan/restore.h"

namespace plan {
namespace {

// Longer without a quorum read: how long a member was away is not known, so that it counts anew.
constexpr base::Duration kGap{60'000};

std::string_view host_port(std::string_view url) {
  if (const auto at = url.find("://"); at != std::string_view::npos) url.remove_prefix(at + 3);
  return url.substr(0, url.find('/'));
}

// A list of another cluster id is not this cluster's: as good as none.
const Membership* trusted_list(const Record& record, const Observation& seen) {
  const Membership* list = seen.membership.get();
  if (list == nullptr && mutant(base::Mutant::kListErrorMeansNoMembers)) {
    static const Membership kNobody;
    return &kNobody;
  }
  if (list == nullptr || list->members.empty()) return nullptr;
  if (mutant(base::Mutant::kForeignListIsTrusted)) return list;
  if (record.cluster_id && list->cluster_id != record.cluster_id) return nullptr;
  return list;
}

// By id once it is known; a founding or added member by the peer URL that was stored before.
const EtcdMember* find_in(const Membership& list, const MemberRecord& member) {
  if (member.phase == Phase::kSurvivor) return nullptr;
  if (!member.id && member.phase == Phase::kRetired) return nullptr;
  const auto at = std::ranges::find_if(list.members, [&](const EtcdMember& m) {
    if (!member.id && mutant(base::Mutant::kOrphanByName)) return m.name == member.name;
    return member.id ? m.id == member.id : same_peer(m.peer_url, member.addresses.peer_url);
  });
  return at == list.members.end() ? nullptr : &*at;
}

const EtcdStatus* status_of(const Observation& seen, base::MemberId id) {
  if (!id) return nullptr;
  const auto at = seen.statuses.find(id);
  return at == seen.statuses.end() ? nullptr : at->second.get();
}

// The leader that the newest term knows; 0: none.
base::MemberId leader_of(const Observation& seen, base::ClusterId cluster) {
  base::MemberId leader;
  std::uint64_t term = 0;
  for (const auto& [id, fact] : seen.statuses) {
    const EtcdStatus* status = fact.get();
    if (status == nullptr || !status->leader || status->cluster_id != cluster) continue;
    if (status->raft_term <= term && leader) continue;
    term = status->raft_term;
    leader = status->leader;
  }
  return leader;
}

void join(Seat& seat, const Observation& seen, base::ClusterId cluster, base::MemberId leader) {
  seat.status = status_of(seen, seat.id());
  seat.voter =
      seat.etcd != nullptr && (!seat.etcd->learner || mutant(base::Mutant::kLearnerCountsAsVoter));
  seat.healthy = seat.etcd != nullptr && seat.etcd->started && seat.status != nullptr && leader &&
                 seat.status->leader == leader && seat.status->cluster_id == cluster;
}

void remember_list(MemberRecord& member, const EtcdMember* listed) {
  if (listed == nullptr) {
    if (member.phase != Phase::kRemoving || !member.id) return;
    member.phase = Phase::kRetired;
    member.may_start = false;
    return;
  }
  if (member.phase == Phase::kAdding) member.id = listed->id;
  if (member.phase == Phase::kLearner && listed->started && !listed->learner)
    member.phase = Phase::kVoter;
  // A record that was rebuilt from tickets takes one that was about to vote for one that does.
  if (member.phase == Phase::kVoter && listed->learner) member.phase = Phase::kLearner;
  // It votes: blank data is a loss, whoever promoted it.
  if (member.phase == Phase::kVoter) member.permit = Permit::kData;
}

// A pair of term and index that the member's log surely reaches. A status names the term of now,
// not of the last entry: the pair holds for the leader of a term that a quorum follows, and for
// whoever applied at least what that leader had applied one look earlier in the same term.
void remember_log(MemberRecord& member, const EtcdStatus& status, const MemberRecord* leader) {
  const bool leads = status.leader == member.id;
  const bool follows = leader != nullptr && leader->seen_term == status.raft_term &&
                       leader->seen_index <= status.raft_applied;
  const auto pair = std::pair(status.raft_term, status.raft_applied);
  const auto before = std::pair(member.seen_term, member.seen_index);
  if ((!leads && !follows) || pair <= before) return;
  if (before > std::pair(member.audited_term, member.audited_index)) {
    member.audited_term = before.first;
    member.audited_index = std::max(member.audited_index, before.second);
  }
  std::tie(member.seen_term, member.seen_index) = pair;
}

// What is committed is never taken back, and what a guard noted is on the disk: it counts at once,
// whether or not etcd answers, and it is all there is when a member was stopped right after the
// first look in a long time.
void remember_commit(MemberRecord& member, const MemberFacts& facts) {
  if (member.permit != Permit::kData || !facts.data.known() || *facts.data != Data::kOwn) return;
  member.audited_index = std::max(member.audited_index, facts.log_commit);
}

void remember_process(MemberRecord& member, const MemberFacts& facts) {
  const Process* process = facts.process.get();
  if ((process != nullptr && *process != Process::kStopped) || facts.ended) member.ran = true;
  // S3: from the latch on it is this volume, and no other that began under the same ticket.
  const bool fixed = member.permit == Permit::kData && !member.origin.empty();
  if (process != nullptr && *process == Process::kRunning && !facts.origin.empty() && !fixed)
    member.origin = facts.origin;
}

// Since when it is missing, counted only while the rest can say so.
void remember_reach(const View& view, const Observation& seen, Record& out) {
  const bool gap = view.now - out.last_quorum_read > kGap;
  for (const Seat& seat : view.seats) {
    if (seat.record == nullptr) continue;
    MemberRecord& member = out.members.at(seat.record->name);
    const bool counts = member.phase == Phase::kVoter || member.phase == Phase::kLearner;
    if (seat.healthy || !counts || !member.may_start) {
      member.unreachable_since.reset();
    } else if (view.quorum && (!member.unreachable_since || gap)) {
      member.unreachable_since = view.now;
    }
  }
  // During a recovery it is the old incarnation's: what is lost is told by it.
  if (view.quorum && !out.recovery) {
    const base::Instant* read = seen.quorum_read.get();
    out.last_quorum_read = std::max(out.last_quorum_read, read == nullptr ? view.now : *read);
  }
}

// Who votes and is not ours, for a time when no list can be read.
void remember_strangers(const View& view, Record& out) {
  if (!view.list_known || out.formation != Formation::kLatched) return;
  out.strangers.clear();
  for (const Seat& seat : view.seats)
    if (seat.record == nullptr && seat.voter)
      out.strangers.insert(seat.name() + " at " + seat.etcd->peer_url);
}

// On Kubernetes an object goes at once, and nobody may have looked: another one of its name tells.
void remember_object(const Intent& intent, Record& out) {
  const std::string& uid = intent.cluster.uid;
  if (uid.empty() || uid == out.declared_by || out.formation == Formation::kNone) return;
  if (!out.declared_by.empty() && out.formation == Formation::kLatched)
    out.restore.again = intent.cluster.spec.restore.has_value();
  out.declared_by = uid;
}

// What is in the log up to here may be in the form of the minor version before.
void remember_minor(const api::Version& cluster, const Observation& seen, Record& out) {
  if (cluster.minor <= out.highest_minor_seen) return;
  if (out.highest_minor_seen > 0) {
    for (const auto& [id, fact] : seen.statuses) {
      const EtcdStatus* status = fact.get();
      if (status != nullptr && status->cluster_id == out.cluster_id)
        out.minor_since_index = std::max(out.minor_since_index, status->raft_index);
    }
  }
  out.highest_minor_seen = cluster.minor;
}

}  // namespace

std::string Seat::name() const {
  if (record != nullptr) return record->name;
  if (etcd == nullptr) return "-";
  return etcd->name.empty() ? base::to_text(etcd->id) : etcd->name;
}

base::MemberId Seat::id() const {
  if (etcd != nullptr) return etcd->id;
  return record == nullptr ? base::MemberId{} : record->id;
}

bool Seat::process_is(Process process) const {
  if (facts == nullptr) return false;
  if (process == Process::kStopped && facts->process.is_absent()) return true;
  return facts->process.known() && *facts->process == process;
}

bool Seat::data_is(Data data) const {
  return facts != nullptr && facts->data.known() && *facts->data == data;
}

bool Seat::ended_by(End end) const {
  return facts != nullptr && facts->ended && facts->ended->end == end;
}

const Seat* View::by_name(const std::string& name) const {
  const auto at = std::ranges::find_if(
      seats, [&](const Seat& s) { return s.record != nullptr && s.record->name == name; });
  return at == seats.end() ? nullptr : &*at;
}

const Seat* View::by_id(base::MemberId id) const {
  const auto at = std::ranges::find_if(seats, [&](const Seat& s) { return id && s.id() == id; });
  return at == seats.end() ? nullptr : &*at;
}

bool View::may_stop(const Seat& seat) const {
  if (!list_known) return false;
  if (!seat.voter) return true;
  const std::size_t left = healthy_voters - (seat.healthy ? 1 : 0);
  return left >= quorum_of(voters);
}

bool View::may_add() const {
  if (mutant(base::Mutant::kAddWhileOneIsDown)) return list_known;
  return list_known && healthy_voters >= std::min(voters, quorum_of(voters + 1));
}

bool View::may_promote(const Seat& seat) const {
  if (!list_known || seat.etcd == nullptr || seat.voter || !seat.healthy) return false;
  if (mutant(base::Mutant::kPromoteWhileOneIsDown)) return true;
  return healthy_voters >= quorum_of(voters) && healthy_voters + 1 >= quorum_of(voters + 1);
}

bool View::may_remove(const Seat& seat) const {
  if (mutant(base::Mutant::kRemoveBelowQuorum)) return list_known && seat.etcd != nullptr;
  if (!list_known || seat.etcd == nullptr || healthy_voters < quorum_of(voters)) return false;
  if (!seat.voter) return true;
  const std::size_t left = healthy_voters - (seat.healthy ? 1 : 0);
  return voters > 1 && left >= quorum_of(voters - 1);
}

const Seat* View::heir(const Seat& other) const {
  const Seat* best = nullptr;
  for (const Seat& seat : seats) {
    if (&seat == &other || !seat.voter || !seat.healthy) continue;
    if (seat.record != nullptr && seat.record->phase != Phase::kVoter) continue;
    if (best == nullptr || seat.status->raft_applied > best->status->raft_applied) best = &seat;
  }
  return best;
}

View look(const Intent& /*intent*/, const Record& record, const Observation& seen,
          base::Instant now) {
  View view;
  view.now = now;
  const Membership* list = trusted_list(record, seen);
  view.list_known = view.quorum = list != nullptr;
  const base::ClusterId cluster = list != nullptr ? list->cluster_id : record.cluster_id;
  const base::MemberId leader = leader_of(seen, cluster);

  std::vector<base::MemberId> ours;
  for (const auto& [name, member] : record.members) {
    Seat seat;
    seat.record = &member;
    if (const auto at = seen.members.find(name); at != seen.members.end()) seat.facts = &at->second;
    if (list != nullptr) seat.etcd = find_in(*list, member);
    if (seat.etcd != nullptr) ours.push_back(seat.etcd->id);
    view.seats.push_back(seat);
  }
  std::ranges::sort(view.seats, {}, [](const Seat& s) {
    return std::pair(s.record->ordinal, std::string_view(s.record->name));
  });
  const auto known = static_cast<std::ptrdiff_t>(view.seats.size());
  for (std::size_t i = 0; list != nullptr && i < list->members.size(); ++i) {
    if (std::ranges::find(ours, list->members[i].id) != ours.end()) continue;
    Seat seat;
    seat.etcd = &list->members[i];
    view.seats.push_back(seat);
  }
  std::ranges::sort(view.seats.begin() + known, view.seats.end(), {},
                    [](const Seat& s) { return s.etcd->id; });
  for (Seat& seat : view.seats) {
    join(seat, seen, cluster, leader);
    const bool counts = seat.healthy || !mutant(base::Mutant::kQuorumOfTheLiving);
    const bool well = seat.healthy || (mutant(base::Mutant::kHealthyByItsProcess) &&
                                       seat.process_is(Process::kRunning));
    view.voters += seat.voter && counts ? 1U : 0U;
    view.healthy_voters += seat.voter && well ? 1U : 0U;
  }
  const Seat* leading = view.by_id(leader);
  if (leading != nullptr && leading->voter) view.leader = leading;
  return view;
}

Record remember(const Record& record, const Intent& intent, const Observation& seen,
                base::Instant now) {
  Record out = record;
  forget_the_future(out, now);
  remember_object(intent, out);
  const Membership* list = trusted_list(record, seen);
  const auto leader = std::ranges::find_if(record.members, [&](const auto& entry) {
    return entry.second.id && entry.second.id == leader_of(seen, record.cluster_id);
  });
  for (auto& [name, member] : out.members) {
    if (list != nullptr) remember_list(member, find_in(*list, member));
    const EtcdStatus* status = status_of(seen, member.id);
    if (list != nullptr && status != nullptr && status->cluster_id == record.cluster_id)
      remember_log(member, *status, leader == record.members.end() ? nullptr : &leader->second);
    if (const auto at = seen.members.find(name); at != seen.members.end()) {
      remember_process(member, at->second);
      remember_commit(member, at->second);
    }
  }
  const View view = look(intent, out, seen, now);
  remember_reach(view, seen, out);
  remember_strangers(view, out);
  const bool expected = out.hibernated || intent.stop || out.formation != Formation::kLatched;
  if (view.quorum || expected) {
    out.quorum_lost_since.reset();
  } else if (!out.quorum_lost_since) {
    out.quorum_lost_since = now;
  }
  if (view.quorum && out.formation == Formation::kLatched && !out.recovery) {
    forget_loss(out);
    out.restore.again = false;
  }
  if (list != nullptr && seen.cluster_version.known())
    remember_minor(*seen.cluster_version, seen, out);
  return out;
}

bool same_peer(std::string_view a, std::string_view b) {
  return !a.empty() && host_port(a) == host_port(b);
}

namespace {

// What runs and is seen outweighs an older verdict.
bool answers(const Seat& seat) {
  return seat.healthy && !seat.process_is(Process::kStopped);
}

}  // namespace

bool data_lost(const Seat& seat) {
  if (answers(seat)) return false;
  if (seat.ended_by(End::kDataLost)) return true;
  const bool ran = seat.record != nullptr && seat.record->ran;
  return ran && seat.process_is(Process::kStopped) &&
         (seat.data_is(Data::kBlank) || seat.data_is(Data::kOlder));
}

bool volume_ends(const Seat& seat) {
  return seat.voter && seat.record != nullptr && seat.record->phase == Phase::kVoter &&
         seat.facts != nullptr && seat.facts->volume_going;
}

const Seat* find_volume_end(const View& view) {
  const auto found = std::ranges::find_if(view.seats, volume_ends);
  return found == view.seats.end() ? nullptr : &*found;
}

std::optional<Reason> never_again(const Seat& seat) {
  if (answers(seat)) return std::nullopt;
  if (data_lost(seat)) return Reason::kMemberDataLost;
  if (seat.ended_by(End::kDataCorrupt)) return Reason::kMemberDataLost;
  if (seat.ended_by(End::kForeign)) return Reason::kMemberDataForeign;
  if (seat.ended_by(End::kRemoved)) return Reason::kMemberRemovedElsewhere;
  if (!seat.process_is(Process::kStopped)) return std::nullopt;
  if (seat.data_is(Data::kForeign)) return Reason::kMemberDataForeign;
  if (seat.data_is(Data::kCorrupt)) return Reason::kMemberDataLost;
  return std::nullopt;
}

}  // namespace plan
