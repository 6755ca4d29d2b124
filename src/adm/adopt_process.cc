#include "adm/adopt_process.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "adm/checks.h"
#include "api/etcd_options.h"
#include "base/text.h"
#include "posix/addresses.h"
#include "posix/files.h"

namespace adm {
namespace {

using base::Code;

constexpr size_t kLimit = size_t{1} << 20;

std::vector<std::string> words_of(const std::string& file) {
  std::vector<std::string> out;
  const auto bytes = posix::read_file(file, kLimit);
  if (!bytes) return out;
  for (const auto word : base::split(*bytes, '\0'))
    if (!word.empty()) out.emplace_back(word);
  return out;
}

std::string flag_of_variable(std::string_view name) {
  std::string out;
  for (const char c : name.substr(5))
    out += c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool is_switch(std::string_view name) {
  const auto* flag = api::find_etcd_flag(name);
  return flag != nullptr && flag->is_switch;
}

std::string value_of(const EtcdFlags& flags, const std::string& name) {
  const auto at = flags.find(name);
  return at == flags.end() ? std::string() : at->second;
}

std::string first_url(const EtcdFlags& flags, const std::string& name) {
  const std::string value = value_of(flags, name);
  return value.substr(0, value.find(','));
}

// All that are called etcd, and the one with this pid; that one alone unless `all`.
base::Result<std::vector<Found>> running(std::int64_t pid, bool all) {
  std::vector<Found> out;
  TRY(const auto entries, posix::list_dir("/proc"));
  for (const auto& entry : entries) {
    const auto number = base::parse_int(entry);
    if (!number || (pid != 0 && *number != pid && !all)) continue;
    const std::string folder = "/proc/" + entry;
    const auto argv = words_of(folder + "/cmdline");
    if (argv.empty()) continue;
    const std::string program = argv.front().substr(argv.front().rfind('/') + 1);
    if (program != "etcd" && *number != pid) continue;
    const auto process = posix::identify(*number);
    if (!process) continue;
    out.push_back({*process, unit_in(posix::read_file(folder + "/cgroup", kLimit).value_or("")),
                   uid_in(posix::read_file(folder + "/status", kLimit).value_or("")),
                   etcd_flags_of(argv, words_of(folder + "/environ"))});
  }
  return out;
}

// Where its data is, as this process can look at it: it may see other file systems than we do.
std::string data_of(const Found& found) {
  const std::string process = fmt::format("/proc/{}", found.process.pid);
  const std::string dir = value_of(found.flags, "data-dir");
  if (dir.starts_with('/')) return process + "/root" + dir;
  const std::string name = value_of(found.flags, "name");
  return process + "/cwd/" + (!dir.empty() ? dir : (name.empty() ? "default" : name) + ".etcd");
}

bool same(const std::string& a, const std::string& b) {
  const auto one = posix::file_info(a), other = posix::file_info(b);
  return one && other && one->device == other->device && one->inode == other->inode;
}

base::Status refuse(const std::string& why) {
  return base::fail(Code::kFailedPrecondition, why + "; nothing was changed");
}

base::Status need(const EtcdFlags& flags, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (value_of(flags, name).empty())
      return refuse(fmt::format(
          "this etcd runs without --{}: etcdadm looks after members that speak TLS to clients and "
          "to each other, with certificates on both sides. Give it certificates first (the peer "
          "side: a rolling restart with them, then member update), then adopt it",
          name));
  return {};
}

// Where this host is reached: by an address, as the certificates and the guard name it.
base::Result<Endpoint> place(const EtcdFlags& flags, const char* advertised, const char* listened) {
  const auto at = parse_endpoint(first_url(flags, advertised));
  if (!at) return std::unexpected(at.error().in(std::string("--") + advertised));
  if (posix::kind_of_address(at->host) != posix::AddressKind::kNone) return *at;
  const auto listens = parse_endpoint(first_url(flags, listened));
  if (!listens) return std::unexpected(listens.error().in(std::string("--") + listened));
  Endpoint out{listens->host, at->port};
  if (out.host == "0.0.0.0" || out.host == "::") {
    TRY(out.host, posix::default_address());
  }
  return out;
}

base::Status take_options(const EtcdFlags& flags, Adopted& out) {
  for (const auto& [name, value] : flags) {
    const auto* flag = api::find_etcd_flag(name);
    if (flag != nullptr && flag->owner == api::FlagOwner::kOperator) continue;
    if (flag != nullptr && flag->owner == api::FlagOwner::kUser)
      out.host.options.push_back(fmt::format("--{}={}", name, value));
    else
      out.left_out.push_back(flag == nullptr ? fmt::format("--{}: no flag that is known", name)
                                             : fmt::format("--{}: {}", name, flag->reason));
  }
  return {};
}

base::Status check_kind(const EtcdFlags& flags) {
  if (flags.contains("config-file"))
    return refuse(
        "this etcd reads a configuration file (--config-file), which etcdadm does not: "
        "give it the same as flags or as ETCD_ variables first");
  for (const char* name : {"wal-dir", "discovery", "discovery-srv", "proxy"})
    if (!value_of(flags, name).empty())
      return refuse(fmt::format("this etcd has --{}, which etcdadm does not look after", name));
  TRY_OK(need(flags, {"data-dir", "cert-file", "key-file", "trusted-ca-file", "peer-cert-file",
                      "peer-key-file", "peer-trusted-ca-file", "advertise-client-urls",
                      "initial-advertise-peer-urls", "listen-client-urls", "listen-peer-urls"}));
  const auto ca = posix::read_file(value_of(flags, "trusted-ca-file"), kLimit);
  if (!ca) return std::unexpected(ca.error());
  const auto peer_ca = posix::read_file(value_of(flags, "peer-trusted-ca-file"), kLimit);
  if (!peer_ca) return std::unexpected(peer_ca.error());
  if (*ca != *peer_ca)
    return refuse("its clients and its peers have different authorities; etcdadm knows one");
  return {};
}

}  // namespace

EtcdFlags etcd_flags_of(const std::vector<std::string>& argv,
                        const std::vector<std::string>& environment) {
  EtcdFlags out;
  for (const auto& line : environment) {
    const auto equals = line.find('=');
    if (!line.starts_with("ETCD_") || equals == std::string::npos || equals == 5) continue;
    out[flag_of_variable(line.substr(0, equals))] = line.substr(equals + 1);
  }
  for (size_t i = 1; i < argv.size(); ++i) {
    std::string_view word = argv[i];
    if (!word.starts_with('-')) continue;
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    const auto equals = word.find('=');
    const std::string name(word.substr(0, equals));
    if (equals != std::string_view::npos)
      out[name] = std::string(word.substr(equals + 1));
    else if (is_switch(name) || i + 1 == argv.size() || argv[i + 1].starts_with('-'))
      out[name] = "true";
    else
      out[name] = argv[++i];
  }
  return out;
}

std::string unit_in(const std::string& cgroup) {
  for (const auto line : base::split(cgroup, '\n')) {
    const auto slash = line.rfind('/');
    if (slash == std::string_view::npos || !line.ends_with(".service")) continue;
    return std::string(line.substr(slash + 1));
  }
  return {};
}

unsigned uid_in(const std::string& status) {
  for (const auto line : base::split(status, '\n')) {
    if (!line.starts_with("Uid:")) continue;
    // The real one, the effective one, …
    const auto ids = base::split(base::trim(line.substr(4)), '\t');
    const auto id = ids.size() > 1 ? base::parse_int(ids[1]) : std::nullopt;
    if (id && *id >= 0 && *id < std::numeric_limits<unsigned>::max())
      return static_cast<unsigned>(*id);
  }
  return 0;
}

base::Result<Found> find_etcd(std::int64_t pid) {
  TRY(auto found, running(pid, false));
  if (found.empty())
    return base::fail(Code::kNotFound,
                      pid == 0 ? "no etcd runs on this host: start it as it always was, then "
                                 "adopt it"
                               : fmt::format("there is no process {}", pid));
  std::vector<std::string> names;
  for (const auto& one : found) names.push_back(std::to_string(one.process.pid));
  if (found.size() > 1)
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("several etcd run here, say which with --pid: {}", base::join(names, ", ")));
  return std::move(found.front());
}

base::Result<std::optional<Found>> etcd_on(const std::string& folder, std::int64_t pid) {
  TRY(auto found, running(pid, true));
  for (auto& one : found)
    if (const std::string data = data_of(one); same(data, folder) || same(data, folder + "/data"))
      return std::optional(std::move(one));
  return std::optional<Found>();
}

base::Result<Adopted> settings_of(const EtcdFlags& flags) {
  TRY_OK(check_kind(flags));
  Adopted out;
  out.host.name = value_of(flags, "name").empty() ? "default" : value_of(flags, "name");
  out.host.data_dir = value_of(flags, "data-dir");
  while (out.host.data_dir.size() > 1 && out.host.data_dir.ends_with('/'))
    out.host.data_dir.pop_back();
  TRY_OK(check_folder("--data-dir of this etcd", out.host.data_dir));
  TRY(const auto client, place(flags, "advertise-client-urls", "listen-client-urls"));
  TRY(const auto peer, place(flags, "initial-advertise-peer-urls", "listen-peer-urls"));
  if (client.host != peer.host)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("its clients reach it at {} and its peers at {}; etcdadm knows "
                                  "one address; nothing was changed",
                                  client.host, peer.host));
  out.host.bind_address = posix::canonical_address(client.host);
  out.host.client_port = client.port;
  out.host.peer_port = peer.port;
  const std::string metrics = first_url(flags, "listen-metrics-urls");
  const auto colon = metrics.rfind(':');
  const auto port =
      colon == std::string::npos ? std::nullopt : base::parse_int(metrics.substr(colon + 1));
  out.host.metrics_port = static_cast<unsigned>(port.value_or(2381));
  out.ca = value_of(flags, "trusted-ca-file");
  out.server_cert = value_of(flags, "cert-file");
  out.server_key = value_of(flags, "key-file");
  out.peer_cert = value_of(flags, "peer-cert-file");
  out.peer_key = value_of(flags, "peer-key-file");
  out.client_url = url_of(client.host, client.port);
  TRY_OK(take_options(flags, out));
  return out;
}

}  // namespace adm
