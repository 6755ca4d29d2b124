// status: every member of the cluster, as it tells itself, and what follows for the whole.
#include <fmt/format.h>

#include <algorithm>

#include "adm/certificates.h"
#include "adm/cluster.h"
#include "adm/commands.h"
#include "adm/findings.h"
#include "adm/gauges.h"
#include "adm/node.h"
#include "drivers/host/members.h"
#include "plan/quorum.h"

namespace adm {
namespace {

constexpr base::Duration kSoon = std::chrono::hours(24 * 30);

std::string size_text(std::int64_t bytes) {
  if (bytes < 1'000'000) return fmt::format("{} kB", (bytes + 999) / 1000);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string role_of(const Sight& sight, const etcd::Member& m) {
  if (m.client_urls.empty()) return m.learner ? "learner, not started" : "not started";
  if (m.learner) return "learner";
  return sight.leader() == m.id ? "leader" : "follower";
}

std::string_view name_of(etcd::AlarmKind kind) {
  switch (kind) {
    case etcd::AlarmKind::kNone:
      return "none";
    case etcd::AlarmKind::kNoSpace:
      return "NOSPACE";
    case etcd::AlarmKind::kCorrupt:
      return "CORRUPT";
  }
  return "?";
}

// How far a member is behind the one that is ahead, in entries of the log.
std::uint64_t newest_index(const Sight& sight) {
  std::uint64_t newest = 0;
  for (const auto& [id, status] : sight.statuses)
    if (status) newest = std::max(newest, status->raft_index);
  return newest;
}

// One look at the whole, as it is shown.
struct Scene {
  const Context& context;
  const Sight& sight;
  const Host& host;
  GaugesOf gauges;

  [[nodiscard]] const Gauges* of(base::MemberId id) const {
    const auto at = gauges.find(id);
    return at == gauges.end() || !at->second ? nullptr : &*at->second;
  }
};

std::int64_t quota_of(const etcd::MemberStatus& status, const Gauges* gauges) {
  if (status.db_quota > 0) return status.db_quota;
  return gauges == nullptr ? 0 : gauges->quota.value_or(0);
}

std::string time_text(const std::optional<double>& seconds) {
  if (!seconds) return "-";
  return *seconds < 0.0995 ? fmt::format("{:.1f} ms", *seconds * 1e3)
                           : fmt::format("{:.0f} ms", *seconds * 1e3);
}

json::Value member_value(const Scene& scene, const etcd::Member& m) {
  const Sight& sight = scene.sight;
  const Host& host = scene.host;
  json::Value v;
  v["name"] = m.name;
  v["id"] = base::to_text(m.id);
  v["role"] = role_of(sight, m);
  v["peerURLs"] = m.peer_urls;
  v["clientURLs"] = m.client_urls;
  v["thisHost"] = m.id == host.member_id;
  const auto* seat = sight.view.by_id(m.id);
  v["healthy"] = seat != nullptr && seat->healthy;
  const auto& status = sight.statuses.at(m.id);
  if (!status) {
    v["problem"] = why_silent(m, scene.context.stop);
    v["error"] = status.error().message;
    return v;
  }
  const Gauges* gauges = scene.of(m.id);
  if (gauges != nullptr && gauges->fsync_p99_s) v["walFsyncP99Seconds"] = *gauges->fsync_p99_s;
  if (gauges != nullptr && gauges->rtt_p99_s) v["peerRttP99Seconds"] = *gauges->rtt_p99_s;
  v["hasLeader"] = static_cast<bool>(status->leader);
  v["version"] = status->version;
  v["dbSize"] = status->db_size;
  v["dbInUse"] = status->db_in_use;
  if (const auto quota = quota_of(*status, gauges); quota > 0) v["dbQuota"] = quota;
  v["raftTerm"] = status->raft_term;
  v["raftIndex"] = status->raft_index;
  v["raftLag"] = newest_index(sight) - status->raft_applied;
  if (!status->errors.empty()) v["errors"] = status->errors;
  return v;
}

constexpr const char* kLine = "{:<16} {:<16} {:<20} {:<8} {:<8} {:<28} {:<6} {:<9} {:<9} {}";

std::string member_line(const Scene& scene, const etcd::Member& m) {
  const Sight& sight = scene.sight;
  const auto& status = sight.statuses.at(m.id);
  const auto* seat = sight.view.by_id(m.id);
  const bool healthy = seat != nullptr && seat->healthy;
  std::string db = "-", lag = "-", version = "-", fsync = "-", rtt = "-";
  if (status) {
    const Gauges* gauges = scene.of(m.id);
    db = fmt::format("{} / {}", size_text(status->db_size), size_text(status->db_in_use));
    if (const auto quota = quota_of(*status, gauges); quota > 0) db += " / " + size_text(quota);
    lag = std::to_string(newest_index(sight) - status->raft_applied);
    version = status->version;
    if (gauges != nullptr) {
      fsync = time_text(gauges->fsync_p99_s);
      rtt = time_text(gauges->rtt_p99_s);
    }
  }
  std::string line = fmt::format(
      kLine,
      (m.id == scene.host.member_id ? "*" : "") + (m.name.empty() ? std::string("-") : m.name),
      base::to_text(m.id), role_of(sight, m), version, healthy ? "yes" : "NO", db, lag, fsync, rtt,
      m.client_urls.empty() ? (m.peer_urls.empty() ? "-" : m.peer_urls.front())
                            : m.client_urls.front());
  if (!status && !m.client_urls.empty())
    line += "\n    " + why_silent(m, scene.context.stop);
  else if (status && !status->leader)
    line += "\n    it sees no leader";
  return line + "\n";
}

std::string summary(const Sight& sight) {
  const auto& v = sight.view;
  if (!sight.quorum) {
    const auto voters = static_cast<size_t>(
        std::ranges::count_if(sight.list.members, [](const auto& m) { return !m.learner; }));
    return fmt::format(
        "NO QUORUM: {} of {} voters are needed. What follows is one member's opinion "
        "({}).\n  {}\n",
        plan::quorum_of(voters), voters, sight.through, sight.problem);
  }
  return fmt::format("quorum: yes, {} of {} voters healthy, {} needed\n", v.healthy_voters,
                     v.voters, plan::quorum_of(v.voters));
}

// The member of this host beside what etcd says: its guard, its certificates.
void add_host(const Context& context, const Host& host, bool unguarded, Answer& out) {
  json::Value v;
  v["name"] = host.name;
  v["stage"] = name_of(host.stage);
  const auto files = context.places().member_files();
  const auto alive = host::is_alive(files);
  const bool runs = alive == base::Fact<bool>(true);
  v["guardRuns"] = runs;
  v["unguarded"] = unguarded;
  out.text += fmt::format("\nthis host: {}, {}", host.name,
                          runs        ? "etcd runs under its guard"
                          : unguarded ? kUnguarded
                                      : "etcd does not run");
  if (const auto verdict = last_verdict(context.places()); !runs && !verdict.empty()) {
    v["lastEnd"] = verdict;
    out.text += " (" + verdict + ")";
  }
  out.text += "\ncertificates here:";
  json::Array leaves;
  for (const auto& leaf : check_certificates(host, context.clock.now(), kSoon)) {
    json::Value l;
    l["name"] = leaf.name;
    l["days"] = leaf.days;
    if (!leaf.problem.empty()) l["problem"] = leaf.problem;
    leaves.push_back(std::move(l));
    out.text += leaf.problem.empty() ? fmt::format(" {} {} days;", leaf.name, leaf.days)
                                     : fmt::format(" {} BAD ({});", leaf.name, leaf.problem);
  }
  out.text.back() = '\n';
  v["certificates"] = std::move(leaves);
  out.value["host"] = std::move(v);
}

void add_alarms(const Sight& sight, Answer& out) {
  if (!sight.alarms) return;
  json::Array list;
  for (const auto& alarm : *sight.alarms) {
    if (alarm.kind == etcd::AlarmKind::kNone) continue;
    const auto* m = sight.by_id(alarm.member);
    const std::string who = m == nullptr ? base::to_text(alarm.member) : m->name;
    list.emplace_back(json::Object{{"member", who}, {"alarm", name_of(alarm.kind)}});
    out.text += fmt::format("ALARM {} of {}\n", name_of(alarm.kind), who);
    out.failed = true;
  }
  out.value["alarms"] = std::move(list);
}

void add_members(const Scene& scene, Answer& out) {
  out.text += fmt::format(kLine, "NAME", "ID", "ROLE", "VERSION", "HEALTHY",
                          "DB SIZE / IN USE / QUOTA", "LAG", "FSYNC P99", "RTT P99", "ADDRESS") +
              "\n";
  auto members = scene.sight.list.members;
  std::ranges::sort(members, {}, [](const auto& m) { return std::pair(m.name, m.id.value); });
  json::Array list;
  for (const auto& m : members) {
    list.push_back(member_value(scene, m));
    out.text += member_line(scene, m);
    const auto* seat = scene.sight.view.by_id(m.id);
    if (seat == nullptr || !seat->healthy) out.failed = true;
  }
  out.value["members"] = std::move(list);
}

}  // namespace

Reply status(const Context& context) {
  TRY(auto host, load_host(context.places()));
  TRY(const auto at, cluster_of(context, host));
  Answer out;
  auto looked = at.look();
  if (!looked) {
    out.failed = true;
    out.text = fmt::format("NO MEMBER ANSWERS: {}\n", looked.error().message);
    out.value["quorum"] = false;
    out.value["problem"] = looked.error().message;
    add_host(context, host, false, out);
    return out;
  }
  const Sight& sight = **looked;
  out.value["clusterID"] = base::to_text(sight.list.cluster_id);
  out.value["quorum"] = sight.quorum;
  out.value["leader"] = base::to_text(sight.leader());
  out.value["through"] = sight.through;
  out.text = fmt::format("cluster {}, asked through {}\n{}", base::to_text(sight.list.cluster_id),
                         sight.through, summary(sight));
  if (!sight.quorum) {
    out.failed = true;
    out.value["problem"] = sight.problem;
  }
  add_alarms(sight, out);
  out.text += '\n';
  add_members({context, sight, host, ask_gauges(at, sight, context.stop)}, out);
  add_host(context, host, is_unguarded(context, host, sight), out);
  return out;
}

Reply member_list(const Context& context) {
  TRY(auto host, load_host(context.places()));
  TRY(const auto at, cluster_of(context, host));
  TRY(const auto sight, at.look());
  if (!sight->quorum)
    return base::fail(base::Code::kUnavailable,
                      "no quorum answers, so the list may be old; `etcdadm status` shows what one "
                      "member says: " +
                          sight->problem);
  Answer out;
  add_members({context, *sight, host, ask_gauges(at, *sight, context.stop)}, out);
  out.failed = false;
  out.value["clusterID"] = base::to_text(sight->list.cluster_id);
  return out;
}

}  // namespace adm
