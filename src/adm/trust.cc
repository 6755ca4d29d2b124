#include "adm/trust.h"

#include <algorithm>
#include <thread>

#include "adm/channel.h"
#include "adm/checks.h"

namespace adm {
namespace {

constexpr base::Duration kShake{5'000};

Shown look_at(const Context& context, const std::string& url, bool peer) {
  Shown out;
  out.url = url;
  out.peer = peer;
  const auto at = parse_endpoint(url);
  if (!at) {
    out.problem = at.error().message;
    return out;
  }
  auto channel = Channel::dial(at->host, at->port, kShake, context.stop);
  if (!channel) {
    out.problem = channel.error().message;
    return out;
  }
  const auto chain = channel->tls().peer_chain();
  const auto leaf = chain.empty() ? base::Result<pki::Certificate>(base::fail(
                                        base::Code::kUnavailable, "it shows no certificate"))
                                  : pki::parse_certificate(chain.front());
  if (!leaf) {
    out.problem = leaf.error().message;
    return out;
  }
  out.leaf = *leaf;
  out.authorities = channel->tls().taken_authorities();
  return out;
}

}  // namespace

std::string_view words_of(TrustPhase phase) {
  switch (phase) {
    case TrustPhase::kUnknown:
      return "does not answer";
    case TrustPhase::kOld:
      return "trusts the old authority only";
    case TrustPhase::kBoth:
      return "trusts both, its certificates are of the old one";
    case TrustPhase::kLeaf:
      return "trusts both, its certificates are of the new one";
    case TrustPhase::kNext:
      return "trusts the new authority only";
  }
  return "?";
}

std::vector<HostTrust> look_at_trust(const Context& context, const Sight& sight) {
  std::vector<HostTrust> out;
  for (const auto& m : sight.list.members) {
    HostTrust host{m.name.empty() ? base::to_text(m.id) : m.name, m.id, {}, {}};
    if (m.client_urls.empty()) host.problem = "it has never started";
    out.push_back(std::move(host));
  }
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < out.size(); ++i) {
      const etcd::Member& m = sight.list.members[i];
      if (m.client_urls.empty()) continue;
      threads.emplace_back([&context, &m, &host = out[i]] {
        for (const auto& url : m.client_urls) host.ports.push_back(look_at(context, url, false));
        for (const auto& url : m.peer_urls) host.ports.push_back(look_at(context, url, true));
      });
    }
  }
  for (auto& host : out)
    for (const auto& shown : host.ports)
      if (!shown.problem.empty() && host.problem.empty())
        host.problem = shown.url + ": " + shown.problem;
  return out;
}

TrustPhase phase_of(const Shown& shown, const pki::Certificate& next) {
  if (!shown.problem.empty()) return TrustPhase::kUnknown;
  const auto& taken = shown.authorities;
  if (std::ranges::find(taken, next.common_name) == taken.end()) return TrustPhase::kOld;
  if (shown.leaf.authority_key_id != next.subject_key_id) return TrustPhase::kBoth;
  return taken.size() > 1 ? TrustPhase::kLeaf : TrustPhase::kNext;
}

TrustPhase phase_of(const HostTrust& host, const pki::Certificate& next) {
  if (!host.problem.empty() || host.ports.empty()) return TrustPhase::kUnknown;
  TrustPhase least = TrustPhase::kNext;
  for (const auto& shown : host.ports) least = std::min(least, phase_of(shown, next));
  return least;
}

}  // namespace adm
