#include "drivers/kube/certificates.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/base64.h"
#include "drivers/kube/sight.h"
#include "pki/cert.h"

namespace k8s {
namespace {

constexpr base::Duration kKeep = std::chrono::minutes(10);
constexpr base::Duration kCaLife = std::chrono::hours(24 * 365 * 10);
// Auth can be enabled without locking us out: etcd takes the name for its user of all rights.
constexpr const char* kOperatorName = "root";
constexpr const char *kCert = "tls.crt", *kKey = "tls.key", *kTrust = "ca.crt";
constexpr const char *kNextCert = "next.crt", *kNextKey = "next.key", *kOf = "incarnation";
constexpr size_t kLongestName = 64;  // of a certificate
constexpr size_t kStem = 50;         // of an authority's name, which its successor shares

std::string stamp(base::Instant now) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count());
}

std::string at(const std::map<std::string, std::string>& texts, const std::string& key) {
  const auto found = texts.find(key);
  return found == texts.end() ? std::string() : found->second;
}

std::vector<std::string> unique(std::vector<std::string> names) {
  std::ranges::sort(names);
  names.erase(std::ranges::unique(names).begin(), names.end());
  return names;
}

bool covers_all(const std::string& cert, const std::vector<std::string>& names) {
  const auto read = pki::parse_certificate(cert);
  if (!read) return false;
  return std::ranges::all_of(names, [&](const auto& name) {
    return std::ranges::find(read->dns, name) != read->dns.end();
  });
}

base::Fact<LeafDates> earlier(const base::Fact<LeafDates>& a, const base::Fact<LeafDates>& b) {
  if (!a.known()) return a;
  if (!b.known()) return b;
  return LeafDates{std::min(a->renew_at, b->renew_at), std::min(a->expires, b->expires)};
}

}  // namespace

const Certificates::Kept* Certificates::kept(const std::string& name) const {
  const auto known = kept_.find(name);
  if (known == kept_.end() || clock_.tick() - known->second.at >= kKeep) return nullptr;
  return &known->second;
}

Certificates::Fetched Certificates::keep(const std::string& name,
                                         const std::optional<json::Value>& object) {
  // What is not there yet may come at any time.
  if (!object) return std::optional<Texts>();
  Texts texts;
  const auto* data = object->find("data");
  if (data != nullptr && data->is_object())
    for (const auto& [key, value] : *data->if_object())
      if (const auto* text = value.if_string())
        texts[key] = base::decode_base64(*text).value_or("");
  kept_[name] = {texts, clock_.tick(), owner_uid(*object)};
  return std::optional(std::move(texts));
}

Certificates::Fetched Certificates::theirs(const std::string& name, const std::stop_token& stop) {
  if (const auto* known = kept(name)) return known->texts;
  TRY_IN("read Secret " + name, const auto object, objects_.read(kube::kSecrets, name, stop));
  return keep(name, object);
}

Certificates::Fetched Certificates::ours(const std::string& name, const std::string& owner,
                                         const std::stop_token& stop) {
  if (const auto* known = kept(name); known != nullptr && (owner.empty() || known->owner == owner))
    return known->texts;
  TRY_IN("read Secret " + name, const auto object,
         objects_.read_ours(kube::kSecrets, name, owner, stop));
  return keep(name, object);
}

base::Status Certificates::store(const Scope& scope, const std::string& name, const Texts& texts) {
  kept_.erase(name);
  TRY_OK(objects_.ensure(kube::kSecrets, render::cluster_secret(scope.cluster, name, texts),
                         scope.stop));
  kept_[name] = {texts, clock_.tick(), scope.cluster.uid};
  return {};
}

// A member reads whom it trusts when it starts, and its leaf at every handshake: leaves of an
// authority that replaces one which only got lost would cut every member that runs off from all
// others, and from us.
base::Status Certificates::may_begin(const Scope& scope, const std::string& name,
                                     const std::string& common_name) {
  if (scope.record.formation != plan::Formation::kLatched) return {};
  const bool peers = name == names_.peer_ca();
  for (const auto& leaf : peers ? std::vector{names_.peer_tls()}
                                : std::vector{names_.server_tls(), names_.operator_tls()}) {
    TRY(const auto texts, ours(scope, leaf));
    const auto trusted = pki::parse_certificate(at(texts.value_or(Texts{}), kTrust));
    if (!trusted) continue;
    // Peers of another incarnation are cut off with intent.
    if (peers && !trusted->common_name.starts_with(common_name.substr(0, kStem))) continue;
    return base::fail(
        base::Code::kFailedPrecondition,
        fmt::format("the authority in Secret {0} is gone, or cannot be read, and the certificates "
                    "in {1} are of it: members that run would trust no other. Put {0} back; if it "
                    "is lost for good, see CertificateRenewal in the runbook",
                    name, leaf));
  }
  return {};
}

// A new authority that is there is always trusted. It signs once every member trusts it, and takes
// the old one's place when no leaf of that is left. `incarnation`: whose it must be; empty: any.
base::Result<Certificates::Authority> Certificates::authority(const Scope& scope,
                                                              const std::string& name,
                                                              const std::string& common_name,
                                                              const std::string& incarnation) {
  using plan::RotationPhase;
  const auto phase = scope.record.rotation.phase;
  const auto now = clock_.now();
  TRY(const auto found, ours(scope, name));
  Texts texts = found.value_or(Texts{});
  bool changed = false;
  const bool is_there = pki::parse_certificate(at(texts, kCert)).has_value();
  if (!is_there || at(texts, kOf) != incarnation) {
    if (!is_there) TRY_OK(may_begin(scope, name, common_name));
    TRY(const pki::Pair made, pki::make_ca({common_name, now, kCaLife}));
    texts = {{kCert, made.cert}, {kKey, made.key}};
    if (!incarnation.empty()) texts[kOf] = incarnation;
    changed = true;
  }
  const bool begins = phase == RotationPhase::kPrepare || phase == RotationPhase::kTrust;
  if (begins && at(texts, kNextCert).empty()) {
    const auto next_name = fmt::format("{:.{}}-{}", common_name, kStem, stamp(now));
    TRY(const pki::Pair made, pki::make_ca({next_name, now, kCaLife}));
    texts[kNextCert] = made.cert;
    texts[kNextKey] = made.key;
    changed = true;
  }
  if (phase == RotationPhase::kDrop && !at(texts, kNextCert).empty()) {
    texts[kCert] = at(texts, kNextCert);
    texts[kKey] = at(texts, kNextKey);
    texts.erase(kNextCert);
    texts.erase(kNextKey);
    changed = true;
  }
  if (changed) TRY_OK(store(scope, name, texts));
  const pki::Pair present{at(texts, kCert), at(texts, kKey)};
  const pki::Pair next{at(texts, kNextCert), at(texts, kNextKey)};
  const bool signs = phase == RotationPhase::kReissue || phase == RotationPhase::kReissued;
  return Authority{present.cert + next.cert, signs && !next.cert.empty() ? next : present};
}

base::Result<Certificates::Authority> Certificates::client_authority(const Scope& scope) {
  return authority(scope, names_.client_ca(), "etcd-client-ca", "");
}

base::Result<Certificates::Authority> Certificates::peer_authority(const Scope& scope,
                                                                   const std::string& incarnation) {
  return authority(scope, names_.peer_ca(), "etcd-peer-ca-" + incarnation.substr(0, 40),
                   incarnation);
}

base::Status Certificates::prepare_peer_authority(const Scope& scope) {
  TRY_OK(peer_authority(scope, scope.record.incarnation));
  return {};
}

base::Status Certificates::leaf(const Scope& scope, const Authority& by, const Wanted& wanted) {
  const auto& tls = scope.cluster.spec.tls;
  const auto now = clock_.now();
  pki::LeafRequest request;
  request.common_name = wanted.common_name.substr(0, kLongestName);
  if (!tls.organizations.empty()) request.organization = tls.organizations.front();
  if (wanted.for_members) {
    request.dns = unique(render::certificate_names(scope.cluster, platform_));
    request.ips = tls.ip_addresses;
    request.ips.emplace_back("127.0.0.1");
    request.ips = unique(std::move(request.ips));
  }
  request.now = now;
  request.life = tls.validity;
  TRY(const auto found, ours(scope, wanted.secret));
  Texts texts = found.value_or(Texts{});
  const auto cert = at(texts, kCert);
  const bool good = !cert.empty() && pki::verify(cert, by.trusted, now) &&
                    pki::key_matches(at(texts, kKey), cert).value_or(false) &&
                    covers_all(cert, request.dns);
  if (good && !wanted.anew && at(texts, kTrust) == by.trusted) return {};
  if (!good || wanted.anew) {
    TRY(const pki::Pair made, pki::issue(by.signer, request));
    texts = {{kCert, made.cert}, {kKey, made.key}};
  }
  texts[kTrust] = by.trusted;
  return store(scope, wanted.secret, texts);
}

base::Status Certificates::members(const Scope& scope, const std::string& incarnation, bool anew) {
  const auto& tls = scope.cluster.spec.tls;
  const bool users = tls.provider == api::TlsProvider::kUserSecrets;
  if (!users || tls.server_secret.empty()) {
    TRY(const auto clients, client_authority(scope));
    const auto& name = scope.cluster.key.name;
    TRY_OK(leaf(scope, clients, {names_.server_tls(), name, true, anew}));
  }
  if (!users || tls.peer_secret.empty()) {
    TRY(const auto peers, peer_authority(scope, incarnation));
    TRY_OK(leaf(scope, peers, {names_.peer_tls(), scope.cluster.key.name, true, anew}));
  }
  if (users && !tls.operator_secret.empty()) return {};
  TRY(const auto clients, client_authority(scope));
  return leaf(scope, clients, {names_.operator_tls(), kOperatorName, false, false});
}

base::Status Certificates::prepare(const Scope& scope, const std::string& incarnation) {
  return members(scope, incarnation, false);
}

base::Status Certificates::renew_members(const Scope& scope, const std::string& incarnation) {
  return members(scope, incarnation, true);
}

base::Status Certificates::renew_clients(const Scope& scope) {
  const auto& tls = scope.cluster.spec.tls;
  if (tls.provider == api::TlsProvider::kUserSecrets && !tls.operator_secret.empty()) return {};
  TRY_OK(peer_authority(scope, scope.record.incarnation));  // a rotation begins here for both
  TRY(const auto clients, client_authority(scope));
  TRY_OK(leaf(scope, clients, {names_.operator_tls(), kOperatorName, false, true}));
  TRY(const auto users, ours(scope, names_.client_tls()));
  return users ? publish(scope) : base::Status{};
}

base::Status Certificates::publish(const Scope& scope) {
  const auto& tls = scope.cluster.spec.tls;
  if (tls.mode == api::TlsMode::kDisabled) return {};
  if (tls.provider == api::TlsProvider::kUserSecrets && !tls.operator_secret.empty()) return {};
  TRY(const auto clients, client_authority(scope));
  const std::string name = tls.common_name.empty() ? "client" : tls.common_name;
  return leaf(scope, clients, {names_.client_tls(), name, false, true});
}

base::Fact<LeafDates> Certificates::dates(const Scope& scope, const std::string& name) {
  using Dates = base::Fact<LeafDates>;
  const auto texts = ours(scope, name);
  if (!texts) return Dates::unknown(texts.error().message);
  if (!*texts || at(**texts, kCert).empty()) return Dates::absent();
  // A certificate is read once: in a look at a cluster at rest nothing else takes as long.
  auto& kept_dates = kept_.at(name).dates;
  if (kept_dates) return *kept_dates;
  const auto cert = pki::parse_certificate(at(**texts, kCert));
  if (!cert) return Dates::unknown(name + ": " + cert.error().message);
  kept_dates = LeafDates{pki::renew_at(*cert), cert->not_after};
  return *kept_dates;
}

base::Fact<LeafDates> Certificates::member_dates(const Scope& scope) {
  const auto& tls = scope.cluster.spec.tls;
  const bool users = tls.provider == api::TlsProvider::kUserSecrets;
  const bool own_server = !users || tls.server_secret.empty();
  const bool own_peer = !users || tls.peer_secret.empty();
  if (own_server && own_peer)
    return earlier(dates(scope, names_.server_tls()), dates(scope, names_.peer_tls()));
  if (!own_server && !own_peer) return base::Fact<LeafDates>::unknown("they are the user's own");
  return dates(scope, own_server ? names_.server_tls() : names_.peer_tls());
}

base::Fact<LeafDates> Certificates::client_dates(const Scope& scope) {
  const auto& tls = scope.cluster.spec.tls;
  if (tls.provider == api::TlsProvider::kUserSecrets && !tls.operator_secret.empty())
    return base::Fact<LeafDates>::unknown("it is the user's own");
  const auto own = dates(scope, names_.operator_tls());
  const auto users = dates(scope, names_.client_tls());
  return users.is_absent() ? own : earlier(own, users);
}

base::Fact<base::Instant> Certificates::authority_renew_at(const Scope& scope) {
  const auto both = earlier(dates(scope, names_.client_ca()), dates(scope, names_.peer_ca()));
  if (both.known()) return both->renew_at;
  return both.is_absent() ? base::Fact<base::Instant>::absent()
                          : base::Fact<base::Instant>::unknown(both.why());
}

std::string Certificates::user_problem(const Scope& scope) {
  const auto& tls = scope.cluster.spec.tls;
  if (tls.provider != api::TlsProvider::kUserSecrets) return {};
  struct Side {
    std::string secret, prefix;
  };
  for (const auto& side : {Side{tls.peer_secret, "peer"}, Side{tls.server_secret, "server"},
                           Side{tls.operator_secret, "etcd-client"}}) {
    if (side.secret.empty()) continue;
    const auto texts = theirs(side.secret, scope.stop);
    if (!texts) return texts.error().message;
    if (!*texts) return fmt::format("Secret {} is not there", side.secret);
    for (const auto* key : {".crt", ".key", "-ca.crt"})
      if (at(**texts, side.prefix + key).empty()) {
        kept_.erase(side.secret);  // what it lacks may come at any time
        return fmt::format("Secret {} lacks the key {}{}", side.secret, side.prefix, key);
      }
  }
  return {};
}

base::Result<etcd::Tls> Certificates::operator_tls(const api::Tls& tls,
                                                   const std::stop_token& stop) {
  const bool users = tls.provider == api::TlsProvider::kUserSecrets && !tls.operator_secret.empty();
  TRY(const auto texts,
      users ? theirs(tls.operator_secret, stop) : ours(names_.operator_tls(), /*owner=*/"", stop));
  if (!texts) {
    if (tls.mode == api::TlsMode::kDisabled) return etcd::Tls{};
    return base::fail(base::Code::kNotFound, "there is no client certificate yet");
  }
  if (users)
    return etcd::Tls{at(*texts, "etcd-client-ca.crt"),
                     at(*texts, "etcd-client.crt"),
                     at(*texts, "etcd-client.key"),
                     {}};
  return etcd::Tls{at(*texts, kTrust), at(*texts, kCert), at(*texts, kKey), {}};
}

}  // namespace k8s
