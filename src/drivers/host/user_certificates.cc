#include "drivers/host/user_certificates.h"

#include <fmt/format.h>

#include "pki/cert.h"

namespace host {
namespace {

using base::Code;

constexpr const char* kHere = "127.0.0.1";

struct Keys {
  const char *cert, *key, *trust;
};
constexpr Keys kServer{"server.crt", "server.key", "server-ca.crt"};
constexpr Keys kClient{"etcd-client.crt", "etcd-client.key", "etcd-client-ca.crt"};
constexpr Keys kPeer{"peer.crt", "peer.key", "peer-ca.crt"};

base::Result<std::string> text_of(const api::Secret& secret, const char* key) {
  const auto at = secret.data.find(key);
  if (at == secret.data.end() || at->second.empty())
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("Secret {} has no {}", secret.key.text(), key));
  std::string text = at->second;
  if (text.back() != '\n') text += '\n';
  return text;
}

base::Status check_leaf(const std::string& cert, const std::string& key, bool serves, bool dials,
                        base::Instant now) {
  TRY(const auto leaf, pki::parse_certificate(cert));
  TRY(const bool pair, pki::key_matches(key, cert));
  const auto wrong = [](std::string text) {
    return base::fail(Code::kFailedPrecondition, std::move(text));
  };
  if (!pair) return wrong("is not of the key beside it");
  if (leaf.not_after <= now) return wrong("has expired on " + base::to_rfc3339(leaf.not_after));
  if (leaf.not_before > now) return wrong("is valid from " + base::to_rfc3339(leaf.not_before));
  if (serves && !leaf.server_auth) return wrong("is not for servers (extended key usage)");
  if (dials && !leaf.client_auth) return wrong("is not for clients (extended key usage)");
  if (!serves) return {};
  TRY(const bool covers, pki::covers_host(cert, kHere));
  if (!covers)
    return wrong(fmt::format("does not name {}, where members listen, in its IP addresses", kHere));
  return {};
}

base::Result<UserLeaf> read_leaf(const std::string& ns, const std::string& name, const Keys& keys,
                                 bool serves, bool dials, const SecretSource& secrets,
                                 base::Instant now) {
  const auto secret = secrets({ns, name});
  if (secret.is_unknown()) return base::fail(Code::kUnavailable, secret.why());
  if (secret.is_absent())
    return base::fail(Code::kNotFound,
                      fmt::format("there is no Secret {} among the manifests, or others can read "
                                  "its file",
                                  base::ClusterKey{ns, name}.text()));
  TRY(const std::string cert, text_of(*secret, keys.cert));
  TRY(const std::string key, text_of(*secret, keys.key));
  TRY(std::string trust, text_of(*secret, keys.trust));
  const auto at = [&](const char* which) {
    return fmt::format("Secret {}, {}", secret->key.text(), which);
  };
  if (const auto good = check_leaf(cert, key, serves, dials, now); !good)
    return std::unexpected(good.error().in(at(keys.cert)));
  if (const auto bundle = pki::parse_bundle(trust); !bundle)
    return std::unexpected(bundle.error().in(at(keys.trust)));
  return UserLeaf{cert + key, std::move(trust)};
}

base::Status believes(const UserLeaf& who, const UserLeaf& whom, const std::string& words,
                      base::Instant now) {
  const auto good = pki::verify(whom.pair, who.trust, now);
  if (good) return {};
  return base::fail(Code::kFailedPrecondition, words + ": " + good.error().message);
}

}  // namespace

base::Result<UserCertificates> read_user_certificates(const api::Tls& tls, const std::string& ns,
                                                      const SecretSource& secrets,
                                                      base::Instant now) {
  UserCertificates out;
  if (!tls.peer_secret.empty()) {
    TRY(out.peer, read_leaf(ns, tls.peer_secret, kPeer, true, true, secrets, now));
    TRY_OK(believes(*out.peer, *out.peer,
                    "Secret " + tls.peer_secret + ", peer-ca.crt does not vouch for peer.crt",
                    now));
  }
  if (tls.server_secret.empty()) return out;
  TRY(out.server, read_leaf(ns, tls.server_secret, kServer, true, false, secrets, now));
  TRY(out.client, read_leaf(ns, tls.operator_secret, kClient, false, true, secrets, now));
  TRY_OK(believes(*out.client, *out.server,
                  "etcd-client-ca.crt of Secret " + tls.operator_secret +
                      " does not vouch for server.crt of Secret " + tls.server_secret,
                  now));
  TRY_OK(believes(*out.server, *out.client,
                  "server-ca.crt of Secret " + tls.server_secret +
                      " does not vouch for etcd-client.crt of Secret " + tls.operator_secret,
                  now));
  return out;
}

}  // namespace host
