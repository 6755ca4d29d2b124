// Certificates of the user's own in the members' places. etcd reads a leaf at each handshake and
// the list of whom it trusts when it starts, so a leaf comes in at once and a list by a restart;
// and neither before everybody gets on with it.
#include <fmt/format.h>

#include "base/text.h"
#include "drivers/host/certificates.h"
#include "drivers/host/members.h"
#include "pki/cert.h"
#include "posix/files.h"

namespace host {
namespace {

constexpr size_t kLimit = size_t{1} << 20;

// Empty: it is not there, or cannot be read.
std::string on_disk(const std::string& file) {
  return posix::read_file(file, kLimit).value_or("");
}

base::Status put(const std::string& text, const std::string& to, bool allowed) {
  const std::string old = on_disk(to);
  if (old == text || (!old.empty() && !allowed)) return {};
  return posix::write_atomic(to, text);
}

// An expired leaf keeps nobody from what comes in.
bool believes(const std::string& trust, const std::string& leaf, base::Instant now) {
  if (trust.empty() || leaf.empty()) return true;
  const auto cert = pki::parse_certificate(leaf);
  if (!cert || cert->not_after <= now) return true;
  return pki::verify(leaf, trust, now).has_value();
}

}  // namespace

void Certificates::set_own() {
  users_.reset();
  users_missing_ = false;
  user_problem_.clear();
}

void Certificates::set_users(base::Result<UserCertificates> users,
                             const std::vector<MemberFiles>& members) {
  set_own();
  if (!users) {
    users_missing_ = true;
    user_problem_ = users.error().message;
    return;
  }
  users_ = *std::move(users);
  judge_users(members);
}

void Certificates::judge_users(const std::vector<MemberFiles>& members) {
  const base::Instant now = clock_.now();
  allowed_ = {true, true, true, true, true, true};
  const std::string own = on_disk(files_.operator_leaf), servers = on_disk(files_.server_ca);
  if (users_->server) {
    allowed_.server = believes(servers, users_->server->pair, now);
    allowed_.server_trust = believes(users_->server->trust, own, now);
  }
  bool differs = users_->client && users_->client->pair != own && !own.empty();
  for (const MemberFiles& member : members) {
    const LeafFiles at = leaf_files(member);
    const std::string server = on_disk(at.server), clients = on_disk(at.client_ca);
    const std::string peer = on_disk(at.peer), peers = on_disk(at.peer_ca);
    if (users_->client) {
      allowed_.client = allowed_.client && believes(clients, users_->client->pair, now);
      allowed_.client_trust = allowed_.client_trust && believes(users_->client->trust, server, now);
    }
    if (users_->peer) {
      allowed_.peer = allowed_.peer && believes(peers, users_->peer->pair, now);
      allowed_.peer_trust = allowed_.peer_trust && believes(users_->peer->trust, peer, now);
    }
    differs =
        differs || (users_->peer && (users_->peer->pair != peer || users_->peer->trust != peers)) ||
        (users_->server && (users_->server->pair != server || users_->server->trust != clients));
  }
  std::vector<std::string> refused;
  const auto say = [&](bool allowed, const char* key, const char* why) {
    if (!allowed) refused.push_back(fmt::format("{} {}", key, why));
  };
  say(allowed_.peer_trust, "peer-ca.crt", "must go on vouching for the peer.crt in force");
  say(allowed_.server_trust, "server-ca.crt",
      "must go on vouching for the etcd-client.crt in force");
  say(allowed_.client_trust, "etcd-client-ca.crt",
      "must go on vouching for the server.crt in force");
  say(allowed_.peer, "peer.crt", "waits until every member trusts its authority");
  say(allowed_.server, "server.crt", "waits until its authority is in etcd-client-ca.crt");
  say(allowed_.client, "etcd-client.crt", "waits until every member trusts its authority");
  if (differs && !refused.empty())
    user_problem_ =
        base::join(refused, "; ") + ": put the old and the new authority into the lists first";
}

Certificates::Change Certificates::user_change(const MemberFiles& member) {
  Change out;
  if (!users_) return out;
  const LeafFiles at = leaf_files(member);
  const base::Instant now = clock_.now();
  const auto due = [&](const std::string& file) {
    const auto found = dates(file);
    return found.known() && found->renew_at <= now;
  };
  if (users_->server) {
    out.leaf |= allowed_.server && on_disk(at.server) != users_->server->pair;
    out.trust |= allowed_.server_trust && on_disk(at.client_ca) != users_->server->trust;
  } else {
    out.leaf |= due(at.server);
  }
  if (users_->peer) {
    out.leaf |= allowed_.peer && on_disk(at.peer) != users_->peer->pair;
    out.trust |= allowed_.peer_trust && on_disk(at.peer_ca) != users_->peer->trust;
  } else {
    out.leaf |= due(at.peer);
  }
  return out;
}

bool Certificates::client_change(const api::Tls& tls) {
  if (!users_) return false;
  if (!users_->client) {
    const auto own = client_dates(tls);
    return own.known() && own->renew_at <= clock_.now();
  }
  const bool leaf = allowed_.client && on_disk(files_.operator_leaf) != users_->client->pair;
  const bool trust = allowed_.client_trust && on_disk(files_.server_ca) != users_->client->trust;
  const bool unpublished =
      published() && tls.mode != api::TlsMode::kDisabled && on_disk(files_.user_cert).empty();
  return leaf || trust || unpublished;
}

base::Status Certificates::place_operator() {
  if (users_missing_) {
    if (!on_disk(files_.operator_leaf).empty()) return {};
    return base::fail(base::Code::kFailedPrecondition, user_problem_);
  }
  TRY_OK(posix::make_dirs(cluster_.pki));
  TRY_OK(put(users_->client->trust, files_.server_ca, allowed_.client_trust));
  return put(users_->client->pair, files_.operator_leaf, allowed_.client);
}

// The user's own client certificate is what users get: whoever has others uses those.
base::Status Certificates::place_client() {
  if (users_missing_) return base::fail(base::Code::kFailedPrecondition, user_problem_);
  TRY_OK(posix::make_dirs(files_.user_dir));
  TRY(const std::string pair, posix::read_file(files_.operator_leaf, kLimit));
  TRY(const std::string trust, posix::read_file(files_.server_ca, kLimit));
  TRY_OK(put(trust, files_.user_ca, true));
  TRY_OK(put(pair, files_.user_cert, true));
  const auto end = pair.rfind("-----END CERTIFICATE-----");
  const auto key = pair.find("-----BEGIN", end == std::string::npos ? pair.size() : end);
  if (key == std::string::npos)
    return base::fail(base::Code::kDataLoss, files_.operator_leaf + " holds no private key");
  return put(pair.substr(key), files_.user_key, true);
}

base::Status Certificates::place_own_server(const api::Tls& tls, const std::string& name,
                                            const LeafFiles& to, bool anew) {
  TRY(const Authority by, client_authority());
  if (!anew && !on_disk(to.server).empty()) return {};
  TRY_OK(put(by.trusted, to.client_ca, true));
  return issue(tls, by, to.server, name);
}

base::Status Certificates::place_own_peer(const api::Tls& tls, const std::string& name,
                                          const LeafFiles& to, const std::string& incarnation,
                                          bool anew) {
  TRY(const Authority by, peer_authority(incarnation));
  const std::string leaf = on_disk(to.peer);
  if (!anew && !leaf.empty() && pki::verify(leaf, by.trusted, clock_.now())) return {};
  TRY_OK(put(by.trusted, to.peer_ca, true));
  return issue(tls, by, to.peer, name);
}

base::Status Certificates::place_member(const api::Tls& tls, const std::string& name,
                                        const MemberFiles& member, const std::string& incarnation,
                                        bool anew) {
  const LeafFiles to = leaf_files(member);
  if (users_missing_) {
    if (!on_disk(to.server).empty() && !on_disk(to.peer).empty()) return {};
    return base::fail(base::Code::kFailedPrecondition, user_problem_);
  }
  TRY_OK(posix::make_dirs(member.tls));
  // What a running etcd believes is what was there when it started, and must stay readable as such.
  const auto alive = is_alive(member);
  const bool down = alive.is_absent() || alive == base::Fact<bool>(false);
  if (users_->server) {
    TRY_OK(put(users_->server->trust, to.client_ca, down && allowed_.server_trust));
    TRY_OK(put(users_->server->pair, to.server, allowed_.server));
  } else {
    TRY_OK(place_own_server(tls, name, to, anew));
  }
  if (!users_->peer) return place_own_peer(tls, name, to, incarnation, anew);
  TRY_OK(put(users_->peer->trust, to.peer_ca, down && allowed_.peer_trust));
  return put(users_->peer->pair, to.peer, allowed_.peer);
}

}  // namespace host
