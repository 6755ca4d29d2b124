// For tests: a server on loopback that says what it is told to, byte by byte.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/time.h"
#include "posix/socket.h"

namespace http {

inline constexpr base::Duration kToyDeadline{10'000};

struct Got {
  std::string line, body;
  std::vector<std::string> headers;
  size_t connection = 0;  // the number of the connection it came on
};

// Answers each request of one connection after the other by `answer`; an empty answer closes the
// connection. Bodies end with a new-line.
class Toy {
 public:
  using Answer = std::function<std::string(const Got&)>;
  explicit Toy(Answer answer)
      : answer_(std::move(answer)), listener_(*posix::TcpListener::listen("127.0.0.1", 0)) {
    acceptor_ = std::jthread([this](const std::stop_token& stop) {
      while (auto stream = listener_.accept(stop)) {
        const std::scoped_lock lock(mutex_);
        connections_.emplace_back(
            [this, number = connections_.size(),
             s = std::make_shared<posix::Stream>(std::move(*stream))](const std::stop_token& end) {
              while (one(*s, number, end)) {
              }
            });
      }
    });
  }
  [[nodiscard]] std::string url() const {
    return fmt::format("http://127.0.0.1:{}", listener_.port());
  }
  std::vector<Got> got() {
    const std::scoped_lock lock(mutex_);
    return got_;
  }

 private:
  bool one(posix::Stream& stream, size_t number, const std::stop_token& stop) {
    Got got{.line = {}, .body = {}, .headers = {}, .connection = number};
    const auto next = [&](std::string& line) {
      auto read = stream.read_line(1 << 20, kToyDeadline, stop);
      if (read) line = base::trim(*read);
      return read.has_value();
    };
    if (!next(got.line)) return false;
    bool has_body = false;
    for (std::string header; next(header) && !header.empty(); got.headers.push_back(header))
      has_body = has_body || header.starts_with("Content-Length:");
    if (has_body && !next(got.body)) return false;
    {
      const std::scoped_lock lock(mutex_);
      got_.push_back(got);
    }
    const auto text = answer_(got);
    return !text.empty() && stream.write_all(text, kToyDeadline, stop);
  }

  const Answer answer_;
  posix::TcpListener listener_;
  std::mutex mutex_;
  std::vector<Got> got_;
  std::vector<std::jthread> connections_;
  std::jthread acceptor_;  // ends before what it uses
};

}  // namespace http
