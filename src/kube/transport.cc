#include "kube/transport.h"

#include <utility>

#include "http/session.h"
#include "kube/credentials.h"

namespace kube {
namespace {

class HttpTransport final : public Transport {
 public:
  HttpTransport(std::unique_ptr<http::Session> session, Access access, const base::Clock& clock)
      : session_(std::move(session)), credentials_(std::move(access), system_sources(), clock) {}

  Reply send(const Request& request, const Limits& limits, const std::stop_token& stop) override {
    return perform(request, limits, {}, stop);
  }
  Reply stream(const Request& request, const Limits& limits, const Sink& sink,
               const std::stop_token& stop) override {
    return perform(request, limits, sink, stop);
  }

 private:
  Reply perform(const Request& request, const Limits& limits, const Sink& sink,
                const std::stop_token& stop) {
    if (!request.fault.empty())
      return std::unexpected(Lost{{base::Code::kInternal, request.fault}, /*sent=*/false});
    // A 401 comes before anything has happened: once more with a new credential.
    for (bool again = false;; again = true) {
      const auto credential = credentials_.get(stop);
      if (!credential) return std::unexpected(Lost{credential.error(), /*sent=*/false});
      auto reply = once(request, limits, sink, *credential, stop);
      if (!reply || reply->status != 401) return reply;
      credentials_.refused(*credential);
      if (again) return reply;
    }
  }

  Reply once(const Request& request, const Limits& limits, const Sink& sink,
             const Credential& credential, const std::stop_token& stop) {
    http::Exchange exchange{.method = std::string(name_of(request.method)),
                            .target = request.target(),
                            .body = request.body,
                            .identity = credential.identity,
                            .deadline = limits.deadline,
                            .silence = limits.silence,
                            .max_bytes = limits.max_bytes,
                            .sink = sink};
    // Of a pod's log the server gives only plain text.
    exchange.headers.emplace_back(request.path.ends_with("/log") ? "Accept: */*"
                                                                 : "Accept: application/json");
    if (!request.content_type.empty())
      exchange.headers.push_back("Content-Type: " + request.content_type);
    if (!credential.authorization.empty())
      exchange.headers.push_back("Authorization: " + credential.authorization);
    auto reply = session_->perform(exchange, stop);
    if (!reply) return std::unexpected(Lost{std::move(reply.error().error), reply.error().sent});
    Response response{.status = reply->status, .body = std::move(reply->body)};
    if (const auto after = reply->headers.find("retry-after"); after != reply->headers.end())
      response.retry_after = after->second;
    return response;
  }

  const std::unique_ptr<http::Session> session_;
  Credentials credentials_;
};

}  // namespace

base::Result<std::unique_ptr<Transport>> connect(const Access& access, const base::Clock& clock) {
  TRY_IN(access.source, auto session,
         http::Session::open({.base_url = access.server,
                              .ca = access.ca,
                              .server_name = access.server_name,
                              .verify = access.verify,
                              .proxy = access.proxy,
                              .user_agent = "etcd-operator/" EO_VERSION}));
  return std::make_unique<HttpTransport>(std::move(session), access, clock);
}

}  // namespace kube
