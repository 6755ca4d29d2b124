#include "render/etcd_args.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "api/etcd_options.h"
#include "api/hazards.h"
#include "base/text.h"

namespace render {
namespace {

using api::ClusterSpec;
using api::Version;

// In order, one of each canonical name; the user's replace ours in their place.
class Flags {
 public:
  explicit Flags(const Version& version) : version_(version) {}

  // False: this version has no such flag.
  bool set(std::string_view name, std::string value) {
    const auto* flag = api::find_etcd_flag(name);
    if (flag == nullptr) return false;
    if (!flag->gate.empty() && version_.minor >= 6) {
      set_gate(flag->gate, value);
      return true;
    }
    if (flag->name == "feature-gates") return set_gates(value);
    auto form = api::flag_name_in(*flag, version_);
    if (!form) return false;
    const auto at = std::ranges::find(flags_, *form, &Pair::first);
    if (at == flags_.end())
      flags_.emplace_back(*std::move(form), std::move(value));
    else
      at->second = std::move(value);
    return true;
  }

  [[nodiscard]] std::vector<std::string> list() const {
    std::vector<std::string> out;
    for (const auto& [name, value] : flags_) out.push_back(fmt::format("--{}={}", name, value));
    std::vector<std::string> gates;
    for (const auto& [name, value] : gates_) gates.push_back(name + "=" + value);
    if (!gates.empty()) out.push_back("--feature-gates=" + base::join(gates, ","));
    return out;
  }

 private:
  using Pair = std::pair<std::string, std::string>;

  void set_gate(std::string_view name, std::string value) {
    gates_[std::string(name)] = std::move(value);
  }
  bool set_gates(std::string_view list) {
    if (version_.minor < 6) return false;
    for (const auto part : base::split(list, ',')) {
      const size_t equals = part.find('=');
      if (equals != std::string_view::npos)
        set_gate(base::trim(part.substr(0, equals)), std::string(part.substr(equals + 1)));
    }
    return true;
  }

  const Version version_;
  std::vector<Pair> flags_;
  std::map<std::string, std::string> gates_;
};

void set_addresses(Flags& flags, const MemberAddresses& addresses) {
  flags.set("listen-client-urls", addresses.listen_client);
  flags.set("advertise-client-urls", addresses.advertise_client);
  flags.set("listen-peer-urls", addresses.listen_peer);
  flags.set("initial-advertise-peer-urls", addresses.advertise_peer);
  if (!addresses.metrics.empty()) flags.set("listen-metrics-urls", addresses.metrics);
}

void set_tls(Flags& flags, const TlsPaths& tls) {
  if (!tls.server.cert.empty()) {
    flags.set("cert-file", tls.server.cert);
    flags.set("key-file", tls.server.key);
    flags.set("trusted-ca-file", tls.server.ca);
    flags.set("client-cert-auth", "true");
    if (!tls.gateway.cert.empty()) {
      flags.set("client-cert-file", tls.gateway.cert);
      flags.set("client-key-file", tls.gateway.key);
    }
  }
  if (tls.peer.cert.empty()) return;
  flags.set("peer-cert-file", tls.peer.cert);
  flags.set("peer-key-file", tls.peer.key);
  flags.set("peer-trusted-ca-file", tls.peer.ca);
  flags.set("peer-client-cert-auth", "true");
  // The peer CA is this cluster's alone, so a certificate of it is proof enough; the check of names
  // would ask for a new certificate whenever a member moves.
  flags.set("peer-skip-client-san-verification", "true");
}

void set_defaults(Flags& flags, const Version& version) {
  flags.set("logger", "zap");  // 3.4 has another by default, which the guard does not read
  flags.set("log-outputs", "stderr");
  if (version.minor == 4) flags.set("pre-vote", "true");  // the default from 3.5 on
  if (version.minor == 6) flags.set("snapshot-count", std::to_string(api::kSnapshotCountOf36));
  // Off by default in every version; the only way to find members that differ while they run.
  flags.set("initial-corrupt-check", "true");
  if (flags.set("compact-hash-check-enabled", "true")) flags.set("compact-hash-check-time", "1m0s");
}

struct Applied {
  Flags flags;
  std::vector<std::string> left_out;
};

base::Result<Applied> apply(const ClusterSpec& spec, const Version& version,
                            const MemberAddresses& addresses, const TlsPaths& tls) {
  if (!api::newest_of_minor(version))
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("no flags are known for etcd {}", version.text()));
  Applied out{Flags(version), {}};
  set_addresses(out.flags, addresses);
  set_tls(out.flags, tls);
  set_defaults(out.flags, version);
  for (const auto& text : spec.etcd_options) {
    const auto option = api::split_option(text);
    const auto* flag = option ? api::find_etcd_flag(option->name) : nullptr;
    if (flag == nullptr || flag->owner != api::FlagOwner::kUser)
      return base::fail(
          base::Code::kInvalidArgument,
          fmt::format("etcd option '{}' is not one that may be set", text.substr(0, 80)));
    if (!out.flags.set(option->name, option->has_value ? option->value : "true"))
      out.left_out.push_back(text);
  }
  return out;
}

// FNV-1a, with a separator after each part, so that no two lists of parts meet.
class Digest {
 public:
  void add(std::string_view part) {
    for (const char c : part) step(static_cast<unsigned char>(c));
    step(0x1F);
  }
  [[nodiscard]] std::string text() const { return fmt::format("{:016x}", state_); }

 private:
  void step(std::uint8_t byte) {
    state_ ^= byte;
    state_ *= 0x100000001B3U;
  }
  std::uint64_t state_ = 0xCBF29CE484222325U;
};

}  // namespace

base::Result<std::vector<std::string>> etcd_args(const ClusterSpec& spec, const Version& version,
                                                 const MemberAddresses& addresses,
                                                 const TlsPaths& tls) {
  TRY(const auto applied, apply(spec, version, addresses, tls));
  return applied.flags.list();
}

std::vector<std::string> options_left_out(const ClusterSpec& spec, const Version& version) {
  const auto applied = apply(spec, version, {}, {});
  return applied ? applied->left_out : std::vector<std::string>();
}

std::string template_hash(const ClusterSpec& spec, std::string_view trust, api::Platform platform) {
  Digest digest;
  digest.add("template 1");
  // Canonical names and any order: neither an alias nor a new order restarts a member.
  std::vector<std::string> options;
  for (const auto& text : spec.etcd_options) {
    const auto option = api::split_option(text);
    const auto* flag = option ? api::find_etcd_flag(option->name) : nullptr;
    options.push_back(flag == nullptr ? text
                                      : fmt::format("{}={}", flag->name,
                                                    option->has_value ? option->value : "true"));
  }
  std::ranges::sort(options);
  for (const auto& option : options) digest.add(option);
  digest.add("tls");
  digest.add(trust);
  if (platform == api::Platform::kHost) return digest.text();
  digest.add("pod");
  digest.add(spec.image_repository);
  for (const auto& [name, value] : spec.pod.env) digest.add(name + "=" + value);
  for (const auto& [name, value] : spec.pod.labels) digest.add(name + "=" + value);
  for (const auto& [name, value] : spec.pod.annotations) digest.add(name + "=" + value);
  for (const auto& [name, value] : spec.pod.node_selector) digest.add(name + "=" + value);
  for (const auto& [name, value] : spec.pod.raw_json) digest.add(name + "=" + value);
  return digest.text();
}

}  // namespace render
