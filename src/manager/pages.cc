#include "manager/pages.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"

namespace manager {

base::Result<std::unique_ptr<http::Server>> serve_pages(
    const std::string& address, std::map<std::string, http::Handler> routes) {
  const auto colon = address.rfind(':');
  const auto port = base::parse_int(colon == std::string::npos ? "" : address.substr(colon + 1));
  auto host = address.substr(0, colon);
  if (!port || *port < 0 || *port > 65535 || host.empty())
    return base::fail(base::Code::kInvalidArgument,
                      fmt::format("--http-addr {} is not allowed: IP:PORT, such as 127.0.0.1:8080 "
                                  "or [::1]:0",
                                  address));
  if (host == "localhost") host = "127.0.0.1";
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  http::ServerOptions options;
  options.host = host;
  options.port = static_cast<unsigned>(*port);
  options.threads = 1;
  auto server = http::Server::start(options, std::move(routes));
  if (!server) return std::unexpected(server.error().in("--http-addr " + address));
  return server;
}

}  // namespace manager
