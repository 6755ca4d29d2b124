// A small HTTP server for health, metrics and debug pages: GET and HEAD, one request a connection.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"

namespace http {

struct Request {
  std::string path;                          // decoded, always begins with "/"
  std::map<std::string, std::string> query;  // decoded; of a key twice the last
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
};

// Runs on the server's threads, several at once; must end in bounded time.
using Handler = std::function<Response(const Request&)>;

struct ServerOptions {
  std::string host = "127.0.0.1";  // an IP address of this machine
  unsigned port = 0;               // 0: the system chooses
  unsigned threads = 4;
  base::Duration read_deadline{5'000}, write_deadline{10'000};
};

// Serves from start() until it is destroyed, which waits for running handlers. A request that is
// too long, too slow or malformed gets a 4xx and costs nothing but its connection.
class Server {
 public:
  // The key of a route is a path; one that ends with "/" takes all paths below it too, and the
  // longest match wins.
  static base::Result<std::unique_ptr<Server>> start(const ServerOptions& options,
                                                     std::map<std::string, Handler> routes);
  virtual ~Server() = default;
  [[nodiscard]] virtual unsigned port() const = 0;
  [[nodiscard]] virtual std::string address() const = 0;  // "127.0.0.1:8080"
};

}  // namespace http
