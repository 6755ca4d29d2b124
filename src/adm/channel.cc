#include "adm/channel.h"

#include <algorithm>
#include <utility>

#include "posix/wakeup.h"

namespace adm {
namespace {

using base::Code;

}  // namespace

base::Result<Channel> Channel::dial(const std::string& host, unsigned port, base::Duration deadline,
                                    const std::stop_token& stop) {
  const auto until = posix::deadline_in(deadline);
  TRY(auto stream, posix::Stream::dial(host, port, deadline, stop));
  TRY(auto tls, pki::TlsPipe::client(host));
  Channel out(std::move(stream), std::move(tls), until, stop);
  TRY_OK(out.handshake());
  return out;
}

base::Status Channel::flush() {
  const auto left = std::chrono::duration_cast<base::Duration>(until_ - posix::deadline_in({}));
  return stream_.write_all(tls_.take(), std::max(left, base::Duration{0}), stop_);
}

base::Status Channel::handshake() {
  for (;;) {
    auto done = tls_.handshake();
    // An alert tells the other side why.
    if (auto sent = flush(); !sent && done) return sent;
    if (!done) return std::unexpected(done.error());
    if (*done) return {};
    TRY(const auto bytes, stream_.read_some(until_, stop_));
    if (bytes.empty())
      return base::fail(Code::kUnavailable, "the other side ended during the TLS handshake");
    tls_.feed(bytes);
  }
}

base::Status Channel::write(std::string_view text) {
  TRY_OK(tls_.write(text));
  return flush();
}

base::Result<bool> Channel::fill() {
  for (;;) {
    TRY(auto plain, tls_.read());
    if (!plain.empty()) {
      buffer_ += plain;
      return true;
    }
    if (tls_.ended()) return false;
    TRY(const auto bytes, stream_.read_some(until_, stop_));
    if (bytes.empty()) return false;
    tls_.feed(bytes);
  }
}

base::Result<std::string> Channel::read_line(size_t limit) {
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (std::min(end, buffer_.size()) > limit)
      return base::fail(Code::kResourceExhausted, "a line that is too long");
    if (end != std::string::npos) {
      auto line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    TRY(const bool more, fill());
    if (!more) return base::fail(Code::kUnavailable, "the other side ended in mid-line");
  }
}

base::Result<std::string> Channel::read_bytes(size_t count) {
  while (buffer_.size() < count) {
    TRY(const bool more, fill());
    if (!more) return base::fail(Code::kUnavailable, "the other side ended in the midst of it");
  }
  auto out = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return out;
}

base::Result<std::string> Channel::read_all(size_t limit) {
  for (;;) {
    if (buffer_.size() > limit) return base::fail(Code::kResourceExhausted, "too long an answer");
    TRY(const bool more, fill());
    if (!more) return std::exchange(buffer_, std::string());
  }
}

void Channel::end() {
  tls_.end();
  (void)flush();
}

}  // namespace adm
