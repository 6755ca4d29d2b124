// A look at one cluster. Cheap when all is well: files of the members, one Status each, one
// linearizable list, the alarms.
#include <algorithm>
#include <set>
#include <thread>

#include "base/text.h"
#include "drivers/host/driver.h"
#include "drivers/host/members.h"
#include "drivers/host/metrics_page.h"
#include "pki/random.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr base::Duration kStatus{1'000}, kRead{3'000}, kHash{10'000};

// Ordered by time, so that a listing shows the newest last.
std::string fresh_incarnation(base::Instant now, base::Random& random) {
  const auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count());
  return base::to_hex(ms) + "-" + base::to_hex(random.next() & 0xffffffffULL);
}

api::Version version_of(const std::string& text) {
  return api::parse_version(text).value_or(api::Version{});
}

}  // namespace

plan::Observation HostDriver::observe(const engine::Job& job, bool want_hashes,
                                      const std::stop_token& stop) {
  plan::Observation seen;
  const Call call{job, stop};
  see_files(job, seen);
  see_offers(job, seen);
  see_binaries(call, seen);
  see_survivor(job, seen);
  if (const auto ready = dial(job.intent.cluster.spec.tls); !ready) {
    seen.membership = base::Fact<plan::Membership>::unknown(ready.error().message);
    seen.quorum_read = base::Fact<base::Instant>::unknown(ready.error().message);
    return seen;
  }
  see_statuses(job, seen);
  see_cluster(call, seen);
  see_version(call, seen);
  if (want_hashes && !stop.stop_requested()) see_hashes(job, seen);
  return seen;
}

base::Status HostDriver::dial(const api::Tls& tls) {
  TRY(const etcd::Tls own, certificates_.operator_tls(tls));
  endpoints_.use(own);
  return {};
}

void HostDriver::see_files(const engine::Job& job, plan::Observation& seen) {
  for (const auto& [name, member] : job.record.members) {
    const MemberFiles files = files_of(name);
    auto facts = look_at_member(files, member, shared_.boot_id);
    const auto dates = certificates_.member_dates(files);
    if (dates.known()) {
      facts.certificate_renew_at = dates->renew_at;
      facts.certificate_expires = dates->expires;
    } else if (dates.is_absent()) {
      facts.certificate_renew_at = facts.certificate_expires = base::Fact<base::Instant>::absent();
    } else {
      facts.certificate_renew_at = facts.certificate_expires =
          base::Fact<base::Instant>::unknown(dates.why());
    }
    seen.members.emplace(name, std::move(facts));
  }
  const auto client = certificates_.client_dates();
  if (client.known())
    seen.client_certificate_renew_at = client->renew_at;
  else if (client.is_absent())
    seen.client_certificate_renew_at = base::Fact<base::Instant>::absent();
  else
    seen.client_certificate_renew_at = base::Fact<base::Instant>::unknown(client.why());
  seen.client_certificate_published = certificates_.published();
  seen.stray_data = stray_data(job);
}

base::Fact<std::vector<std::string>> HostDriver::stray_data(const engine::Job& job) {
  using Names = std::vector<std::string>;
  const auto names = posix::list_dir(files_.members);
  if (!names && names.error().code == base::Code::kNotFound) return Names{};
  if (!names) return base::Fact<Names>::unknown(names.error().message);
  Names stray;
  for (const auto& name : *names) {
    if (job.record.members.contains(name)) continue;
    const MemberFiles files = files_of(name);
    const auto data = has_data(files);
    if (data.is_unknown()) return base::Fact<Names>::unknown(data.why());
    if (!*data) continue;
    std::string whose = name;
    if (const auto bytes = posix::read_file(files.marker, size_t{1} << 16))
      if (const auto marker = guard::decode_marker(*bytes))
        whose += " of incarnation " + marker->incarnation;
    stray.push_back(std::move(whose));
  }
  return stray;
}

void HostDriver::see_offers(const engine::Job& job, plan::Observation& seen) {
  const auto& record = job.record;
  const int have = static_cast<int>(std::ranges::count_if(record.members, [](const auto& m) {
    return m.second.phase != plan::Phase::kRetired && m.second.phase != plan::Phase::kSurvivor;
  }));
  const int more = std::max(1, job.intent.cluster.spec.size - have + 1);
  const bool tls = job.intent.cluster.spec.tls.mode != api::TlsMode::kDisabled;
  auto offers = shared_.ports.offer(key_, record.next_ordinal, more, tls);
  if (offers)
    seen.addresses = std::move(*offers);
  else
    shared_.log.warning("no_free_ports",
                        {{"cluster", key_.text()}, {"error", offers.error().message}});
  seen.fresh_incarnation = fresh_incarnation(shared_.clock.now(), shared_.random);
  seen.fresh_operation = base::to_hex(shared_.random.next() & 0xffffffffffULL);
  for (int i = 0; i < more; ++i)
    if (auto name = pki::random_hex(16)) seen.fresh_volumes.push_back(std::move(*name));
}

void HostDriver::see_binaries(const Call& call, plan::Observation& seen) {
  std::set<api::Version> wanted{call.job.intent.cluster.spec.version};
  if (call.job.record.version != api::Version{}) wanted.insert(call.job.record.version);
  for (const auto& [name, member] : call.job.record.members)
    if (member.version != api::Version{}) wanted.insert(member.version);
  for (const auto& version : wanted) {
    const auto found = shared_.binaries.find(version, call.stop);
    auto& fact = seen.binaries[version.text()];
    if (found)
      fact = plan::Binary::kPresent;
    else if (shared_.fetcher.busy(version.text()))
      fact = plan::Binary::kFetching;
    else
      fact = plan::Binary::kMissing;
  }
}

void HostDriver::see_statuses(const engine::Job& job, plan::Observation& seen) {
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
  {
    // Together, so that a member that hangs costs one deadline and not one each.
    std::vector<std::jthread> threads;
    for (size_t i = 1; i < asks.size(); ++i)
      threads.emplace_back([&ask = asks[i]] { ask.answer = ask.api->status(kStatus); });
    if (!asks.empty()) asks[0].answer = asks[0].api->status(kStatus);
  }
  for (const auto& ask : asks) {
    if (ask.answer)
      seen.statuses[ask.answer->id] = to_plan(*ask.answer);
    else if (ask.member->id)
      seen.statuses[ask.member->id] =
          base::Fact<plan::EtcdStatus>::unknown(ask.answer.error().message);
  }
}

bool HostDriver::see_cluster_at(const std::string& url, bool old, plan::Observation& seen) {
  const Api api = endpoints_.at(url);
  // Before 3.5 a list is never linearizable; read after a quorum read it is as new as that.
  if (old) {
    if (const auto read = api->quorum_read(kRead); !read) {
      seen.quorum_read = base::Fact<base::Instant>::unknown(read.error().message);
      return false;
    }
  }
  const auto list = api->member_list(true, kRead);
  if (!list) {
    seen.membership = base::Fact<plan::Membership>::unknown(list.error().message);
    seen.quorum_read = base::Fact<base::Instant>::unknown(list.error().message);
    return false;
  }
  seen.membership = to_plan(*list);
  seen.quorum_read = shared_.clock.now();
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
void HostDriver::see_cluster(const Call& call, plan::Observation& seen) {
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
    if (!status.known() || !status->leader || status->learner) continue;
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
    if (see_cluster_at(candidates[i].url, candidates[i].old, seen)) return;
}

// It only rises when every member runs the newer version: read again only while it may.
void HostDriver::see_version(const Call& call, plan::Observation& seen) {
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
    const auto page = get_page(member.addresses.metrics_url, "/metrics", kRead, call.stop);
    if (!page) continue;
    cluster_version_ = cluster_version_in(*page);
    if (!cluster_version_) continue;
    seen.cluster_version = *cluster_version_;
    return;
  }
}

// HashKV of every member that answers, at one revision that all of them have.
void HostDriver::see_hashes(const engine::Job& job, plan::Observation& seen) {
  std::int64_t revision = 0;
  for (const auto& [id, status] : seen.statuses)
    if (status.known() && (revision == 0 || status->revision < revision))
      revision = status->revision;
  if (revision == 0) return;
  for (const auto& [name, member] : job.record.members) {
    const auto found = seen.statuses.find(member.id);
    if (!member.id || found == seen.statuses.end() || !found->second.known()) continue;
    const auto hash = endpoints_.at(member.addresses.client_url)->hash_kv(revision, kHash);
    if (hash) seen.hashes[member.id] = {hash->hash, hash->revision, hash->compact_revision};
  }
}

void HostDriver::see_survivor(const engine::Job& job, plan::Observation& seen) {
  const auto& record = job.record;
  const std::string operation = record.recovery    ? record.recovery->operation
                                : record.operation ? record.operation->id
                                                   : "";
  if (operation.empty()) {
    seen.survivor_snapshot = base::Fact<bool>::absent();
    return;
  }
  // The file got its name only after it was checked.
  const RecoveryFiles files = recovery_files(files_, operation);
  seen.survivor_snapshot = posix::exists(files.snapshot);
  if (const auto bound = posix::read_file(files.bound, 4096)) seen.survivor_bound = *bound;
}

}  // namespace host
