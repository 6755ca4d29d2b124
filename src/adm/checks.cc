#include "adm/checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "api/hazards.h"
#include "api/names.h"
#include "api/version.h"
#include "base/text.h"
#include "posix/addresses.h"

namespace adm {
namespace {

using base::Code;

base::Status wrong(std::string_view flag, std::string_view value, std::string_view allowed) {
  return base::fail(Code::kInvalidArgument,
                    fmt::format("{}: '{}' {}", flag, value.substr(0, 200), allowed));
}

bool is_host(const std::string& host) {
  return posix::kind_of_address(host) != posix::AddressKind::kNone ||
         (!host.starts_with("*.") && !api::check_dns_name(host));
}

base::Result<unsigned> parse_port(std::string_view url, std::string_view text) {
  const auto port = base::parse_int(text);
  if (!port || *port < 1 || *port > 65535)
    return base::fail(Code::kInvalidArgument,
                      fmt::format("'{}': the port '{}' is not a number from 1 to 65535",
                                  url.substr(0, 200), text.substr(0, 40)));
  return static_cast<unsigned>(*port);
}

base::Status check_ports(const Flags& f) {
  const std::array<std::pair<std::string_view, unsigned>, 4> ports{
      {{"--client-port", f.client_port},
       {"--peer-port", f.peer_port},
       {"--metrics-port", f.metrics_port},
       {"--token-port", f.token_port}}};
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports.at(i).second < 1 || ports.at(i).second > 65535)
      return wrong(ports.at(i).first, std::to_string(ports.at(i).second),
                   "is not a number from 1 to 65535");
    for (size_t j = 0; j < i; ++j)
      if (ports.at(i).second == ports.at(j).second)
        return wrong(ports.at(i).first, std::to_string(ports.at(i).second),
                     fmt::format("is the port of {} as well", ports.at(j).first));
  }
  return {};
}

base::Status check_version(const std::string& text) {
  const auto version = api::parse_version(text);
  if (!version) return std::unexpected(version.error().in("--version"));
  if (const auto why = api::check_version(*version)) return wrong("--version", text, *why);
  return {};
}

base::Status check_folders(Flags& f) {
  const std::array<std::pair<std::string_view, std::string*>, 8> folders{
      {{"--state-dir", &f.state_dir},
       {"--certs-dir", &f.certs_dir},
       {"--install-dir", &f.install_dir},
       {"--data-dir", &f.data_dir},
       {"--config-dir", &f.config_dir},
       {"--unit-dir", &f.unit_dir},
       {"--cache-dir", &f.cache_dir},
       {"--kubelet-pod-manifest-path", &f.manifest_dir}}};
  for (const auto& [flag, path] : folders) {
    TRY_OK(check_folder(flag, *path));
    while (path->size() > 1 && path->ends_with('/')) path->pop_back();
  }
  // What is removed or moved aside with the data must not take the rest with it.
  for (const auto& [flag, path] : folders)
    if (flag != "--data-dir" && (*path + "/").starts_with(f.data_dir + "/"))
      return wrong("--data-dir", f.data_dir, fmt::format("holds {} ({})", flag, *path));
  if ((f.data_dir + "/").starts_with(f.state_dir + "/"))
    return wrong("--data-dir", f.data_dir, fmt::format("is inside --state-dir ({})", f.state_dir));
  return {};
}

// The tag is the version's.
base::Status check_repository(const std::string& text) {
  const auto name = text.substr(text.rfind('/') + 1);
  const bool plain = text.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789.-_/:[]") == std::string::npos;
  if (name.empty() || text.starts_with('/') || !plain || name.find(':') != std::string::npos)
    return wrong("--image-repository", text,
                 "is no name of an image without its tag, as quay.io/coreos/etcd is");
  return {};
}

base::Status check_durations(const Flags& f) {
  for (const auto& [flag, text] :
       {std::pair("--start-timeout", f.start_timeout),
        std::pair("--download-connect-timeout", f.download_connect_timeout)})
    if (const auto parsed = base::parse_duration(text); !parsed)
      return std::unexpected(parsed.error().in(flag));
  return {};
}

}  // namespace

base::Status check_token_port(const Flags& f) {
  if (f.token_port < 1 || f.token_port > 65535)
    return wrong("--token-port", std::to_string(f.token_port), "is not a number from 1 to 65535");
  return {};
}

std::string url_of(const std::string& host, unsigned port) {
  const bool six = host.find(':') != std::string::npos;
  return six ? fmt::format("https://[{}]:{}", host, port)
             : fmt::format("https://{}:{}", host, port);
}

base::Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto fail = [&](std::string_view why) {
    return base::fail(Code::kInvalidArgument,
                      fmt::format("'{}' {}; give the peer or the client URL of a member, such as "
                                  "https://etcd-1:2380",
                                  text.substr(0, 200), why));
  };
  constexpr std::string_view kScheme = "https://";
  if (text.starts_with("http://"))
    return fail("is a URL without TLS, which etcdadm does not speak");
  if (!text.starts_with(kScheme)) return fail("is not a URL that begins with https://");
  std::string_view rest = text.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos) return fail("has a path");
  if (rest.find('@') != std::string_view::npos) return fail("has a user name");
  std::string_view host = rest, port;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return fail("lacks a ']'");
    host = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return fail("has something after ']'");
    if (!rest.empty()) port = rest.substr(1);
    if (posix::kind_of_address(std::string(host)) != posix::AddressKind::kV6)
      return fail("has no IPv6 address in its brackets");
  } else {
    const auto colon = rest.find(':');
    if (colon != rest.rfind(':')) return fail("has an IPv6 address without brackets");
    host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon + 1);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  }
  if (host.empty()) return fail("names no host");
  if (!is_host(std::string(host))) return fail("has a host that is neither a name nor an address");
  Endpoint out{std::string(host), 2379};
  if (!rest.empty()) {
    TRY(out.port, parse_port(text, port));
  }
  return out;
}

base::Status check_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "is no name of a member: 1 to 63 letters, digits, '-', '_' and '.', the first a letter or "
      "a digit";
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  const bool good = !name.empty() && name.size() <= 63 && is_word(name.front()) &&
                    std::ranges::all_of(name, [&](char c) {
                      return is_word(c) || c == '-' || c == '_' || c == '.';
                    });
  return good ? base::Status{} : wrong("--name", name, kAllowed);
}

base::Status check_address(std::string_view flag, const std::string& address,
                           const Machine& machine) {
  if (posix::kind_of_address(address) == posix::AddressKind::kNone)
    return wrong(flag, address, "is neither an IPv4 nor an IPv6 address");
  const std::string text = posix::canonical_address(address);
  if (text == "0.0.0.0" || text == "::")
    return wrong(
        flag, address,
        "is no address that others can reach: give one of " + base::join(machine.addresses, ", "));
  // All of 127.0.0.0/8 is the loopback interface's.
  if (posix::is_loopback(text) ||
      std::ranges::find(machine.addresses, text) != machine.addresses.end())
    return {};
  return wrong(flag, address,
               "is on no interface of this host, which has " + base::join(machine.addresses, ", "));
}

base::Status check_sans(const std::vector<std::string>& sans) {
  for (const auto& san : sans)
    if (posix::kind_of_address(san) == posix::AddressKind::kNone)
      if (const auto why = api::check_dns_name(san))
        return wrong("--server-cert-extra-sans", san,
                     "is neither an address nor a DNS name: " + *why);
  return {};
}

base::Status check_folder(std::string_view flag, const std::string& path) {
  if (!path.starts_with('/')) return wrong(flag, path, "is not an absolute path");
  for (const auto part : base::split(path, '/'))
    if (part == "..") return wrong(flag, path, "has a part '..'");
  if (std::ranges::any_of(path, [](unsigned char c) { return c < 0x20 || c == 0x7F; }))
    return wrong(flag, path, "has a control character");
  const auto last = path.find_last_not_of('/');
  if (last == std::string::npos) return wrong(flag, path, "is the root of all files");
  return {};
}

base::Status check_disk_priorities(const std::vector<std::string>& lines) {
  constexpr std::array<std::string_view, 5> kKnown{
      "Nice", "IOSchedulingClass", "IOSchedulingPriority", "CPUSchedulingPolicy", "CPUWeight"};
  for (const auto& line : lines) {
    const auto equals = line.find('=');
    const std::string_view key = std::string_view(line).substr(0, equals);
    if (equals == std::string::npos || equals + 1 == line.size() ||
        line.find('\n') != std::string::npos || std::ranges::find(kKnown, key) == kKnown.end())
      return wrong("--disk-priorities", line,
                   "is none of Nice=, IOSchedulingClass=, IOSchedulingPriority=, "
                   "CPUSchedulingPolicy=, CPUWeight=");
  }
  return {};
}

base::Result<std::string> version_to_join(const std::vector<api::Version>& running,
                                          std::string_view asked) {
  if (running.empty() && asked.empty())
    return base::fail(Code::kUnavailable,
                      "no member says which version it runs; say it with --version");
  if (asked.empty()) return std::ranges::min(running).text();
  TRY_IN("--version", const auto wanted, api::parse_version(asked));
  const auto minor = [](const api::Version& v) { return std::pair(v.major, v.minor); };
  const auto [low, high] = std::ranges::minmax(running.empty() ? std::vector{wanted} : running);
  if (minor(wanted) >= minor(low) && minor(wanted) <= minor(high)) return wanted.text();
  return base::fail(
      Code::kFailedPrecondition,
      fmt::format("--version: a new member of {} cannot join members of {}: leave the flag out and "
                  "it begins with {}; `etcdadm upgrade apply` goes to another minor host by host",
                  wanted.text(),
                  low == high ? low.text() : fmt::format("{} to {}", low.text(), high.text()),
                  low.text()));
}

base::Status complete(Flags& f, const Machine& machine) {
  if (f.name.empty()) f.name = machine.host_name;
  TRY_OK(check_name(f.name));
  if (f.bind_address.empty()) {
    if (machine.default_address.empty())
      return base::fail(Code::kInvalidArgument,
                        "--bind-address: this host has no default route to take the address from; "
                        "give one of " +
                            base::join(machine.addresses, ", "));
    f.bind_address = machine.default_address;
  }
  TRY_OK(check_address("--bind-address", f.bind_address, machine));
  f.bind_address = posix::canonical_address(f.bind_address);
  TRY_OK(check_sans(f.extra_sans));
  TRY_OK(check_folders(f));
  TRY_OK(check_ports(f));
  TRY_OK(check_durations(f));
  TRY_OK(check_disk_priorities(f.disk_priorities));
  if (!f.version.empty()) TRY_OK(check_version(f.version));
  if (f.init_system != "systemd" && f.init_system != "kubelet" && f.init_system != "none")
    return wrong("--init-system", f.init_system, "is none of systemd, kubelet, none");
  return check_repository(f.image_repository);
}

}  // namespace adm
