// What etcd answers. Cheap when all is well: one Status of each member, one linearizable list, the
// alarms.
#include <algorithm>

#include "base/mutants.h"
#include "drivers/live/cluster.h"

namespace live {
namespace {

constexpr base::Duration kStatus{1'000}, kRead{3'000}, kHash{10'000};

constexpr std::int64_t kSlowest = 20'000;  // bytes a millisecond, of a disk at its worst

// A hash reads the whole database. One that is given up is still computed to its end, so that a
// deadline that is too short only loads the member, each time anew.
base::Duration hash_limit(const plan::EtcdStatus& status) {
  return kHash + base::Duration(std::max<std::int64_t>(status.db_size, 0) / kSlowest);
}

api::Version version_of(const std::string& text) {
  return api::parse_version(text).value_or(api::Version{});
}

}  // namespace

base::Status Cluster::dial(const api::Tls& tls) {
  TRY(const etcd::Tls own, around_.credentials(tls));
  endpoints_.use(own);
  return {};
}

void Cluster::observe(const Call& call, bool want_hashes, plan::Observation& seen) {
  see_statuses(call.job, seen);
  see_membership(call, seen);
  see_version(call, seen);
  if (want_hashes && !call.stop.stop_requested()) see_hashes(call, seen);
}

void Cluster::see_statuses(const engine::Job& job, plan::Observation& seen) {
  struct Ask {
    const plan::MemberRecord* member;
    Api api;
    base::Result<etcd::MemberStatus> answer = base::fail(base::Code::kUnavailable, "not asked");
  };
  std::vector<Ask> asks;
  std::map<std::string, std::string> urls;
  for (const auto& [name, member] : job.record.members) {
    urls[name] = member.addresses.client_url;
    const auto& process = seen.members.at(name).process;
    if (member.addresses.client_url.empty() || member.phase == plan::Phase::kSurvivor) continue;
    if (process.known() && *process == plan::Process::kStopped) {
      if (member.id)
        seen.statuses[member.id] = base::Fact<plan::EtcdStatus>::unknown("its process is stopped");
      continue;
    }
    asks.push_back({&member, endpoints_.at(member.addresses.client_url)});
  }
  endpoints_.keep_only(urls);
  std::vector<std::function<void()>> calls;
  calls.reserve(asks.size());
  for (auto& ask : asks) calls.emplace_back([&ask] { ask.answer = ask.api->status(kStatus); });
  around_.together(calls);
  for (const auto& ask : asks) {
    if (ask.answer)
      seen.statuses[ask.answer->id] = to_plan(*ask.answer);
    else if (ask.member->id)
      seen.statuses[ask.member->id] =
          base::Fact<plan::EtcdStatus>::unknown(ask.answer.error().message);
  }
}

bool Cluster::see_membership_at(const std::string& url, bool old, plan::Observation& seen) {
  const Api api = endpoints_.at(url);
  // Before 3.5 a list is never linearizable; read after a quorum read it is as new as that.
  if (old) {
    if (const auto read = api->quorum_read(kRead); !read) {
      seen.quorum_read = base::Fact<base::Instant>::unknown(read.error().message);
      return false;
    }
  }
  const auto list = api->member_list(!mutant(base::Mutant::kStaleList), kRead);
  if (!list) {
    seen.membership = base::Fact<plan::Membership>::unknown(list.error().message);
    seen.quorum_read = base::Fact<base::Instant>::unknown(list.error().message);
    return false;
  }
  seen.membership = to_plan(*list);
  seen.quorum_read = clock_.now();
  const auto alarms = api->alarms(kRead);
  if (!alarms) {
    seen.alarms = base::Fact<std::vector<plan::Alarm>>::unknown(alarms.error().message);
    return true;
  }
  std::vector<plan::Alarm> found;
  for (const auto& a : *alarms)
    if (a.kind != etcd::AlarmKind::kNone)
      found.push_back({a.member, a.kind == etcd::AlarmKind::kNoSpace ? plan::AlarmKind::kNoSpace
                                                                     : plan::AlarmKind::kCorrupt});
  seen.alarms = std::move(found);
  return true;
}

// Asks who sees a leader and votes, the leader first; who sees none cannot answer.
void Cluster::see_membership(const Call& call, plan::Observation& seen) {
  const std::string none = "no member answers that sees a leader";
  seen.membership = base::Fact<plan::Membership>::unknown(none);
  seen.quorum_read = base::Fact<base::Instant>::unknown(none);
  seen.alarms = base::Fact<std::vector<plan::Alarm>>::unknown(none);
  struct Candidate {
    int rank;
    std::string url;
    bool old;
  };
  std::vector<Candidate> candidates;
  for (const auto& [id, status] : seen.statuses) {
    const bool leads = status.known() && (status->leader || mutant(base::Mutant::kStaleList));
    if (!leads || status->learner) continue;
    for (const auto& [name, member] : call.job.record.members) {
      const bool is_it = member.id == id;
      const bool may_be = !member.id && member.phase == plan::Phase::kForming;
      if (!is_it && !may_be) continue;
      const bool old = version_of(status->version) < api::Version{3, 5, 0, ""};
      candidates.push_back({status->leader == id ? 0 : 1, member.addresses.client_url, old});
    }
  }
  std::ranges::sort(candidates, {}, [](const Candidate& c) { return std::pair(c.rank, c.url); });
  const auto same = std::ranges::unique(candidates, {}, &Candidate::url);
  candidates.erase(same.begin(), same.end());
  for (size_t i = 0; i < candidates.size() && i < 3 && !call.stop.stop_requested(); ++i)
    if (see_membership_at(candidates[i].url, candidates[i].old, seen)) return;
}

// It only rises when every member runs the newer version: read again only while it may.
void Cluster::see_version(const Call& call, plan::Observation& seen) {
  seen.cluster_version = base::Fact<api::Version>::unknown("no member tells it");
  std::optional<api::Version> lowest;
  for (const auto& [id, status] : seen.statuses) {
    if (!status.known()) continue;
    const auto version = version_of(status->version);
    if (!lowest || version < *lowest) lowest = version;
  }
  if (!lowest || !seen.membership.known()) return;
  if (cluster_version_ && cluster_version_->same_minor(*lowest)) {
    seen.cluster_version = *cluster_version_;
    return;
  }
  for (const auto& [name, member] : call.job.record.members) {
    const auto& process = seen.members.at(name).process;
    if (!process.known() || *process != plan::Process::kRunning) continue;
    cluster_version_ = around_.cluster_version(member, kRead, call.stop);
    if (!cluster_version_) continue;
    seen.cluster_version = *cluster_version_;
    return;
  }
}

// HashKV of every member that answers, at one revision that all of them have. One after the other:
// each of them is kept busy by it.
void Cluster::see_hashes(const Call& call, plan::Observation& seen) {
  std::int64_t revision = 0;
  for (const auto& [id, status] : seen.statuses)
    if (status.known() && (revision == 0 || status->revision < revision))
      revision = status->revision;
  if (revision == 0) return;
  for (const auto& [name, member] : call.job.record.members) {
    if (call.stop.stop_requested()) return;
    const auto found = seen.statuses.find(member.id);
    if (!member.id || found == seen.statuses.end() || !found->second.known()) continue;
    const auto hash =
        endpoints_.at(member.addresses.client_url)->hash_kv(revision, hash_limit(*found->second));
    if (hash) seen.hashes[member.id] = {hash->hash, hash->revision, hash->compact_revision};
  }
}

}  // namespace live
