// For tests of this module: a network that is a function, and time that passes only when somebody
// waits.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "objstore/courier.h"

namespace objstore {

class HandClock final : public base::Clock {
 public:
  [[nodiscard]] base::Instant now() const override {
    const std::scoped_lock lock(mutex_);
    return start_ + passed_ - back_;
  }
  [[nodiscard]] base::Tick tick() const override {
    const std::scoped_lock lock(mutex_);
    return base::Tick(base::Duration(1'000'000)) + passed_;
  }
  void pass(base::Duration d) {
    const std::scoped_lock lock(mutex_);
    passed_ += d;
  }
  void set_wall_back(base::Duration d) {
    const std::scoped_lock lock(mutex_);
    back_ += d;
  }

 private:
  const base::Instant start_ = *base::parse_rfc3339("2026-11-22T00:00:00.000Z");
  mutable std::mutex mutex_;
  base::Duration passed_{0}, back_{0};  // guarded by mutex_
};

class NoChance final : public base::Random {
 public:
  [[nodiscard]] unsigned long long next() override { return 0; }
};

// Answers each exchange by `answer`, which is told the server's address; the body of a good answer
// goes to the sink as a real session does it. For one thread.
class Network {
 public:
  using Reply = std::expected<http::Reply, http::Broken>;
  using Answering = std::function<Reply(const std::string& server, const http::Exchange&)>;
  explicit Network(Answering answer) : answer_(std::move(answer)) {}

  Outside outside() {
    return {.dial = [this](const http::SessionOptions& options)
                -> base::Result<std::unique_ptr<http::Session>> {
              return std::make_unique<Line>(*this, options.base_url);
            },
            .wait =
                [this](base::Duration d, const std::stop_token&) {
                  waits.push_back(d);
                  clock.pass(d);
                },
            .clock = &clock,
            .random = &chance};
  }
  Call call(base::Duration d = base::Duration(600'000)) const {
    return {.deadline = clock.tick() + d};
  }

  HandClock clock;
  NoChance chance;
  std::vector<base::Duration> waits;
  std::vector<std::string> lines;  // "PUT https://host/path?query"

 private:
  class Line final : public http::Session {
   public:
    Line(Network& network, std::string server) : network_(network), server_(std::move(server)) {}
    Reply perform(const http::Exchange& exchange, const std::stop_token&) override {
      network_.lines.push_back(exchange.method + " " + server_ + exchange.target);
      auto reply = network_.answer_(server_, exchange);
      if (!reply || !exchange.sink || reply->status < 200 || reply->status > 299) return reply;
      const auto body = std::exchange(reply->body, std::string());
      base::Status taken;
      if (exchange.before_sink) taken = exchange.before_sink(*reply);
      if (taken) taken = exchange.sink(body);
      if (!taken) return std::unexpected(http::Broken{taken.error(), true});
      // A promised length that does not come is a broken line.
      const auto length = reply->headers.find("content-length");
      if (length != reply->headers.end() && length->second != std::to_string(body.size()))
        return std::unexpected(
            http::Broken{{base::Code::kUnavailable, "the line broke"}, /*sent=*/true});
      return reply;
    }

   private:
    Network& network_;
    const std::string server_;
  };
  const Answering answer_;
};

inline std::unexpected<http::Broken> cut(bool sent) {
  return std::unexpected(http::Broken{{base::Code::kUnavailable, "the line broke"}, sent});
}

inline bool has(const http::Exchange& exchange, const std::string& header) {
  for (const auto& line : exchange.headers)
    if (line == header) return true;
  return false;
}

}  // namespace objstore
