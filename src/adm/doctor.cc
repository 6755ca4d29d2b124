// doctor: what is wrong on this host and in its cluster, each with what mends it.
#include <fmt/format.h>

#include <algorithm>

#include "adm/certificates.h"
#include "adm/cluster.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/steps.h"
#include "api/hazards.h"
#include "api/version.h"
#include "drivers/host/members.h"
#include "posix/files.h"

namespace adm {
namespace {

constexpr base::Duration kSoon = std::chrono::hours(24 * 30);
constexpr std::uint64_t kLittleRoom = std::uint64_t{1} << 30;
constexpr std::uint64_t kFarBehind = 5'000;

struct Finding {
  bool bad = true;
  std::string what, mend;
};
using Findings = std::vector<Finding>;

void look_at_host(const Context& context, const Host& host, Findings& out) {
  const auto places = context.places();
  if (const auto open = unfinished(places); open && !open->empty())
    out.push_back({true, fmt::format("`etcdadm {}` was begun here and did not end", *open),
                   fmt::format("etcdadm {} … again, with the same flags", *open)});
  if (host.stage == Stage::kNone) return;
  const auto files = places.member_files();
  if (host::is_alive(files) != base::Fact<bool>(true)) {
    const auto verdict = last_verdict(places);
    out.push_back({true, "etcd does not run here" + (verdict.empty() ? "" : ": " + verdict),
                   host.init_system == "systemd" ? "systemctl start etcd; its words: journalctl -u "
                                                   "etcd, " +
                                                       files.log + "/etcd.log"
                                                 : "its words: " + files.log + "/etcd.log"});
  }
  const auto data = host::has_data(files);
  if (data == base::Fact<bool>(false) && host.stage == Stage::kMember)
    out.push_back({true, host.data_dir + " holds no data, though this member has run",
                   "mount what belongs there; if it is lost: etcdadm reset, then join again"});
  if (data.is_unknown())
    out.push_back({true, data.why(), "etcdadm needs to read " + host.data_dir});
  if (const auto room = posix::free_bytes(host.data_dir); room && *room < kLittleRoom)
    out.push_back({true, fmt::format("{} has only {} MB left", host.data_dir, *room / 1'000'000),
                   "make room there before etcd stops"});
  for (const auto& leaf : check_certificates(host, context.clock.now(), kSoon)) {
    if (leaf.health == Health::kGood) continue;
    const bool soon = leaf.health == Health::kSoon;
    out.push_back(
        {!soon,
         soon ? fmt::format("certificate {} ends in {} days", leaf.name, leaf.days)
              : fmt::format("certificate {}: {}", leaf.name, leaf.problem),
         leaf.name == "ca" ? "a new authority is not made by etcdadm yet" : "etcdadm certs renew"});
  }
  const auto version = api::parse_version(host.version);
  if (!version) return;
  for (const auto* hazard : api::hazards_of(*version))
    out.push_back({false, fmt::format("etcd {}: {}", host.version, hazard->what),
                   std::string(hazard->source)});
}

void look_at_member(const Sight& sight, const etcd::Member& m, std::uint64_t newest,
                    Findings& out) {
  const std::string who = m.name.empty() ? base::to_text(m.id) : m.name;
  const auto& status = sight.statuses.at(m.id);
  if (m.client_urls.empty()) {
    out.push_back({true,
                   fmt::format("{} at {} is in the list and never started", who,
                               m.peer_urls.empty() ? "?" : m.peer_urls.front()),
                   "etcdadm join on that host, or etcdadm member remove " + base::to_text(m.id)});
    return;
  }
  if (!status) {
    out.push_back(
        {true, fmt::format("{} does not answer: {}", who, status.error().message),
         fmt::format("look at that host; if it is gone for good: etcdadm member remove {}",
                     base::to_text(m.id))});
    return;
  }
  if (m.learner)
    out.push_back({false, who + " is a learner and does not vote",
                   "etcdadm member promote " + who + " once it is in sync"});
  if (newest > status->raft_applied + kFarBehind)
    out.push_back({true, fmt::format("{} is {} entries behind", who, newest - status->raft_applied),
                   "its disk or its network is slow: see its metrics"});
  if (status->db_quota > 0 && status->db_size * 10 > status->db_quota * 8)
    out.push_back({true,
                   fmt::format("the database of {} is at {} of {} bytes", who, status->db_size,
                               status->db_quota),
                   "compact, then etcdctl defrag, before it refuses to write"});
}

void look_at_cluster(const Context& context, const Host& host, Findings& out) {
  const auto at = cluster_of(context, host);
  if (!at) {
    out.push_back({true, at.error().message, "etcdadm certs check"});
    return;
  }
  const auto looked = at->look();
  if (!looked) {
    out.push_back({true, looked.error().message, "start the members that have their data"});
    return;
  }
  const Sight& sight = **looked;
  if (!sight.quorum)
    out.push_back({true, "there is no quorum: " + sight.problem,
                   "start the members that have their data; if they are lost for good, restore a "
                   "snapshot: etcdadm snapshot restore FILE"});
  std::uint64_t newest = 0;
  for (const auto& [id, status] : sight.statuses)
    if (status) newest = std::max(newest, status->raft_index);
  std::string first;
  for (const auto& m : sight.list.members) {
    look_at_member(sight, m, newest, out);
    const auto& status = sight.statuses.at(m.id);
    if (!status) continue;
    if (!first.empty() && first != status->version)
      out.push_back({false, fmt::format("members run {} and {}", first, status->version),
                     "bring all of them to the newer one"});
    first = status->version;
  }
  if (sight.alarms)
    for (const auto& alarm : *sight.alarms)
      if (alarm.kind != etcd::AlarmKind::kNone)
        out.push_back({true,
                       fmt::format("alarm {} of {}",
                                   alarm.kind == etcd::AlarmKind::kNoSpace ? "NOSPACE" : "CORRUPT",
                                   base::to_text(alarm.member)),
                       alarm.kind == etcd::AlarmKind::kNoSpace
                           ? "compact, defragment every member, then etcdctl alarm disarm"
                           : "remove that member and join it again with no data"});
}

}  // namespace

Reply doctor(const Context& context) {
  TRY(const auto host, load_host(context.places()));
  Findings found;
  look_at_host(context, host, found);
  if (host.stage != Stage::kNone || !context.flags.endpoints.empty())
    look_at_cluster(context, host, found);
  Answer out;
  json::Array list;
  for (const auto& f : found) {
    list.emplace_back(
        json::Object{{"level", f.bad ? "problem" : "note"}, {"what", f.what}, {"mend", f.mend}});
    out.text += fmt::format("{} {}\n        → {}\n", f.bad ? "PROBLEM" : "note   ", f.what, f.mend);
    if (f.bad) out.failed = true;
  }
  if (found.empty()) out.text = "nothing is wrong that etcdadm looks for\n";
  out.value["findings"] = std::move(list);
  return out;
}

}  // namespace adm
