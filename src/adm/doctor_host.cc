// What doctor looks for on this host.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "adm/certificates.h"
#include "adm/findings.h"
#include "adm/kubelet.h"
#include "adm/node.h"
#include "adm/steps.h"
#include "adm/user.h"
#include "api/hazards.h"
#include "api/version.h"
#include "drivers/host/members.h"
#include "posix/disk_speed.h"
#include "posix/files.h"
#include "posix/socket.h"

namespace adm {
namespace {

constexpr base::Duration kSoon = std::chrono::hours(24 * 30), kMeasure{3'000}, kDial{1'500};
constexpr int kWrites = 100;
constexpr std::uint64_t kLittleRoom = std::uint64_t{1} << 30;
constexpr size_t kSmall = size_t{1} << 20;
constexpr double kSlow = 0.010, kTooSlow = 0.100;  // etcd's guide; its heartbeat

// The keys that etcd does not need are not for its user.
void look_at_keys(const Host& host, Findings& out) {
  for (const char* key : {"ca", "server", "peer", "etcdctl-etcd-client"}) {
    const std::string file = key_file(host, key);
    const auto info = posix::file_info(file);
    if (!info) continue;
    if ((info->mode & 077) != 0)
      out.push_back({true, fmt::format("{} can be read by others (mode {:04o})", file, info->mode),
                     "chmod 600 " + file});
    if (!host.user.empty() && std::string_view(key) == "ca" && info->owner != 0)
      out.push_back({true,
                     fmt::format("{} belongs to user {}: it is root's alone", file, info->owner),
                     "chown root " + file});
  }
}

// What else has the wrong owner is there as well: one command mends all of it.
std::string tree_of(const std::string& path, const Host& host, const host::MemberFiles& files) {
  if (path.starts_with(files.volume) || path.starts_with(host.data_dir)) return host.data_dir;
  return path.starts_with(files.dir) ? files.dir : path;
}

// Without a user of the unit, who owns the lock is who the guard ran as.
void look_at_owners(const Host& host, const host::MemberFiles& files, Findings& out) {
  const auto user = user_of(host);
  if (!user) return;  // which is a barrier
  const auto lock = posix::file_info(files.lock);
  if (!*user && !lock) return;
  const unsigned runs_as = *user ? (*user)->uid : lock->owner;
  const std::string member = files.data + "/member";
  for (const std::string& path :
       {files.dir, files.lock, files.ticket, host.data_dir, files.marker, files.data, member,
        member + "/wal", member + "/snap", member + "/snap/db", host.certs_dir + "/server.key",
        host.certs_dir + "/peer.key"}) {
    const auto info = posix::file_info(path);
    // Root's own are no fault where nobody gave them away.
    if (!info || info->owner == runs_as || (info->owner == 0 && !*user)) continue;
    out.push_back({true,
                   fmt::format("{} belongs to user {}, and etcd {} as user {}", path, info->owner,
                               *user ? "runs" : "ran", runs_as),
                   fmt::format("chown -R {} {}", runs_as, tree_of(path, host, files))});
    return;
  }
}

// The right disk may not be mounted, or something else lies where the data belongs.
void look_at_data(const Host& host, const host::MemberFiles& files, Findings& out) {
  const auto data = host::has_data(files);
  if (data == base::Fact<bool>(false) && host.stage == Stage::kMember)
    out.push_back({true, host.data_dir + " holds no data, though this member has run",
                   "mount what belongs there; if it is lost: etcdadm member replace " + host.name +
                       " on a live host, and here etcdadm reset --skip-remove-member, then join"});
  if (data.is_unknown())
    out.push_back({true, data.why(), "etcdadm needs to read " + host.data_dir});
  if (posix::exists(host.data_dir + "/member") == base::Fact<bool>(true) &&
      posix::exists(files.data + "/member") != base::Fact<bool>(true))
    out.push_back(
        {true,
         fmt::format("{0}/member is there: etcd's own directory belongs into {0}/data",
                     host.data_dir),
         fmt::format("stop etcd; if it is this member's: mv {0}/member {0}/data/", host.data_dir)});
  const auto bytes = posix::read_file(files.marker, kSmall);
  const auto marker = bytes ? guard::decode_marker(*bytes)
                            : base::Result<guard::Marker>(std::unexpected(bytes.error()));
  if (!marker || !host.member_id || !marker->member_id) return;
  if (marker->member_id != host.member_id || marker->cluster_id != host.cluster_id)
    out.push_back(
        {true,
         fmt::format(
             "wrong data directory: {} is of member {} of cluster {}, this host is {} of {}",
             host.data_dir, base::to_text(marker->member_id), base::to_text(marker->cluster_id),
             base::to_text(host.member_id), base::to_text(host.cluster_id)),
         "mount this member's own disk there"});
}

void look_at_disk(const Context& context, const Host& host, Findings& out) {
  if (const auto room = posix::free_bytes(host.data_dir); room && *room < kLittleRoom)
    out.push_back({true, fmt::format("{} has only {} MB left", host.data_dir, *room / 1'000'000),
                   "make room there before etcd stops"});
  const auto times = posix::measure_fsync(host.data_dir, kWrites, kMeasure, context.stop);
  if (!times) {
    out.push_back({true, "nothing can be written: " + times.error().message,
                   "see `mount` and `dmesg`: is the file system read-only or broken?"});
    return;
  }
  if (times->empty()) return;
  const auto p99 = (*times)[(times->size() * 99 - 1) / 100];
  if (auto slow = judge_fsync("this host, " + host.data_dir, static_cast<double>(p99) / 1e6))
    out.push_back(*std::move(slow));
}

void look_at_ports(const Host& host, Findings& out) {
  const std::array<std::pair<std::string_view, unsigned>, 2> ports{
      {{"client", host.client_port}, {"peer", host.peer_port}}};
  for (const auto& [what, port] : ports)
    if (const auto listener = posix::TcpListener::listen(host.bind_address, port); !listener)
      out.push_back({true,
                     fmt::format("the {} port {} cannot be used by etcd: {}", what, port,
                                 listener.error().message),
                     fmt::format("`ss -ltnp 'sport = :{}'` shows who has it; stop that", port)});
}

void look_at_guard(const Context& context, const Host& host, Findings& out) {
  const auto files = context.places().member_files();
  if (host::is_alive(files) == base::Fact<bool>(true)) return;
  // An adopted one may still serve without it; the cluster's answer tells.
  if (posix::Stream::dial(host.bind_address, host.client_port, kDial, context.stop)) return;
  const auto verdict = last_verdict(context.places());
  out.push_back({true, "etcd does not run here" + (verdict.empty() ? "" : ": " + verdict),
                 host.init_system == "systemd"
                     ? "systemctl enable --now etcd; its words: journalctl -u etcd, " + files.log +
                           "/etcd.log"
                 : is_kubelet(host)
                     ? std::string("etcdadm init phase start; ") + kKubeletHint
                     : "etcdadm init phase start; its words: " + files.log + "/etcd.log"});
  look_at_ports(host, out);
}

void look_at_certificates(const Context& context, const Host& host, Findings& out) {
  for (const auto& leaf : check_certificates(host, context.clock.now(), kSoon)) {
    if (leaf.health == Health::kGood) continue;
    const bool soon = leaf.health == Health::kSoon;
    out.push_back({!soon,
                   soon ? fmt::format("certificate {} ends in {} days", leaf.name, leaf.days)
                        : fmt::format("certificate {}: {}", leaf.name, leaf.problem),
                   leaf.name == "ca" ? "etcdadm certs rotate" : "etcdadm certs renew"});
  }
}

}  // namespace

std::optional<Finding> judge_fsync(const std::string& where, double p99_s) {
  if (p99_s < kSlow) return std::nullopt;
  const bool bad = p99_s >= kTooSlow;
  return Finding{
      bad,
      fmt::format("slow disk on {}: 99 of 100 small writes are durable within {:.0f} ms "
                  "only, {}",
                  where, p99_s * 1e3,
                  bad ? "longer than the members' heartbeat" : "etcd's guide asks for 10 ms"),
      "give etcd a disk of its own, or a faster one; who else writes: iotop"};
}

void look_at_host(const Context& context, const Host& host, Findings& out) {
  const auto places = context.places();
  if (const auto open = unfinished(places); open && !open->empty())
    out.push_back({true, fmt::format("`etcdadm {}` was begun here and did not end", *open),
                   fmt::format("etcdadm {} … again, with the same flags", *open)});
  if (host.stage == Stage::kNone) return;
  const auto files = places.member_files();
  look_at_guard(context, host, out);
  look_at_data(host, files, out);
  if (auto barrier = find_barrier(host, places))
    out.push_back(*std::move(barrier));
  else
    look_at_owners(host, files, out);
  look_at_keys(host, out);
  look_at_disk(context, host, out);
  look_at_certificates(context, host, out);
  const auto version = api::parse_version(host.version);
  if (!version) return;
  for (const auto* hazard : api::hazards_of(*version))
    out.push_back({false,
                   fmt::format("etcd {}: {} ({})", host.version, hazard->what, hazard->source),
                   "etcdadm upgrade plan"});
}

}  // namespace adm
