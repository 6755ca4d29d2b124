#include "adm/certificates.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "adm/user.h"
#include "api/names.h"
#include "pki/cert.h"
#include "pki/issue.h"
#include "posix/addresses.h"
#include "posix/files.h"
#include "posix/output_file.h"

namespace adm {
namespace {

using base::Code;

constexpr size_t kLimit = size_t{1} << 20;
constexpr base::Duration kCaLife = std::chrono::hours(24 * 365 * 10);
constexpr base::Duration kLeafLife = std::chrono::hours(24 * 365);
constexpr const char* kClient = "etcdctl-etcd-client";

std::string crt(const Host& host, std::string_view name) {
  return certificate_file(host, name);
}
std::string key(const Host& host, std::string_view name) {
  return key_file(host, name);
}

bool is_there(const std::string& file) {
  return posix::exists(file) == base::Fact<bool>(true);
}

// What the unit itself reads: the authority's key and the client's are root's alone.
bool is_units(std::string_view name) {
  return name == "server" || name == "peer";
}

pki::LeafRequest request_of(const Host& host, std::string_view name, base::Instant now) {
  pki::LeafRequest r;
  r.common_name = name == kClient ? "root" : host.name;
  // The retired tool's clients are of this organization.
  if (name == kClient) r.organization = "system:masters";
  r.now = now;
  r.life = kLeafLife;
  if (name == kClient) return r;
  r.dns = {"localhost"};
  if (!api::check_dns_name(host.name)) r.dns.push_back(host.name);
  r.ips = {"127.0.0.1", "::1", host.bind_address};
  for (const auto& san : host.extra_sans)
    (posix::kind_of_address(san) == posix::AddressKind::kNone ? r.dns : r.ips).push_back(san);
  for (auto* list : {&r.dns, &r.ips}) {
    std::ranges::sort(*list);
    list->erase(std::ranges::unique(*list).begin(), list->end());
  }
  return r;
}

// What is wrong with a leaf of this host; empty: nothing.
std::string fault_of(const Host& host, std::string_view name, base::Instant now) {
  const auto pair = read_pair(host, name);
  if (!pair) return pair.error().message;
  const auto matches = pki::key_matches(pair->key, pair->cert);
  if (!matches) return matches.error().message;
  if (!*matches) return "the key is not the certificate's";
  const auto ca = posix::read_file(crt(host, "ca"), kLimit);
  if (!ca) return ca.error().message;
  if (const auto held = pki::verify(pair->cert, *ca, now); !held) return held.error().message;
  if (name == kClient) return {};
  for (const auto& at : request_of(host, name, now).ips)
    if (const auto covers = pki::covers_host(pair->cert, at); !covers || !*covers)
      return "it is not valid for " + at;
  return {};
}

// A leaf that is there and wrong is a person's to look at: it may be their own.
base::Status make_leaves(const Host& host, base::Instant now) {
  // Who copied them may have copied them for himself alone.
  if (!host.user.empty())
    for (const char* name : {"ca", "server", "peer"})
      if (is_there(crt(host, name))) TRY_OK(posix::let_read(crt(host, name)));
  for (const char* name : kLeaves) {
    if (is_there(crt(host, name)) && is_there(key(host, name))) {
      const auto fault = fault_of(host, name, now);
      if (fault.empty()) {
        // Of a life in which another user had it, or brought by root.
        if (is_units(name)) TRY_OK(give_to_user(host, key(host, name)));
        continue;
      }
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("{}: {}; remove it to have a new one made, or see `etcdadm "
                                    "certs check`",
                                    crt(host, name), fault));
    }
    TRY(const auto ca, signing_authority(host));
    TRY_OK(write_leaf(host, ca, name, now));
  }
  return {};
}

LeafReport report_of(const Host& host, std::string_view name, base::Instant now,
                     base::Duration soon) {
  LeafReport out;
  out.name = name;
  const auto text = posix::read_file(crt(host, name), kLimit);
  const auto cert = text ? pki::parse_certificate(*text) : std::unexpected(text.error());
  if (!cert) {
    out.problem = cert.error().message;
    out.health = Health::kBad;
    return out;
  }
  out.expires = cert->not_after;
  out.fingerprint = cert->fingerprint;
  out.days = std::chrono::floor<std::chrono::days>(cert->not_after - now).count();
  if (name == "ca") {
    if (cert->not_after <= now) out.problem = "it has expired";
    if (!cert->is_ca) out.problem = "it is no authority";
  } else {
    out.problem = fault_of(host, name, now);
  }
  if (!out.problem.empty())
    out.health = Health::kBad;
  else if (cert->not_after - now <= soon)
    out.health = Health::kSoon;
  return out;
}

}  // namespace

std::string certificate_file(const Host& host, std::string_view name) {
  return fmt::format("{}/{}.crt", host.certs_dir, name);
}

std::string key_file(const Host& host, std::string_view name) {
  return fmt::format("{}/{}.key", host.certs_dir, name);
}

base::Result<pki::Pair> read_pair(const Host& host, std::string_view name) {
  TRY(auto cert, posix::read_file(crt(host, name), kLimit));
  TRY(auto secret, posix::read_file(key(host, name), kLimit));
  return pki::Pair{std::move(cert), std::move(secret)};
}

base::Status write_pair(const Host& host, std::string_view name, const pki::Pair& pair) {
  TRY(auto secret, posix::OutputFile::create(key(host, name), 0600));
  TRY(auto cert, posix::OutputFile::create(crt(host, name), 0644));
  TRY_OK(secret.write(pair.key));
  TRY_OK(cert.write(pair.cert));
  TRY(const auto user, user_of(host));
  if (user && is_units(name)) TRY_OK(secret.give_to(*user));
  TRY_OK(secret.sync());
  TRY_OK(cert.sync());
  TRY_OK(secret.commit());
  return cert.commit();
}

base::Status write_leaf(const Host& host, const pki::Pair& ca, std::string_view name,
                        base::Instant now) {
  TRY_IN(crt(host, name), const auto leaf, pki::issue(ca, request_of(host, name, now)));
  return write_pair(host, name, leaf);
}

base::Result<pki::Pair> signing_authority(const Host& host) {
  std::string_view name = "ca";
  if (is_there(crt(host, "ca-next"))) {
    TRY(const auto next, posix::read_file(crt(host, "ca-next"), kLimit));
    TRY_IN(crt(host, "ca-next"), const auto authority, pki::parse_certificate(next));
    // The leaf that is made last tells that every host was seen to trust it.
    const auto text = posix::read_file(crt(host, kLeaves.back()), kLimit);
    const auto leaf = text ? pki::parse_certificate(*text) : std::unexpected(text.error());
    if (leaf && leaf->authority_key_id == authority.subject_key_id) name = "ca-next";
  }
  TRY(auto ca, read_pair(host, name));
  TRY(const bool matches, pki::key_matches(ca.key, ca.cert));
  if (!matches)
    return base::fail(Code::kFailedPrecondition,
                      key(host, name) + " is not the key of " + crt(host, name));
  return ca;
}

base::Status make_certificates(const Host& host, base::Instant now) {
  TRY_OK(posix::make_dirs(host.certs_dir, 0755));
  if (!is_there(crt(host, "ca"))) {
    // What a former authority signed would not hold under a new one.
    for (const char* name : kLeaves)
      if (is_there(crt(host, name)))
        return base::fail(Code::kFailedPrecondition,
                          fmt::format("{} is there, but not the authority that signed it, {}: "
                                      "bring that, or remove the leaves",
                                      crt(host, name), crt(host, "ca")));
    TRY(const auto ca, pki::make_ca({"etcd-ca", now, kCaLife}));
    TRY_OK(write_pair(host, "ca", ca));
  }
  return make_leaves(host, now);
}

base::Status take_certificates(const Host& host, base::Instant now) {
  const bool all = std::ranges::all_of(kLeaves, [&](const char* name) {
    return is_there(crt(host, name)) && is_there(key(host, name));
  });
  if (!is_there(crt(host, "ca")) || (!all && !is_there(key(host, "ca"))))
    return base::fail(
        Code::kNotFound,
        fmt::format(
            "{0} lacks the cluster's authority. Either run the command that `etcdadm token "
            "create` prints on a member:\n"
            "  etcdadm join URL --token ID.SECRET --ca-cert-hash sha256:HEX\n"
            "or copy ca.crt and ca.key from a member's certificates folder:\n"
            "  scp root@MEMBER:/etc/etcd/pki/ca.{{crt,key}} {0}/\n"
            "or, to keep the key where it is, copy ca.crt and the pairs server, peer and {1} "
            "(.crt and .key), signed by it for {2} and {3}, into {0}.\n"
            "Then run the same command again. etcdadm never makes a new authority on join",
            host.certs_dir, kClient, host.name, host.bind_address));
  return make_leaves(host, now);
}

std::vector<LeafReport> check_certificates(const Host& host, base::Instant now,
                                           base::Duration soon) {
  std::vector<LeafReport> out{report_of(host, "ca", now, soon)};
  for (const char* name : kLeaves) out.push_back(report_of(host, name, now, soon));
  return out;
}

std::vector<std::string> due_certificates(const Host& host, base::Instant now,
                                          base::Duration within) {
  std::vector<std::string> out;
  for (const auto& leaf : check_certificates(host, now, within))
    if (leaf.name != "ca" && leaf.health != Health::kGood) out.push_back(leaf.name);
  return out;
}

base::Result<std::vector<std::string>> renew_certificates(const Host& host, base::Instant now,
                                                          base::Duration within) {
  auto due = due_certificates(host, now, within);
  if (due.empty()) return due;
  auto ca = signing_authority(host);
  if (!ca)
    return base::fail(Code::kFailedPrecondition,
                      "the authority's key is needed to sign: " + ca.error().message);
  for (const auto& name : due) TRY_OK(write_leaf(host, *ca, name, now));
  return due;
}

base::Result<etcd::Tls> client_tls(const std::string& certs_dir) {
  etcd::Tls tls;
  TRY(tls.ca, posix::read_file(certs_dir + "/ca.crt", kLimit));
  TRY(tls.cert, posix::read_file(fmt::format("{}/{}.crt", certs_dir, kClient), kLimit));
  TRY(tls.key, posix::read_file(fmt::format("{}/{}.key", certs_dir, kClient), kLimit));
  return tls;
}

render::TlsPaths server_tls(const Host& host) {
  const std::string ca = crt(host, "ca");
  return {{crt(host, "server"), key(host, "server"), ca},
          {crt(host, "peer"), key(host, "peer"), ca},
          {}};
}

}  // namespace adm
