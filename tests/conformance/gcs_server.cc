#include "gcs_server.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"
#include "json/json.h"
#include "posix/wakeup.h"

namespace conformance {
namespace {

constexpr base::Duration kSilence{600'000};
constexpr size_t kMaxLine = size_t{64} << 10;
constexpr std::int64_t kMaxBody = std::int64_t{64} << 20;

struct Got {
  http::Exchange exchange;
  std::int64_t length = 0;
};

// No value: the other side has ended, or said what this does not understand.
std::optional<Got> read_head(posix::Stream& stream, const std::stop_token& stop) {
  Got got;
  const auto first = stream.read_line(kMaxLine, kSilence, stop);
  if (!first) return std::nullopt;
  const auto words = base::split(base::trim(*first), ' ');
  if (words.size() != 3) return std::nullopt;
  got.exchange.method = words[0];
  got.exchange.target = words[1];
  while (true) {
    const auto line = stream.read_line(kMaxLine, kSilence, stop);
    if (!line) return std::nullopt;
    const auto header = base::trim(*line);
    if (header.empty()) return got;
    if (header.find(": ") == header.npos) continue;
    if (header.starts_with("Content-Length: ")) {
      const auto length = base::parse_int(header.substr(16));
      if (!length || *length < 0 || *length > kMaxBody) return std::nullopt;
      got.length = *length;
    }
    got.exchange.headers.emplace_back(header);
  }
}

bool read_body(posix::Stream& stream, Got& got, const std::stop_token& stop) {
  auto& body = got.exchange.body;
  const auto length = static_cast<size_t>(got.length);
  while (body.size() < length) {
    const auto more = stream.read_some(posix::deadline_in(kSilence), stop);
    if (!more || more->empty()) return false;
    body += *more;
  }
  return body.size() == length;  // more would be a second request before the first one's answer
}

std::string text_of(const http::Reply& reply) {
  auto out = fmt::format("HTTP/1.1 {} Said\r\n", reply.status);
  for (const auto& [name, value] : reply.headers) out += fmt::format("{}: {}\r\n", name, value);
  if (reply.status != 204) out += fmt::format("Content-Length: {}\r\n", reply.body.size());
  return out + "\r\n" + reply.body;
}

}  // namespace

GcsServer::GcsServer(const std::string& address)
    : listener_(*posix::TcpListener::listen(address, 0)) {
  fake_.server = fmt::format("http://{}:{}", address, listener_.port());
  acceptor_ = std::jthread([this](const std::stop_token& stop) {
    while (auto stream = listener_.accept(stop))
      connections_.emplace_back([this, kept = std::move(*stream)](
                                    const std::stop_token& end) mutable { serve(kept, end); });
  });
}

std::string GcsServer::credentials(const std::string& refresh_token) const {
  return json::print(json::Object{{"type", "authorized_user"},
                                  {"client_id", "client-1"},
                                  {"client_secret", "its secret"},
                                  {"refresh_token", refresh_token},
                                  {"token_uri", url() + "/token"}});
}

http::Reply GcsServer::give_token(const std::string& form) const {
  for (const auto field : base::split(form, '&'))
    if (field == fmt::format("refresh_token={}", kRefreshToken))
      return {.status = 200,
              .headers = {},
              .body = json::print(json::Object{
                  {"access_token", token()}, {"expires_in", 3600}, {"token_type", "Bearer"}})};
  return {.status = 400,
          .headers = {},
          .body = json::print(
              json::Object{{"error", "invalid_grant"}, {"error_description", "It was revoked."}})};
}

void GcsServer::serve(posix::Stream& stream, const std::stop_token& stop) {
  while (auto got = read_head(stream, stop)) {
    if (!read_body(stream, *got, stop)) return;
    const auto& asked = got->exchange;
    const bool for_token = asked.method == "POST" && asked.target == "/token";
    const auto reply = for_token ? GcsFake::Reply(give_token(asked.body)) : fake_.answer(asked);
    if (!reply || !stream.write_all(text_of(*reply), kSilence, stop)) return;
  }
}

}  // namespace conformance
