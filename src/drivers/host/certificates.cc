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

// Both PEM texts from a file that holds them: first the certificate, then the key, in whatever form
// a user has it.
base::Result<pki::Pair> read_pair(const std::string& file) {
  TRY(const std::string text, posix::read_file(file, kLimit));
  const auto end = text.rfind("-----END CERTIFICATE-----");
  const auto key = text.find("-----BEGIN", end == std::string::npos ? text.size() : end);
  if (key == std::string::npos)
    return base::fail(base::Code::kDataLoss, file + " holds no private key");
  return pki::Pair{text.substr(0, key), text.substr(key)};
}

// Two authorities that are trusted at a time have two names.
std::string stamp(base::Instant now) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
}

base::Status make_ca(const std::string& file, const std::string& name, base::Instant now) {
  TRY(const pki::Pair ca, pki::make_ca({name, now, kCaLife}));
  const auto made = posix::write_new(file, ca.cert + ca.key);
  if (!made && made.error().code == base::Code::kAlreadyExists) return {};
  return made;
}

// A look that failed is an error: what cannot be seen may be there.
base::Result<bool> is_surely_there(const std::string& file) {
  const auto found = posix::exists(file);
  if (!found.known()) return base::fail(base::Code::kUnavailable, file + ": " + found.why());
  return *found;
}

base::Status copy_text(const std::string& text, const std::string& to) {
  if (const auto old = posix::read_file(to, kLimit); old && *old == text) return {};
  return posix::write_atomic(to, text);
}

}  // namespace

base::Status Certificates::begin(const Place& place) const {
  TRY_OK(posix::make_dirs(cluster_.pki));
  TRY(const bool there, is_surely_there(place.file));
  if (there) return {};
  TRY_OK(may_begin(place));
  return make_ca(place.file, place.name, clock_.now());
}

base::Status Certificates::begin_next(const Place& place) const {
  using plan::RotationPhase;
  if (phase_ == RotationPhase::kNone || phase_ == RotationPhase::kDrop) return {};
  TRY(const bool there, is_surely_there(next_file(place.file)));
  if (there) return {};
  TRY_OK(may_begin_next(place));
  if (phase_ != RotationPhase::kPrepare && phase_ != RotationPhase::kTrust) return {};
  return make_ca(next_file(place.file), place.next_stem + stamp(clock_.now()), clock_.now());
}

// A new authority that is there is always trusted. It signs once every member trusts it, and takes
// the old one's place when no leaf of that is left.
base::Result<Authority> Certificates::authority(const Place& place) {
  using plan::RotationPhase;
  const std::string next = next_file(place.file);
  if (phase_ == RotationPhase::kDrop && is_there(next)) TRY_OK(posix::rename(next, place.file));
  TRY(pki::Pair present, read_pair(place.file));
  if (!is_there(next)) return Authority{present.cert, present};
  TRY(pki::Pair fresh, read_pair(next));
  const bool signs = phase_ == RotationPhase::kReissue || phase_ == RotationPhase::kReissued;
  return Authority{present.cert + fresh.cert, signs ? fresh : present};
}

base::Result<Authority> Certificates::client_authority() {
  const Place place = client_place();
  TRY_OK(begin(place));
  TRY_OK(begin_next(place));
  return authority(place);
}

// An incarnation that began while the leaves were issued anew has an authority that is new anyway.
base::Result<Authority> Certificates::peer_authority(const std::string& incarnation) {
  const Place place = peer_place(incarnation);
  TRY_OK(begin(place));
  TRY_OK(begin_next(place));
  return authority(place);
}

base::Status Certificates::issue(const api::Tls& tls, const Authority& by, const std::string& to,
                                 const std::string& common_name) {
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
  TRY(const pki::Pair leaf, pki::issue(by.signer, request));
  return posix::write_atomic(to, leaf.cert + leaf.key);
}

base::Status Certificates::prepare_peer_ca(const std::string& incarnation) {
  return begin(peer_place(incarnation));
}

base::Status Certificates::prepare_operator(const api::Tls& tls) {
  if (users_missing_ || (users_ && users_->client)) return place_operator();
  TRY(const Authority by, client_authority());
  // Of a formation whose authority got lost, which began another.
  const auto own = posix::read_file(files_.operator_leaf, kLimit);
  const bool foreign = !latched_ && own && !pki::verify(*own, by.trusted, clock_.now());
  if (is_there(files_.operator_leaf) && !foreign) return {};
  return issue(tls, by, files_.operator_leaf, kOperatorName);
}

base::Status Certificates::renew_member(const api::Tls& tls, const std::string& name,
                                        const MemberFiles& member, const std::string& incarnation) {
  TRY_OK(prepare_operator(tls));
  if (is_users()) return place_member(tls, name, member, incarnation, true);
  TRY(const Authority clients, client_authority());
  TRY(const Authority peers, peer_authority(incarnation));
  TRY_OK(posix::make_dirs(member.tls));
  const LeafFiles to = leaf_files(member);
  TRY_OK(copy_text(clients.trusted, to.client_ca));
  TRY_OK(copy_text(peers.trusted, to.peer_ca));
  TRY_OK(issue(tls, clients, to.server, name));
  return issue(tls, peers, to.peer, name);
}

base::Status Certificates::prepare_member(const api::Tls& tls, const std::string& name,
                                          const MemberFiles& member,
                                          const std::string& incarnation) {
  if (is_users()) {
    TRY_OK(prepare_operator(tls));
    return place_member(tls, name, member, incarnation, false);
  }
  const auto done = complete_member(tls, name, member, incarnation);
  // What is in force goes on when its authority is lost; in a rotation more than that is asked for.
  const bool lost = !done && done.error().code == base::Code::kFailedPrecondition;
  if (lost && phase_ == plan::RotationPhase::kNone && is_in_order(member, incarnation)) return {};
  return done;
}

base::Status Certificates::complete_member(const api::Tls& tls, const std::string& name,
                                           const MemberFiles& member,
                                           const std::string& incarnation) {
  const LeafFiles to = leaf_files(member);
  TRY(const Authority peers, peer_authority(incarnation));
  // The peer leaf is written last; one of another incarnation's authority does not count.
  if (is_there(to.server) && is_there(to.peer) && is_there(files_.operator_leaf)) {
    TRY(const Authority clients, client_authority());
    const auto server = posix::read_file(to.server, kLimit);
    const auto peer = posix::read_file(to.peer, kLimit);
    if (server && peer && pki::verify(*server, clients.trusted, clock_.now()) &&
        pki::verify(*peer, peers.trusted, clock_.now())) {
      TRY_OK(copy_text(clients.trusted, to.client_ca));
      return copy_text(peers.trusted, to.peer_ca);
    }
  }
  return renew_member(tls, name, member, incarnation);
}

base::Status Certificates::publish(const api::Tls& tls) {
  if (tls.mode != api::TlsMode::kDisabled && (users_missing_ || (users_ && users_->client))) {
    TRY_OK(place_client());
  } else if (tls.mode != api::TlsMode::kDisabled) {
    TRY(const Authority by, client_authority());
    TRY_OK(posix::make_dirs(files_.user_dir));
    TRY_OK(copy_text(by.trusted, files_.user_ca));
    const std::string name = tls.common_name.empty() ? "client" : tls.common_name;
    // Both in the certificate's file too, so that one rename replaces a pair; the key file is for
    // programs that want it apart.
    TRY_OK(issue(tls, by, files_.user_cert, name));
    TRY(const pki::Pair pair, read_pair(files_.user_cert));
    TRY_OK(posix::write_atomic(files_.user_key, pair.key));
  }
  if (published()) return {};
  return posix::write_atomic(files_.published, "");
}

base::Status Certificates::renew_clients(const api::Tls& tls, const std::string& incarnation) {
  if (users_missing_ || (users_ && users_->client)) {
    TRY_OK(place_operator());
    return published() ? publish(tls) : base::Status{};
  }
  TRY_OK(peer_authority(incarnation));  // a rotation begins here, for peers too
  TRY(const Authority by, client_authority());
  TRY_OK(issue(tls, by, files_.operator_leaf, kOperatorName));
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
  LeafDates out{std::min(server->renew_at, peer->renew_at),
                std::min(server->expires, peer->expires)};
  // Of the user's own a person is told; our side beside it we renew ourselves (user_change).
  if (users_ && !users_->server) out.renew_at = peer->renew_at;
  if (users_ && !users_->peer) out.renew_at = server->renew_at;
  return out;
}

base::Fact<base::Instant> Certificates::authority_renew_at(const std::string& incarnation) {
  base::Fact<base::Instant> out = base::Fact<base::Instant>::absent();
  for (const auto& file : {files_.client_ca, peer_ca_file(cluster_, incarnation)}) {
    const auto found = dates(file);
    if (!found.known()) return base::Fact<base::Instant>::unknown(file);
    if (!out.known() || found->renew_at < *out) out = found->renew_at;
  }
  return out;
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
  if (is_users() && is_there(files_.server_ca)) {
    TRY(const std::string trusted, posix::read_file(files_.server_ca, kLimit));
    TRY(const pki::Pair users, read_pair(files_.operator_leaf));
    return etcd::Tls{trusted, users.cert, users.key, {}};
  }
  TRY(const pki::Pair own, read_pair(files_.operator_leaf));
  auto by = authority(client_place());
  if (by) return etcd::Tls{by->trusted, own.cert, own.key, {}};
  // What got lost signs nothing more; what is of it goes on.
  if (by.error().code != base::Code::kNotFound) return std::unexpected(by.error());
  TRY(std::string trusted, trusted_by_members());
  if (trusted.empty()) return std::unexpected(by.error());
  return etcd::Tls{std::move(trusted), own.cert, own.key, {}};
}

}  // namespace host
