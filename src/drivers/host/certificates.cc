#include "drivers/host/certificates.h"

#include <algorithm>
#include <utility>

#include "pki/cert.h"
#include "pki/issue.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{1} << 20;
constexpr base::Duration kCaLife = std::chrono::hours(24 * 365 * 10);
// Auth can be enabled without locking us out: etcd takes the name for its user of all rights.
constexpr const char* kOperatorName = "root";

bool is_there(const std::string& file) {
  return posix::exists(file) == base::Fact<bool>(true);
}

// Both PEM texts from a file that holds them.
base::Result<pki::Pair> read_pair(const std::string& file) {
  TRY(const std::string text, posix::read_file(file, kLimit));
  const auto key = text.find("-----BEGIN PRIVATE KEY-----");
  if (key == std::string::npos)
    return base::fail(base::Code::kDataLoss, file + " holds no private key");
  return pki::Pair{text.substr(0, key), text.substr(key)};
}

base::Status make_ca(const std::string& file, const std::string& name, base::Instant now) {
  if (is_there(file)) return {};
  TRY(const pki::Pair ca, pki::make_ca({name, now, kCaLife}));
  const auto made = posix::write_new(file, ca.cert + ca.key);
  if (!made && made.error().code == base::Code::kAlreadyExists) return {};
  return made;
}

base::Status copy_certificate(const std::string& ca_file, const std::string& to) {
  TRY(const pki::Pair ca, read_pair(ca_file));
  if (const auto old = posix::read_file(to, kLimit); old && *old == ca.cert) return {};
  return posix::write_atomic(to, ca.cert);
}

}  // namespace

base::Status Certificates::issue(const api::Tls& tls, const std::string& ca_file,
                                 const std::string& to, const std::string& common_name) {
  TRY(const pki::Pair ca, read_pair(ca_file));
  pki::LeafRequest request;
  request.common_name = common_name;
  if (!tls.organizations.empty()) request.organization = tls.organizations.front();
  request.dns = {"localhost"};
  if (common_name != kOperatorName) request.dns.push_back(common_name);
  request.dns.insert(request.dns.end(), tls.dns_names.begin(), tls.dns_names.end());
  request.ips = {"127.0.0.1"};
  request.ips.insert(request.ips.end(), tls.ip_addresses.begin(), tls.ip_addresses.end());
  for (auto* names : {&request.dns, &request.ips}) {
    std::ranges::sort(*names);
    names->erase(std::ranges::unique(*names).begin(), names->end());
  }
  request.now = clock_.now();
  request.life = tls.validity;
  TRY(const pki::Pair leaf, pki::issue(ca, request));
  return posix::write_atomic(to, leaf.cert + leaf.key);
}

base::Status Certificates::prepare_peer_ca(const std::string& incarnation) {
  TRY_OK(posix::make_dirs(cluster_.pki));
  return make_ca(peer_ca_file(cluster_, incarnation), "etcd-peer-ca-" + incarnation.substr(0, 40),
                 clock_.now());
}

base::Status Certificates::prepare_operator(const api::Tls& tls) {
  TRY_OK(posix::make_dirs(cluster_.pki));
  TRY_OK(make_ca(files_.client_ca, "etcd-client-ca", clock_.now()));
  if (is_there(files_.operator_leaf)) return {};
  return issue(tls, files_.client_ca, files_.operator_leaf, kOperatorName);
}

base::Status Certificates::renew_member(const api::Tls& tls, const std::string& name,
                                        const MemberFiles& member, const std::string& incarnation) {
  TRY_OK(prepare_operator(tls));
  TRY_OK(prepare_peer_ca(incarnation));
  TRY_OK(posix::make_dirs(member.tls));
  const LeafFiles to = leaf_files(member);
  const std::string peer_ca = peer_ca_file(cluster_, incarnation);
  TRY_OK(copy_certificate(files_.client_ca, to.client_ca));
  TRY_OK(copy_certificate(peer_ca, to.peer_ca));
  TRY_OK(issue(tls, files_.client_ca, to.server, name));
  return issue(tls, peer_ca, to.peer, name);
}

base::Status Certificates::prepare_member(const api::Tls& tls, const std::string& name,
                                          const MemberFiles& member,
                                          const std::string& incarnation) {
  const LeafFiles to = leaf_files(member);
  TRY_OK(prepare_peer_ca(incarnation));
  // The peer leaf is written last; one of another incarnation's authority does not count.
  if (is_there(to.server) && is_there(to.peer) && is_there(files_.operator_leaf)) {
    const auto leaf = posix::read_file(to.peer, kLimit);
    const auto ca = read_pair(peer_ca_file(cluster_, incarnation));
    if (leaf && ca && pki::verify(*leaf, ca->cert, clock_.now())) return {};
  }
  return renew_member(tls, name, member, incarnation);
}

base::Status Certificates::publish(const api::Tls& tls) {
  if (tls.mode != api::TlsMode::kDisabled) {
    TRY_OK(posix::make_dirs(files_.user_dir));
    TRY_OK(copy_certificate(files_.client_ca, files_.user_ca));
    const std::string name = tls.common_name.empty() ? "client" : tls.common_name;
    // Both in the certificate's file too, so that one rename replaces a pair; the key file is for
    // programs that want it apart.
    TRY_OK(issue(tls, files_.client_ca, files_.user_cert, name));
    TRY(const pki::Pair pair, read_pair(files_.user_cert));
    TRY_OK(posix::write_atomic(files_.user_key, pair.key));
  }
  if (published()) return {};
  return posix::write_atomic(files_.published, "");
}

base::Status Certificates::renew_clients(const api::Tls& tls) {
  TRY_OK(prepare_operator(tls));
  TRY_OK(issue(tls, files_.client_ca, files_.operator_leaf, kOperatorName));
  return published() ? publish(tls) : base::Status{};
}

bool Certificates::published() const {
  return is_there(files_.published);
}

base::Fact<LeafDates> Certificates::dates(const std::string& file) {
  const auto info = posix::file_info(file);
  if (!info && info.error().code == base::Code::kNotFound) return base::Fact<LeafDates>::absent();
  if (!info) return base::Fact<LeafDates>::unknown(info.error().message);
  const auto known = read_.find(file);
  if (known != read_.end() && known->second.inode == info->inode &&
      known->second.modified == info->modified)
    return known->second.dates;
  const auto text = posix::read_file(file, kLimit);
  if (!text) return base::Fact<LeafDates>::unknown(text.error().message);
  const auto cert = pki::parse_certificate(*text);
  if (!cert) return base::Fact<LeafDates>::unknown(file + ": " + cert.error().message);
  const LeafDates found{pki::renew_at(*cert), cert->not_after};
  read_[file] = {info->inode, info->modified, found};
  return found;
}

base::Fact<LeafDates> Certificates::member_dates(const MemberFiles& member) {
  const LeafFiles files = leaf_files(member);
  auto server = dates(files.server);
  auto peer = dates(files.peer);
  if (!server.known()) return server;
  if (!peer.known()) return peer;
  return LeafDates{std::min(server->renew_at, peer->renew_at),
                   std::min(server->expires, peer->expires)};
}

base::Fact<LeafDates> Certificates::client_dates(const api::Tls& tls) {
  auto own = dates(files_.operator_leaf);
  if (!own.known()) return own;
  if (!is_there(files_.user_cert)) {
    // The cluster was opened in plain text, and its users need a certificate now.
    if (published() && tls.mode != api::TlsMode::kDisabled)
      return LeafDates{base::Instant{}, own->expires};
    return own;
  }
  auto user = dates(files_.user_cert);
  if (!user.known()) return user;
  return LeafDates{std::min(own->renew_at, user->renew_at), std::min(own->expires, user->expires)};
}

base::Result<etcd::Tls> Certificates::operator_tls(const api::Tls& tls) {
  // Members may still, or already, take TLS although the mode is Disabled.
  if (tls.mode == api::TlsMode::kDisabled && !is_there(files_.operator_leaf)) return etcd::Tls{};
  TRY(const pki::Pair ca, read_pair(files_.client_ca));
  TRY(const pki::Pair own, read_pair(files_.operator_leaf));
  return etcd::Tls{ca.cert, own.cert, own.key, {}};
}

}  // namespace host
