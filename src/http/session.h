// Talk with one HTTP server over connections that are kept: TLS with our own roots and a client
// certificate, answers as a whole or as they come. By libcurl, HTTP/1.1.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace http {

struct Identity {  // PEM texts; the key is a secret
  std::string cert = {}, key = {};
};

struct SessionOptions {
  std::string base_url;          // "https://10.0.0.1:6443/prefix"
  std::string ca = {};           // PEM: these roots and no others; empty: the system's
  std::string server_name = {};  // what its certificate must say; empty: the URL's host
  bool verify = true;
  std::string proxy = {};  // empty: what the environment says
  std::string user_agent = {};
  base::Duration connect_deadline{5'000};
};

struct Reply {
  int status = 0;
  std::map<std::string, std::string, std::less<>> headers = {};  // names in small letters
  std::string body = {};
};

struct Exchange {
  std::string method = "GET";
  std::string target = "/";               // after the base URL, escaped
  std::vector<std::string> headers = {};  // "Name: value"; may hold secrets
  std::string body = {};
  Identity identity = {};
  base::Duration deadline{30'000};
  base::Duration silence{0};  // longest time without a byte; 0: the deadline alone counts
  size_t max_bytes = size_t{64} << 20;
  // Gets the body of a 2xx answer bit by bit, which then stays out of Reply. Its error ends the
  // exchange.
  std::function<base::Status(std::string_view)> sink = {};
  // Asked before the sink's first bytes, with status and headers. Its error ends the exchange.
  std::function<base::Status(const Reply&)> before_sink = {};
};

struct Broken {
  base::Error error;
  bool sent = false;  // at least a part of the request may have reached the server
};

// Thread-safe; exchanges of several threads run at the same time, each on a connection of its own.
class Session {
 public:
  // FailedPrecondition: no libcurl here. InvalidArgument: the URL is no http or https.
  static base::Result<std::unique_ptr<Session>> open(SessionOptions options);
  virtual ~Session() = default;
  // Any status is a reply; redirects are not followed. A request with a body is sent once at most.
  virtual std::expected<Reply, Broken> perform(const Exchange& exchange,
                                               const std::stop_token& stop) = 0;
};

}  // namespace http
