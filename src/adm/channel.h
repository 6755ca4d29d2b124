// One TLS connection with a deadline for all that happens on it.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "pki/tls.h"
#include "posix/socket.h"

namespace adm {

// For one thread. Every call ends at `until` (DeadlineExceeded) or when asked to stop (Cancelled).
class Channel {
 public:
  Channel(posix::Stream stream, pki::TlsPipe tls, base::Tick until, std::stop_token stop)
      : stream_(std::move(stream)), tls_(std::move(tls)), until_(until), stop_(std::move(stop)) {}
  // To `host`, which is a name or an address, with the handshake done. Nothing of the other side is
  // trusted yet.
  static base::Result<Channel> dial(const std::string& host, unsigned port, base::Duration deadline,
                                    const std::stop_token& stop);

  base::Status handshake();
  base::Status write(std::string_view text);
  // Unavailable if the other side ends before it is whole, ResourceExhausted beyond the limit.
  base::Result<std::string> read_line(size_t limit);
  base::Result<std::string> read_bytes(size_t count);
  base::Result<std::string> read_all(size_t limit);  // up to the other side's end
  void end();
  [[nodiscard]] const pki::TlsPipe& tls() const { return tls_; }

 private:
  base::Status flush();
  base::Result<bool> fill();  // false: the end
  posix::Stream stream_;
  pki::TlsPipe tls_;
  base::Tick until_;
  std::stop_token stop_;
  std::string buffer_;
};

}  // namespace adm
