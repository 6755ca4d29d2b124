#include "objstore/courier.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/backoff.h"
#include "base/text.h"
#include "http/date.h"
#include "objstore/context.h"
#include "posix/wakeup.h"

namespace objstore {
namespace {

using base::Code;

constexpr size_t kMaxSessions = 32;  // servers; regions and token services are few
constexpr base::Duration kSilence{30'000};

// Of a try that had no answer.
Failure lost(const Request& request, http::Broken broken) {
  Failure failure{std::move(broken.error)};
  failure.doubtful = broken.sent && request.changes();
  failure.again = failure.code == Code::kUnavailable || failure.code == Code::kDeadlineExceeded;
  if (failure.code == Code::kDeadlineExceeded) failure.code = Code::kUnavailable;
  return failure;
}

// What is told at the end: a change that may have happened is never told as one that did not.
Failure last_word(Failure failure, bool doubtful) {
  if (doubtful || failure.doubtful) {
    failure.doubtful = true;
    if (failure.again) {
      failure.code = Code::kDeadlineExceeded;
      failure.message += " (it may have happened)";
    }
  }
  return failure;
}

}  // namespace

Outside real_outside(const base::Clock& clock, base::Random& random) {
  return {.dial = [](const http::SessionOptions& options) { return http::Session::open(options); },
          .wait =
              [](base::Duration d, const std::stop_token& stop) {
                // Waits for nothing but the time and the stop.
                static_cast<void>(posix::poll_until({}, posix::deadline_in(d), stop));
              },
          .clock = &clock,
          .random = &random};
}

base::Result<http::Session*> Courier::session(const std::string& server) {
  const std::scoped_lock lock(mutex_);
  if (const auto known = sessions_.find(server); known != sessions_.end())
    return known->second.get();
  if (sessions_.size() >= kMaxSessions)
    return base::fail(Code::kResourceExhausted, "too many servers");
  TRY(auto made,
      outside_.dial(
          {.base_url = server, .ca = options_.ca, .user_agent = "etcd-operator/" EO_VERSION}));
  return sessions_.emplace(server, std::move(made)).first->second.get();
}

std::expected<http::Reply, Failure> Courier::once(Request request, Correspondent& correspondent,
                                                  const Call& call, const Sink& sink) {
  if (const auto ready = correspondent.sign(request, outside_.clock->now(), call); !ready) {
    Failure failure{ready.error()};
    failure.again = failure.code == Code::kUnavailable;
    return std::unexpected(std::move(failure));
  }
  const auto server = session(request.server);
  if (!server) return std::unexpected(Failure{server.error()});
  const auto left = call.deadline - outside_.clock->tick();
  const auto carried = base::Duration(
      static_cast<std::int64_t>(request.body.size() * 1000 / options_.least_bytes_second));
  http::Exchange exchange{.method = request.method,
                          .target = request.target(),
                          .body = std::move(request.body),
                          .deadline = sink ? left : std::min(left, options_.attempt + carried),
                          .silence = sink ? kSilence : base::Duration(0),
                          .max_bytes = options_.max_answer,
                          .sink = sink};
  if (const auto range = request.header("Range"); sink && !range.empty())
    exchange.before_sink = [begin = "bytes " + std::string(range.substr(6, range.find('-') - 5))](
                               const http::Reply& reply) -> base::Status {
      const auto came = reply.headers.find("content-range");
      if (reply.status == 206 && came != reply.headers.end() && came->second.starts_with(begin))
        return {};
      return base::fail(Code::kDataLoss, "the server sends another range than it was asked for");
    };
  for (const auto& [name, value] : request.headers) exchange.headers.push_back(name + ": " + value);
  if (exchange.body.empty() && request.changes())
    exchange.headers.emplace_back("Content-Length: 0");
  auto reply = (*server)->perform(exchange, call.stop);
  if (!reply) return std::unexpected(lost(request, std::move(reply.error())));
  if (auto refused = correspondent.judge(request, *reply, outside_.clock->now())) {
    refused->status = reply->status;
    if (const auto header = reply->headers.find("retry-after"); header != reply->headers.end())
      refused->wait = http::parse_retry_after(header->second, outside_.clock->now());
    return std::unexpected(*std::move(refused));
  }
  return *std::move(reply);
}

base::Duration Courier::pause(unsigned failures, const Failure& failure) const {
  const base::Backoff backoff{.first = options_.first_wait, .limit = options_.longest_wait};
  const auto own = backoff.wait(failures, outside_.random->next());
  return std::max(own, failure.wait.value_or(base::Duration(0)));
}

std::expected<Answer, Failure> Courier::send(const Request& request, Correspondent& correspondent,
                                             const Call& call, const Sink& sink) {
  bool doubtful = false, given = false;
  const auto counting = [&](std::string_view bytes) {
    given = true;
    return sink(bytes);
  };
  unsigned lessons = 0;
  for (unsigned failures = 0;;) {
    if (call.stop.stop_requested())
      return std::unexpected(last_word({base::Error{Code::kCancelled, "stopped"}}, doubtful));
    if (outside_.clock->tick() >= call.deadline)
      return std::unexpected(last_word(
          {base::Error{Code::kUnavailable, "no time is left for it"}, 0, "", true}, doubtful));
    auto reply = once(request, correspondent, call, sink ? Sink(counting) : Sink());
    if (reply) return Answer{.reply = *std::move(reply), .doubtful = doubtful};
    auto& failure = reply.error();
    doubtful = doubtful || failure.doubtful;
    if (failure.learnt && ++lessons <= 3 && !given) continue;
    if (!failure.again || given || call.stop.stop_requested())
      return std::unexpected(last_word(std::move(failure), doubtful));
    const auto wait = pause(++failures, failure);
    const auto left = call.deadline - outside_.clock->tick();
    if (failures >= options_.tries || wait >= left) {
      failure.message += fmt::format("; tried {} times", failures);
      if (failure.wait && wait >= left)
        failure.message += fmt::format(
            ", and the server asks to wait {}, which is beyond the "
            "deadline",
            base::to_text(*failure.wait));
      return std::unexpected(last_word(std::move(failure), doubtful));
    }
    outside_.wait(wait, call.stop);
  }
}

std::optional<std::string> clock_skew(const http::Reply& reply, base::Instant now,
                                      base::Duration limit) {
  const auto header = reply.headers.find("date");
  if (header == reply.headers.end()) return std::nullopt;
  const auto theirs = http::parse_http_date(header->second);
  if (!theirs) return std::nullopt;
  const auto ahead = now - *theirs;
  if (ahead <= limit && -ahead <= limit) return std::nullopt;
  return fmt::format("this machine's clock is {} {} the server's (here {}, there {}){}",
                     base::to_text(ahead < base::Duration(0) ? -ahead : ahead),
                     ahead < base::Duration(0) ? "behind" : "ahead of", base::to_rfc3339(now),
                     base::to_rfc3339(*theirs), kSetItRight);
}

std::string quoted(std::string_view words) {
  constexpr size_t kLongest = 300;
  std::string out;
  words = base::trim(words);
  while (!words.empty() && out.size() < kLongest) {
    const size_t length = base::utf8_length(words);
    const auto first = static_cast<unsigned char>(words.front());
    if (length == 0 || first < 0x20 || first == 0x7f)
      out += ' ';
    else
      out += words.substr(0, length);
    words.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

}  // namespace objstore
