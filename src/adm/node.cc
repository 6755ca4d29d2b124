#include "adm/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include "adm/adopt_process.h"
#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/kubelet.h"
#include "adm/user.h"
#include "api/version.h"
#include "drivers/host/binaries.h"
#include "drivers/host/members.h"
#include "drivers/live/endpoints.h"
#include "drivers/live/ticket.h"
#include "posix/addresses.h"
#include "posix/files.h"
#include "posix/link.h"
#include "posix/place.h"
#include "posix/socket.h"
#include "posix/wakeup.h"
#include "render/etcd_args.h"
#include "render/kubernetes.h"

namespace adm {
namespace {

using base::Code;

constexpr size_t kSmall = size_t{1} << 20, kProgram = size_t{256} << 20;
constexpr base::Duration kStart{30'000}, kStop{60'000}, kPoll{100}, kRead{3'000};

// How the names of folders begin that were put aside within their own file system.
constexpr std::string_view kAside = "kept-by-etcdadm.";

bool is_there(const std::string& path) {
  return posix::exists(path) != base::Fact<bool>(false);
}

// A program that is up to date is not written again: it may be running.
base::Status put_program(std::string_view bytes, const std::string& to) {
  if (const auto info = posix::file_info(to);
      info && info->regular && info->size == bytes.size() && (info->mode & 0111) != 0) {
    TRY(const std::string present, posix::read_file(to, kProgram));
    if (present == bytes) return {};
  }
  return posix::write_atomic(to, bytes, 0755);
}

std::string stamp(base::Instant at) {
  std::string out;
  for (const char c : base::to_rfc3339(std::chrono::floor<std::chrono::seconds>(at)).substr(0, 19))
    if (c != '-' && c != ':') out += c;
  return out;
}

bool counts(const std::string& name) {
  return name != "lost+found" && !name.starts_with(kAside);
}

base::Result<host::EtcdPrograms> programs_of(const Context& context, const Host& host) {
  TRY(const auto version, api::parse_version(host.version));
  host::Binaries binaries(host.cache_dir);
  if (auto found = binaries.find(version, context.stop)) return found;
  context.say(fmt::format("etcd {} is not here yet: getting it", host.version));
  host::FetchOptions options;
  options.etcd_dir = host.cache_dir;
  options.release_url = context.flags.release_url;
  return host::fetch_etcd(version, options, context.say, context.stop);
}

base::Status end_process(const posix::ProcessId& process, const std::stop_token& stop) {
  if (auto sent = posix::send_signal(process, SIGTERM);
      !sent && sent.error().code != Code::kNotFound)
    return sent;
  const auto until = posix::deadline_in(kStop);
  while (posix::is_alive(process) != base::Fact<bool>(false)) {
    if (stop.stop_requested()) return base::fail(Code::kCancelled, "asked to stop");
    if (posix::deadline_in({}) >= until)
      return base::fail(Code::kDeadlineExceeded,
                        fmt::format("etcd (pid {}) did not end", process.pid));
    (void)posix::poll_until({}, posix::deadline_in(kPoll), stop);
  }
  return {};
}

}  // namespace

base::Result<Machine> look_at_machine() {
  Machine out;
  TRY(out.host_name, posix::host_name());
  TRY(out.addresses, posix::interface_addresses());
  if (auto address = posix::default_address()) out.default_address = *std::move(address);
  return out;
}

base::Result<base::Duration> start_timeout(const Context& context) {
  return base::parse_duration(context.flags.start_timeout);
}

base::Status check_room(const Context& context, const Host& host) {
  TRY_OK(service_of(host, context.places()));
  if (is_kubelet(host)) TRY_OK(check_manifests(host));
  const auto files = context.places().member_files();
  if (host::is_alive(files) == base::Fact<bool>(true))
    return base::fail(Code::kFailedPrecondition,
                      "an etcd of etcdadm runs here already: `etcdadm status` shows it, `etcdadm "
                      "reset` ends it");
  TRY(const bool empty, is_empty(host.data_dir));
  if (!empty && !context.flags.force)
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("{} is not empty; --force moves it aside and keeps it", host.data_dir));
  const std::string metrics =
      posix::is_loopback(host.bind_address) ? host.bind_address : "127.0.0.1";
  const std::array<std::tuple<const char*, std::string, unsigned>, 3> ports{
      {{"client", host.bind_address, host.client_port},
       {"peer", host.bind_address, host.peer_port},
       {"metrics", metrics, host.metrics_port}}};
  for (const auto& [what, address, port] : ports)
    if (const auto listener = posix::TcpListener::listen(address, port); !listener)
      return base::fail(Code::kFailedPrecondition, fmt::format("the {} port cannot be used: {}",
                                                               what, listener.error().message));
  return {};
}

base::Result<bool> is_empty(const std::string& folder) {
  const auto names = posix::list_dir(folder);
  if (!names && names.error().code == Code::kNotFound) return true;
  if (!names) return std::unexpected(names.error());
  return std::ranges::none_of(*names, counts);
}

std::string aside_name(const std::string& folder, std::string_view why, base::Instant now) {
  const bool mounted = posix::is_mount_point(folder) == base::Fact<bool>(true);
  const std::string name = fmt::format("{}{}{}{}-{}", folder, mounted ? "/" : ".",
                                       mounted ? kAside : "", why, stamp(now));
  std::string out = name;
  for (int i = 2; is_there(out) && i < 100; ++i) out = fmt::format("{}-{}", name, i);
  return out;
}

base::Status move_folder(const std::string& folder, const std::string& to) {
  if (!to.starts_with(folder + "/")) return posix::rename(folder, to);
  TRY_OK(posix::make_dirs(to));
  TRY(const auto names, posix::list_dir(folder));
  for (const auto& name : names)
    if (counts(name)) TRY_OK(posix::rename(folder + "/" + name, to + "/" + name));
  return {};
}

base::Result<std::string> move_aside(const std::string& folder, std::string_view why,
                                     base::Instant now) {
  if (!is_there(folder)) return std::string();
  std::string to = aside_name(folder, why, now);
  TRY_OK(move_folder(folder, to));
  return to;
}

base::Status delete_folder(const std::string& folder) {
  if (posix::is_mount_point(folder) != base::Fact<bool>(true)) return posix::remove_tree(folder);
  TRY(const auto names, posix::list_dir(folder));
  for (const auto& name : names)
    if (counts(name)) TRY_OK(posix::remove_tree(folder + "/" + name));
  return {};
}

base::Status clear_data(const Context& context, const Host& host) {
  TRY(const bool empty, is_empty(host.data_dir));
  if (empty) return {};
  if (!context.flags.force)
    return base::fail(Code::kFailedPrecondition,
                      host.data_dir + " is not empty; --force moves it aside and keeps it");
  TRY(const auto to, move_aside(host.data_dir, "old", context.clock.now()));
  context.say(fmt::format("what was in {} is kept in {}", host.data_dir, to));
  return {};
}

base::Status fetch_programs(const Context& context, const Host& host) {
  TRY_OK(programs_of(context, host));
  return {};
}

base::Status install_programs(const Context& context, const Host& host) {
  TRY(const auto found, programs_of(context, host));
  TRY_OK(posix::make_dirs(host.install_dir, 0755));
  const std::array<std::pair<std::string, const char*>, 3> programs{
      {{found.etcd, "etcd"}, {found.etcdctl, "etcdctl"}, {found.etcdutl, "etcdutl"}}};
  for (const auto& [from, name] : programs) {
    const std::string to = host.install_dir + "/" + name;
    if (from.empty() || from == to) continue;
    TRY(const std::string bytes, posix::read_file(from, kProgram));
    TRY_OK(put_program(bytes, to));
  }
  return put_program(context.guard, guard_program(host));
}

base::Result<guard::Ticket> ticket_of(const Host& host) {
  plan::Record record;
  record.key = {"etcdadm", "etcd"};
  // A cluster that begins anew has a new id: the folder of an older one is never taken for its own.
  record.incarnation = base::to_text(host.cluster_id);
  record.token = host.token;
  record.cluster_id = host.cluster_id;
  plan::MemberRecord m;
  m.name = host.name;
  m.volume = host.volume;
  m.incarnation = record.incarnation;
  m.origin = host.origin;
  m.id = host.member_id;
  TRY(m.version, api::parse_version(host.version));
  m.addresses = {host.peer_url(), host.client_url(), host.metrics_url()};
  m.permit = host.permit == guard::Permit::kBootstrap ? plan::Permit::kBootstrap
             : host.permit == guard::Permit::kJoin    ? plan::Permit::kJoin
             : host.permit == guard::Permit::kRestore ? plan::Permit::kRestore
                                                      : plan::Permit::kData;
  if (m.permit == plan::Permit::kRestore) {
    record.recovery.emplace();
    record.recovery->operation = host.restore_operation;
  }
  record.members[m.name] = m;
  guard::Ticket out = live::ticket_of({record, m, host.joined});
  out.restore_snapshot = host.permit == guard::Permit::kRestore ? host.restore_snapshot : "";
  // A pod has its image's programs.
  out.etcd = is_kubelet(host) ? std::string(render::kEtcdPath) : host.install_dir + "/etcd";
  out.etcdutl =
      is_kubelet(host) ? std::string(render::kEtcdutlPath) : host.install_dir + "/etcdutl";
  api::ClusterSpec spec;
  spec.version = m.version;
  spec.etcd_options = host.options;
  render::MemberAddresses at{m.addresses.client_url, m.addresses.client_url, m.addresses.peer_url,
                             m.addresses.peer_url, m.addresses.metrics_url};
  if (!posix::is_loopback(host.bind_address))
    at.listen_client += "," + url_of("127.0.0.1", host.client_port);
  TRY(out.args, render::etcd_args(spec, m.version, at, server_tls(host)));
  return out;
}

base::Status write_member(const Context& context, const Host& host) {
  const auto files = context.places().member_files();
  TRY_OK(posix::make_dirs(files.dir));
  TRY_OK(posix::make_dirs(files.log));
  TRY_OK(make_private_dir(host.data_dir));
  TRY_OK(posix::link_to(host.data_dir, files.volume));
  if (!host.user.empty()) TRY_OK(posix::let_pass(context.places().state_dir));
  TRY_OK(give_to_user(host, files.dir));
  TRY_OK(give_to_user(host, files.log));
  // What others made stays as they made it: it is in use.
  if (!is_adopted(host)) TRY_OK(give_to_user(host, host.data_dir, true));
  TRY(const auto ticket, ticket_of(host));
  return write_for_user(host, files.ticket, guard::encode(ticket));
}

base::Status write_etcdctl(const Host& host) {
  TRY_OK(posix::make_dirs(host.config_dir, 0755));
  const std::string env = host.config_dir + "/etcdctl.env";
  TRY_OK(posix::write_atomic(
      env,
      fmt::format("export ETCDCTL_API=3\nexport ETCDCTL_CACERT={0}/ca.crt\n"
                  "export ETCDCTL_CERT={0}/etcdctl-etcd-client.crt\n"
                  "export ETCDCTL_KEY={0}/etcdctl-etcd-client.key\n"
                  "export ETCDCTL_DIAL_TIMEOUT=3s\nexport ETCDCTL_ENDPOINTS={1}\n",
                  host.certs_dir, host.client_url()),
      0644));
  return posix::write_atomic(
      host.install_dir + "/etcdctl.sh",
      fmt::format("#!/bin/sh\n. '{}'\nexec '{}/etcdctl' \"$@\"\n", env, host.install_dir), 0755);
}

base::Status start_member(const Context& context, Host& host) {
  if (host.stage == Stage::kNone)
    return base::fail(Code::kFailedPrecondition, "the phase configure comes first");
  if (host.stage == Stage::kChosen) {
    host.stage = Stage::kStarted;
    TRY_OK(save_host(context.places(), host));
  }
  TRY_OK(check_reach(host, context.places()));
  TRY(const auto service, service_of(host, context.places()));
  return service->start(kStart, context.stop);
}

namespace {

base::Status end_member(const Context& context, const Host& host,
                        base::Status (Service::*how)(base::Duration, const std::stop_token&)) {
  TRY(const auto service, service_of(host, context.places()));
  TRY_OK((service.get()->*how)(kStop, context.stop));
  TRY(const auto left, etcd_on(host.data_dir, context.flags.pid));
  if (!left) return {};
  if (!is_adopted(host))
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("an etcd that etcdadm did not start (pid {}) has its data in {}: "
                                  "end it first",
                                  left->process.pid, host.data_dir));
  return end_process(left->process, context.stop);
}

}  // namespace

base::Status stop_member(const Context& context, const Host& host) {
  return end_member(context, host, &Service::stop);
}

base::Status retire_member(const Context& context, const Host& host) {
  return end_member(context, host, &Service::retire);
}

std::string last_verdict(const Places& places) {
  const auto bytes = posix::read_file(places.member_files().verdict, kSmall);
  if (!bytes) return {};
  const auto verdict = guard::decode_verdict(*bytes);
  if (!verdict || verdict->klass == guard::Class::kNone) return {};
  return fmt::format("{}: {}", guard::name_of(verdict->klass), verdict->signature);
}

base::Status wait_serving(const Context& context, const Host& host) {
  if (host.stage == Stage::kNone || host.stage == Stage::kChosen)
    return base::fail(Code::kFailedPrecondition, "the phase start comes first");
  TRY(const auto limit, start_timeout(context));
  TRY(const auto tls, client_tls(host.certs_dir));
  const auto files = context.places().member_files();
  const auto until = posix::deadline_in(limit);
  const auto api = etcd::connect(host.client_url(), tls);
  for (;;) {
    const auto read = api->quorum_read(kRead);
    if (read) return {};
    const auto alive = host::is_alive(files);
    const std::string verdict = last_verdict(context.places());
    if (alive != base::Fact<bool>(true) && !verdict.empty())
      return base::fail(
          Code::kFailedPrecondition,
          fmt::format("etcd did not stay up: {}; its log is {}/etcd.log", verdict, files.log));
    if (context.stop.stop_requested()) return base::fail(Code::kCancelled, "asked to stop");
    if (posix::deadline_in({}) >= until)
      return base::fail(
          Code::kDeadlineExceeded,
          fmt::format("{} does not serve after {}: {}{}; its log is {}/etcd.log{}{}",
                      host.client_url(), base::to_text(limit), read.error().message,
                      verdict.empty() ? "" : "; last end: " + verdict, files.log,
                      is_kubelet(host) ? "; " : "", is_kubelet(host) ? kKubeletHint : ""));
    (void)posix::poll_until({}, posix::deadline_in(kPoll), context.stop);
  }
}

base::Status latch(const Context& context, Host& host) {
  const auto files = context.places().member_files();
  TRY(const auto bytes, posix::read_file(files.marker, kSmall));
  TRY_IN(files.marker, const auto marker, guard::decode_marker(bytes));
  host.origin = marker.origin;
  if (marker.cluster_id) host.cluster_id = marker.cluster_id;
  if (marker.member_id) host.member_id = marker.member_id;
  host.permit = guard::Permit::kData;
  host.stage = Stage::kMember;
  host.restore_snapshot.clear();
  TRY(const auto ticket, ticket_of(host));
  TRY_OK(write_for_user(host, files.ticket, guard::encode(ticket)));
  TRY_OK(save_host(context.places(), host));
  return posix::remove_file(context.places().snapshot());
}

}  // namespace adm
