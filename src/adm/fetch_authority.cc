#include "adm/fetch_authority.h"

#include <fmt/format.h>

#include <algorithm>

#include "adm/channel.h"
#include "adm/checks.h"
#include "base/text.h"
#include "pki/cert.h"
#include "posix/files.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kAll{20'000};
constexpr size_t kFile = size_t{1} << 18;

base::Result<std::string> token_text(const Flags& flags) {
  if (flags.token_file.empty()) return flags.token;
  if (!flags.token.empty())
    return base::fail(Code::kInvalidArgument, "--token and --token-file exclude each other");
  TRY_IN("--token-file", const auto text, posix::read_file(flags.token_file, 4096));
  return std::string(base::trim(text));
}

// Whoever answers is a host of that cluster, and the one that was asked for.
base::Status check_chain(const std::vector<std::string>& chain, const Endpoint& at,
                         const std::string& hash, base::Instant now) {
  const std::string where = fmt::format("{} port {}", at.host, at.port);
  if (chain.empty()) return base::fail(Code::kFailedPrecondition, where + " shows no certificate");
  const std::string* authority = nullptr;
  std::string seen;
  for (const auto& pem : chain) {
    TRY_IN(where, const auto cert, pki::parse_certificate(pem));
    if (cert.fingerprint == hash && cert.is_ca) authority = &pem;
    if (cert.is_ca) seen += (seen.empty() ? "sha256:" : ", sha256:") + cert.fingerprint;
  }
  if (authority == nullptr)
    return base::fail(
        Code::kFailedPrecondition,
        fmt::format("{} is not of the cluster of --ca-cert-hash sha256:{}: it shows {}. Nothing "
                    "was sent to it. Is it another cluster, or was the hash copied wrong?",
                    where, hash, seen.empty() ? "no authority" : seen));
  if (const auto held = pki::verify(chain.front(), *authority, now); !held)
    return base::fail(Code::kFailedPrecondition,
                      fmt::format("the certificate of {}: {}. Are the clocks of both hosts right?",
                                  where, held.error().message));
  TRY(const bool covers, pki::covers_host(chain.front(), at.host));
  if (covers) return {};
  TRY(const auto cert, pki::parse_certificate(chain.front()));
  auto names = cert.dns;
  names.insert(names.end(), cert.ips.begin(), cert.ips.end());
  return base::fail(Code::kFailedPrecondition,
                    fmt::format("the certificate of {} is not for that name but for {}: use one of "
                                "these in the URL",
                                where, base::join(names, ", ")));
}

// The authority itself, and that its key is its own.
base::Status check_handed(const Handed& handed, const std::string& hash) {
  const auto cert = handed.certs.find("ca.crt");
  const auto key = handed.keys.find("ca.key");
  if (cert == handed.certs.end() || key == handed.keys.end())
    return base::fail(Code::kDataLoss, "the member's answer lacks ca.crt or ca.key");
  TRY_IN("the member's answer", const auto all, pki::parse_bundle(cert->second));
  if (std::ranges::find(all, hash, &pki::Certificate::fingerprint) == all.end())
    return base::fail(Code::kDataLoss, "the member's answer has another authority");
  TRY_IN("the member's answer", const bool own, pki::key_matches(key->second, cert->second));
  if (!own) return base::fail(Code::kDataLoss, "the member's answer has another key");
  return {};
}

}  // namespace

base::Result<std::optional<Pass>> pass_of(const Flags& flags) {
  TRY(const std::string text, token_text(flags));
  if (text.empty() && flags.token_file.empty() && flags.ca_hash.empty())
    return std::optional<Pass>();
  if (flags.ca_hash.empty())
    return base::fail(Code::kInvalidArgument,
                      "--token needs --ca-cert-hash sha256:HEX, by which this host knows the "
                      "cluster; `etcdadm token create` on a member prints both");
  if (text.empty())
    return base::fail(Code::kInvalidArgument,
                      "--ca-cert-hash needs --token ID.SECRET or --token-file; `etcdadm token "
                      "create` on a member prints both");
  Pass out;
  TRY(out.token, parse_token(text));
  TRY(out.ca_hash, parse_ca_hash(flags.ca_hash));
  return std::optional<Pass>(std::move(out));
}

base::Result<Handed> fetch_handed(const Context& context, const std::string& url, const Pass& pass,
                                  bool rotation) {
  TRY(auto at, parse_endpoint(url));
  at.port = context.flags.token_port;
  auto dialled = Channel::dial(at.host, at.port, kAll, context.stop);
  if (!dialled && dialled.error().code == Code::kFailedPrecondition)
    return base::fail(Code::kUnavailable,
                      fmt::format("nothing listens at {} port {}: the listener for joining hosts "
                                  "is open for 30 minutes after `etcdadm init`; `etcdadm token "
                                  "create` on that member opens it again",
                                  at.host, at.port));
  if (!dialled)
    return base::fail(Code::kUnavailable,
                      fmt::format("{} port {} does not answer: {}. Is the name right, the host up, "
                                  "the port open in firewalls?",
                                  at.host, at.port, dialled.error().message));
  Channel channel = *std::move(dialled);
  TRY_OK(check_chain(channel.tls().peer_chain(), at, pass.ca_hash, context.clock.now()));
  TRY_OK(channel.write(encode(Ask{pass.token.id, pass.token.proof(), rotation}) + "\n"));
  TRY_IN(at.host, const auto head, channel.read_line(kHeadLimit));
  TRY_IN(at.host, const size_t size, decode_head(head));
  TRY_IN(at.host, const auto body, channel.read_bytes(size));
  return decode_handed(body, pass.token.id, pass.token.key());
}

base::Status fetch_authority(const Context& context, const Host& host, const Pass& pass) {
  const std::string crt = host.certs_dir + "/ca.crt", key = host.certs_dir + "/ca.key";
  if (const auto present = posix::read_file(crt, kFile)) {
    TRY_IN(crt, const auto all, pki::parse_bundle(*present));
    if (std::ranges::find(all, pass.ca_hash, &pki::Certificate::fingerprint) == all.end())
      return base::fail(Code::kFailedPrecondition,
                        fmt::format("{} is there, and is not the authority of --ca-cert-hash: move "
                                    "it away if it is of another cluster",
                                    crt));
    if (posix::exists(key) == base::Fact<bool>(true)) return {};
  } else if (present.error().code != Code::kNotFound) {
    return std::unexpected(present.error());
  }
  TRY(const auto handed, fetch_handed(context, context.flags.subject, pass, false));
  TRY_OK(check_handed(handed, pass.ca_hash));
  TRY_OK(posix::make_dirs(host.certs_dir, 0755));
  // The key first: with the certificate in place both are there.
  TRY_OK(posix::write_atomic(key, handed.keys.at("ca.key"), 0600));
  TRY_OK(posix::write_atomic(crt, handed.certs.at("ca.crt"), 0644));
  context.say(fmt::format("the cluster's authority came from {}", context.flags.subject));
  return {};
}

}  // namespace adm
