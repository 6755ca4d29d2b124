#include "http/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "http/request.h"
#include "posix/socket.h"
#include "posix/wakeup.h"

namespace http {
namespace {

using base::Code;

constexpr size_t kMaxLine = 8192;
constexpr int kMaxHeaders = 100;

Response plain(int status, std::string text) {
  return {.status = status, .body = std::move(text) + "\n"};
}

Response for_error(const base::Error& error) {
  switch (error.code) {
    case Code::kUnimplemented:
      return plain(405, error.message);
    case Code::kDeadlineExceeded:
      return plain(408, "the request came too slowly");
    case Code::kResourceExhausted:
      return plain(431, "the request is too long");
    default:
      return plain(400, error.message);
  }
}

class SocketServer final : public Server {
 public:
  SocketServer(ServerOptions options, posix::TcpListener listener,
               std::map<std::string, Handler> routes)
      : options_(std::move(options)), routes_(std::move(routes)), listener_(std::move(listener)) {
    for (unsigned i = 0; i < options_.threads; ++i)
      threads_.emplace_back([this](const std::stop_token& stop) { loop(stop); });
  }
  ~SocketServer() override {
    for (auto& thread : threads_) thread.request_stop();
  }
  SocketServer(const SocketServer&) = delete;
  SocketServer& operator=(const SocketServer&) = delete;

  [[nodiscard]] unsigned port() const override { return listener_.port(); }
  [[nodiscard]] std::string address() const override {
    const bool v6 = options_.host.find(':') != std::string::npos;
    return v6 ? fmt::format("[{}]:{}", options_.host, port())
              : fmt::format("{}:{}", options_.host, port());
  }

 private:
  void loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      auto stream = listener_.accept(stop);
      if (stream) {
        serve(*stream, stop);
      } else if (stream.error().code != Code::kCancelled) {
        // Out of descriptors: wait for some to come back, without spinning.
        static_cast<void>(posix::poll_until({}, posix::deadline_in(base::Duration(100)), stop));
      }
    }
  }

  void serve(posix::Stream& stream, const std::stop_token& stop) const {
    const auto line = read_request(stream, stop);
    // A peer that is gone or only looked whether the port is open gets no answer.
    if (!line && (line.error().code == Code::kUnavailable || line.error().code == Code::kCancelled))
      return;
    const auto response = line ? answer(line->request) : for_error(line.error());
    const bool head = line && line->head;
    if (stream.write_all(to_text(response, head), options_.write_deadline, stop))
      static_cast<void>(stream.end_writing());
  }

  base::Result<RequestLine> read_request(posix::Stream& stream, const std::stop_token& stop) const {
    const auto until = posix::deadline_in(options_.read_deadline);
    const auto next = [&] {
      const auto left = until - posix::deadline_in(base::Duration(0));
      return stream.read_line(kMaxLine, std::max(left, base::Duration(0)), stop);
    };
    TRY(auto line, next());
    if (line.ends_with('\r')) line.pop_back();
    for (int i = 0; i < kMaxHeaders; ++i) {
      TRY(const auto header, next());
      if (header.empty() || header == "\r") return parse_request_line(line);
    }
    return base::fail(Code::kResourceExhausted, "too many headers");
  }

  Response answer(const Request& request) const {
    const Handler* best = nullptr;
    size_t length = 0;
    for (const auto& [route, handler] : routes_) {
      const bool match =
          route.ends_with('/') ? request.path.starts_with(route) : request.path == route;
      if (!match || route.size() < length) continue;
      best = &handler;
      length = route.size();
    }
    if (best == nullptr) return plain(404, "nothing is here");
    try {
      return (*best)(request);
    } catch (const std::exception& e) {  // a fault of a handler must not end the program
      return plain(500, e.what());
    }
  }

  const ServerOptions options_;
  const std::map<std::string, Handler> routes_;
  const posix::TcpListener listener_;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace

base::Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options,
                                                    std::map<std::string, Handler> routes) {
  TRY(auto listener, posix::TcpListener::listen(options.host, options.port));
  return std::unique_ptr<Server>(
      std::make_unique<SocketServer>(options, std::move(listener), std::move(routes)));
}

}  // namespace http
