// adopt: a member that was made by other means is looked after from now on. What runs is left
// alone; who it is comes from the live membership, and its guard comes with its next start.
#include <fmt/format.h>

#include "adm/adopt_process.h"
#include "adm/begin.h"
#include "adm/certificates.h"
#include "adm/commands.h"
#include "adm/node.h"
#include "adm/restart.h"
#include "adm/retry.h"
#include "adm/steps.h"
#include "adm/user.h"
#include "base/text.h"
#include "drivers/host/members.h"
#include "pki/random.h"
#include "plan/quorum.h"
#include "posix/files.h"
#include "posix/link.h"

namespace adm {
namespace {

using base::Code;

constexpr size_t kLimit = size_t{1} << 20;
constexpr base::Duration kAsk{5'000}, kLook{30'000};
constexpr const char* kClient = "etcdctl-etcd-client";

struct Adoption {
  const Context& context;
  Host host;
  Adopted from;
  Found found;

  [[nodiscard]] std::string cert(const char* leaf, const char* part) const {
    return fmt::format("{}/{}.{}", host.certs_dir, leaf, part);
  }

  base::Status look() {
    TRY(const auto present, find_etcd(context.flags.pid));
    found = present;
    TRY(from, settings_of(found.flags));
    Host next = from.host;
    next.version = host.version;
    next.init_system = context.flags.init_system;
    next.certs_dir = context.flags.certs_dir;
    next.install_dir = context.flags.install_dir;
    next.config_dir = context.flags.config_dir;
    next.unit_dir = context.flags.unit_dir;
    next.cache_dir = context.flags.cache_dir;
    next.disk_priorities = context.flags.disk_priorities;
    // An earlier run that did not end had chosen these.
    next.user = keep_user();
    next.volume = host.volume;
    next.origin = host.origin;
    host = std::move(next);
    if (host.init_system != "systemd" && host.init_system != "none")
      return base::fail(
          Code::kInvalidArgument,
          fmt::format("--init-system: '{}' is none of systemd, none", host.init_system));
    for (std::string* folder :
         {&host.certs_dir, &host.install_dir, &host.config_dir, &host.unit_dir, &host.cache_dir}) {
      TRY_OK(check_folder("the folder", *folder));
      while (folder->size() > 1 && folder->ends_with('/')) folder->pop_back();
    }
    return check_unit();
  }

  // Who runs it now can read all that it has.
  [[nodiscard]] std::string keep_user() const {
    if (context.flags.init_system != "systemd" || found.uid == 0 || !posix::is_root()) return {};
    if (auto user = posix::find_user(found.uid)) return std::move(user->name);
    context.say(fmt::format("it runs as user {}, who has no name here: the unit will run as root",
                            found.uid));
    return {};
  }

  base::Status check_unit() const {
    if (host.init_system != "systemd" || found.unit.empty() || found.unit == kUnit) return {};
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("it is run by the unit {}, and etcdadm writes {}: rename that unit with its "
                    "next restart, or adopt with --init-system none and write into it yourself "
                    "ExecStart={} run --member-dir {}; nothing was changed",
                    found.unit, kUnit, guard_program(host), context.places().member()));
  }

  // What is there under our names is kept: it is the retired tool's, and ours.
  base::Status copy(const std::string& source, const std::string& to) const {
    if (source == to) return {};
    TRY(const std::string bytes, posix::read_file(source, kLimit));
    if (const auto present = posix::read_file(to, kLimit); present && *present != bytes)
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("{} is there and is not {}: give another --certs-dir; nothing "
                                    "was changed",
                                    to, source));
    TRY_OK(posix::write_atomic(to, bytes, to.ends_with(".key") ? 0600 : 0644));
    const bool units = to == cert("server", "key") || to == cert("peer", "key");
    return units ? give_to_user(host, to) : base::Status{};
  }

  base::Status copy_certificates() const {
    TRY_OK(posix::make_dirs(host.certs_dir, 0755));
    TRY_OK(copy(from.ca, cert("ca", "crt")));
    TRY_OK(copy(from.server_cert, cert("server", "crt")));
    TRY_OK(copy(from.server_key, cert("server", "key")));
    TRY_OK(copy(from.peer_cert, cert("peer", "crt")));
    TRY_OK(copy(from.peer_key, cert("peer", "key")));
    const std::string ca_key = from.ca.substr(0, from.ca.rfind('.')) + ".key";
    if (posix::exists(ca_key) == base::Fact<bool>(true)) TRY_OK(copy(ca_key, cert("ca", "key")));
    const auto& flags = context.flags;
    if (!flags.client_cert.empty() || !flags.client_key.empty()) {
      TRY_OK(copy(flags.client_cert, cert(kClient, "crt")));
      return copy(flags.client_key, cert(kClient, "key"));
    }
    if (posix::exists(cert(kClient, "crt")) == base::Fact<bool>(true)) return {};
    TRY_OK(copy(from.server_cert, cert(kClient, "crt")));
    return copy(from.server_key, cert(kClient, "key"));
  }

  // Whatever is stamped comes from the members themselves, by a linearizable read.
  base::Status identify() {
    TRY(const auto tls, client_tls(host.certs_dir));
    TRY_IN(from.client_url, const auto status, etcd::connect(from.client_url, tls)->status(kAsk));
    const Cluster at({from.client_url}, tls, context.clock, context.places().endpoints());
    TRY(const auto sight, at.look());
    if (!sight->quorum)
      return base::fail(
          Code::kUnavailable,
          "no quorum answers, so who this member is cannot be read: " + sight->problem);
    const auto* own = sight->by_id(status.id);
    if (own == nullptr)
      return base::fail(
          Code::kFailedPrecondition,
          "this etcd is not in its cluster's list: it was removed, and only `etcdadm join` "
          "without its data makes it a member again");
    if (status.learner)
      return base::fail(Code::kFailedPrecondition,
                        "it is a learner: promote it first, then adopt it");
    host.member_id = status.id;
    host.cluster_id = sight->list.cluster_id;
    host.name = own->name;
    host.version = status.version;
    host.token = std::string(kAdoptedToken) + base::to_text(host.cluster_id);
    host.endpoints = client_urls(sight->list);
    for (const auto& m : sight->list.members)
      for (const auto& url : m.peer_urls) host.joined.emplace_back(m.name, url);
    if (host.volume.empty()) {
      TRY(host.volume, pki::random_hex(8));
      TRY(host.origin, pki::random_hex(8));
    }
    return check_leaves();
  }

  base::Status check_leaves() const {
    for (const auto& leaf : check_certificates(host, context.clock.now(), {}))
      if (leaf.health == Health::kBad && leaf.name != kClient)
        return base::fail(Code::kFailedPrecondition,
                          fmt::format("certificate {} would not do for {} after the next start: {}",
                                      leaf.name, host.bind_address, leaf.problem));
    return {};
  }

  // etcd's own directory becomes the member's volume as it is: `data` in it is itself, and the
  // marker lies beside `member`.
  base::Status stamp() {
    TRY_OK(posix::link_to(".", host.data_dir + "/data"));
    host.stage = Stage::kMember;
    host.permit = guard::Permit::kData;
    TRY_OK(save_host(context.places(), host));
    TRY_OK(write_member(context, host));
    TRY(const auto ticket, ticket_of(host));
    const auto files = context.places().member_files();
    if (posix::exists(files.marker) == base::Fact<bool>(true)) return {};
    guard::Marker m;
    m.cluster_ns = ticket.cluster_ns;
    m.cluster_name = ticket.cluster_name;
    m.member_name = ticket.member_name;
    m.incarnation = ticket.incarnation;
    m.volume_id = ticket.volume_id;
    m.peer_address = ticket.peer_address;
    m.cluster_id = host.cluster_id;
    m.member_id = host.member_id;
    m.origin = host.origin;
    m.started = true;
    return write_for_user(host, files.marker, guard::encode(m));
  }

  base::Status write_unit() const {
    if (host.init_system == "systemd") {
      const std::string unit = host.unit_dir + "/" + kUnit;
      const std::string kept = unit + ".before-etcdadm";
      if (const auto old = posix::read_file(unit, kLimit);
          old && posix::exists(kept) == base::Fact<bool>(false) &&
          old->find("etcd-guard") == std::string::npos) {
        TRY_OK(posix::write_atomic(kept, *old, 0644));
        context.say(fmt::format("the unit that was there is kept as {}", kept));
      }
    }
    TRY_OK(check_reach(host, context.places()));
    TRY(const auto service, service_of(host, context.places()));
    TRY_OK(service->prepare());
    return write_etcdctl(host);
  }
};

std::vector<Step> steps_of(Adoption& a) {
  std::vector<Step> out;
  out.push_back(
      {"process", "find the etcd that runs here, and what it was told", [&a] { return a.look(); }});
  out.push_back({"certificates", "copy its certificates", [&a] { return a.copy_certificates(); }});
  out.push_back(
      {"identity", "read from the live membership who it is", [&a] { return a.identify(); }});
  out.push_back({"install", "put its version and etcd-guard into the install folder",
                 [&a] { return install_programs(a.context, a.host); }});
  out.push_back({"stamp", "write its marker and its ticket", [&a] { return a.stamp(); }});
  out.push_back({"unit", "write the guard into the unit, for the next start",
                 [&a] { return a.write_unit(); }});
  return out;
}

base::Status ask_first(const Context& context, const Cluster& at) {
  if (context.flags.yes) return {};
  std::size_t voters = 0;
  const auto seen =
      until_done(context, kLook, "no quorum answers", [&]() -> base::Result<std::string> {
        const auto sight = at.look();
        if (!sight) return sight.error().message;
        if (!(*sight)->quorum) return (*sight)->problem;
        voters = (*sight)->view.voters;
        return std::string();
      });
  if (!seen && seen.error().code == Code::kDeadlineExceeded)
    return base::fail(Code::kUnavailable, seen.error().message);
  TRY_OK(seen);
  if (plan::tolerated(voters) > 0 ||
      context.ask("The cluster does not answer while this member restarts. Go on?"))
    return {};
  return base::fail(Code::kFailedPrecondition, "not confirmed: say --yes, or answer yes");
}

base::Status restart(const Context& context, Host host) {
  if (host::is_alive(context.places().member_files()) == base::Fact<bool>(true)) {
    context.say("it runs under its guard already");
    return {};
  }
  TRY(const auto runs, etcd_on(host.data_dir, context.flags.pid));
  if (!runs) {  // an earlier run came as far as to end it
    TRY_OK(start_member(context, host));
    return wait_serving(context, host);
  }
  TRY(const auto at, cluster_of(context, host));
  TRY_OK(ask_first(context, at));
  return restart_member(context, host);
}

Answer said(const Host& host, const std::vector<std::string>& left_out, bool guarded) {
  Answer out;
  out.text = fmt::format(
      "{} is adopted: member {} of cluster {}, etcd {} at {}.\n{}", host.name,
      base::to_text(host.member_id), base::to_text(host.cluster_id), host.version,
      host.client_url(),
      guarded ? "It runs under its guard.\n"
      : host.init_system == "systemd"
          ? "It runs on as it is, Unguarded; `systemctl restart etcd` or `etcdadm adopt --restart` "
            "starts it under its guard.\n"
          : "It runs on as it is, Unguarded; `etcdadm adopt --restart` starts it under its "
            "guard.\n");
  for (const auto& flag : left_out) out.text += "not kept after that: " + flag + "\n";
  out.value["name"] = host.name;
  out.value["memberID"] = base::to_text(host.member_id);
  out.value["clusterID"] = base::to_text(host.cluster_id);
  out.value["guarded"] = guarded;
  out.value["leftOut"] = left_out;
  return out;
}

}  // namespace

Reply adopt(const Context& context) {
  const auto places = context.places();
  TRY(const auto open, unfinished(places));
  auto loaded = load_host(places);
  if (!loaded && loaded.error().code != Code::kNotFound) return std::unexpected(loaded.error());
  Adoption adoption{context, loaded ? *loaded : Host{}, {}, {}};
  const auto steps = steps_of(adoption);
  const Run run{"adopt", {}};
  if (context.flags.dry_run) {
    Answer out = dry_run(run, steps);
    TRY_OK(adoption.look());
    for (const auto& flag : adoption.from.left_out)
      out.text += "not kept after the next start: " + flag + "\n";
    return out;
  }
  TRY(const auto lock, lock_state(places));
  const bool is_member = loaded && loaded->stage != Stage::kNone && open != run.command;
  if (is_member && !is_adopted(*loaded))
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("this host is member {} already, made by etcdadm", loaded->name));
  if (!is_member) TRY_OK(run_steps(context, run, steps));
  const Host& host = is_member ? *loaded : adoption.host;
  if (context.flags.restart) TRY_OK(restart(context, host));
  const bool guarded = host::is_alive(places.member_files()) == base::Fact<bool>(true);
  return said(host, adoption.from.left_out, guarded);
}

}  // namespace adm
