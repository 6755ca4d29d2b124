#include "adm/door.h"

#include <fmt/format.h>

#include <algorithm>

#include "adm/certificates.h"
#include "adm/checks.h"
#include "adm/cluster.h"
#include "base/text.h"
#include "http/session.h"
#include "json/json.h"

namespace adm {
namespace {

using base::Code;

constexpr base::Duration kAsk{3'000}, kPage{5'000};
constexpr unsigned kUsualPort = 2379;

base::Result<std::vector<std::string>> by_client(const std::string& url, const etcd::Tls& tls) {
  TRY(const auto list, etcd::connect(url, tls)->member_list(false, kAsk));
  auto urls = client_urls(list);
  if (urls.empty()) return base::fail(Code::kUnavailable, "no member has a client URL");
  return urls;
}

base::Result<std::vector<std::string>> by_peer(const std::string& url, const etcd::Tls& tls,
                                               const std::stop_token& stop) {
  http::SessionOptions options;
  options.base_url = url;
  options.ca = tls.ca;
  options.connect_deadline = kAsk;
  TRY(const auto session, http::Session::open(options));
  http::Exchange exchange;
  exchange.target = "/members";
  exchange.identity = {tls.cert, tls.key};
  exchange.deadline = kPage;
  exchange.max_bytes = size_t{1} << 20;
  const auto reply = session->perform(exchange, stop);
  if (!reply) return std::unexpected(reply.error().error);
  if (reply->status != 200)
    return base::fail(Code::kUnavailable, fmt::format("/members answers {}", reply->status));
  return client_urls_in(reply->body);
}

}  // namespace

base::Result<std::vector<std::string>> client_urls_in(const std::string& members) {
  TRY_IN("/members", const auto value, json::parse(members));
  std::vector<std::string> out;
  if (const auto* list = value.if_array())
    for (const auto& member : *list)
      if (const auto* urls = member.find("clientURLs"); urls != nullptr && urls->if_array())
        for (const auto& url : *urls->if_array())
          if (const auto* text = url.if_string(); text != nullptr && parse_endpoint(*text))
            out.push_back(*text);
  std::ranges::sort(out);
  if (out.empty()) return base::fail(Code::kUnavailable, "/members names no client URL");
  return out;
}

base::Result<Door> find_door(const Context& context, const Host& host) {
  const std::string& given = context.flags.subject;
  TRY(const auto at, parse_endpoint(given));
  TRY(const auto tls, client_tls(host.certs_dir));
  const std::string url = url_of(at.host, at.port);
  std::vector<std::string> tried;
  const auto as_client = by_client(url, tls);
  if (as_client) return Door{*as_client, "joins through the client URL " + url};
  const auto as_peer = by_peer(url, tls, context.stop);
  if (as_peer)
    return Door{*as_peer, fmt::format("joins through {}, which the peer URL {} names",
                                      base::join(*as_peer, ", "), url)};
  tried.push_back(fmt::format("as a client URL: {}", as_client.error().message));
  tried.push_back(fmt::format("as a peer URL: {}", as_peer.error().message));
  if (at.port != kUsualPort) {
    const std::string usual = url_of(at.host, kUsualPort);
    const auto beside = by_client(usual, tls);
    if (beside)
      return Door{*beside, fmt::format("joins through {}: {} did not answer", usual, url)};
    tried.push_back(fmt::format("{}: {}", usual, beside.error().message));
  }
  return base::fail(Code::kUnavailable,
                    fmt::format("{} does not answer. Tried {}. Is the host up, the port open, and "
                                "ca.crt in {} the cluster's?",
                                url, base::join(tried, "; "), host.certs_dir));
}

}  // namespace adm
