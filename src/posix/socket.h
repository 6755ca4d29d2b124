// Stream sockets: in the file system, for talk between programs of one machine, and TCP servers.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "posix/errors.h"

namespace posix {

// One connection. For one thread at a time.
class Stream {
 public:
  explicit Stream(Fd fd) : fd_(std::move(fd)) {}
  // `host` is an IP address. Unavailable: nobody listens there.
  static base::Result<Stream> connect_tcp(const std::string& host, unsigned port);
  // To a name or an address anywhere; each address of a name in its turn. NotFound: no such name.
  // FailedPrecondition: that machine refuses, so nothing listens at that port. Unavailable or
  // DeadlineExceeded: it does not answer.
  static base::Result<Stream> dial(const std::string& host, unsigned port, base::Duration deadline,
                                   const std::stop_token& stop);

  // Up to the other side's end. ResourceExhausted beyond `limit` bytes.
  base::Result<std::string> read_all(size_t limit, base::Duration deadline,
                                     const std::stop_token& stop);
  // Up to a new-line, which is dropped; what comes after it is kept for the next read. Unavailable
  // if the other side ends before it.
  base::Result<std::string> read_line(size_t limit, base::Duration deadline,
                                      const std::stop_token& stop);
  // What has come, at least a byte; empty: the other side has ended.
  base::Result<std::string> read_some(base::Tick until, const std::stop_token& stop);
  base::Status write_all(std::string_view bytes, base::Duration deadline,
                         const std::stop_token& stop);
  base::Status end_writing();

 protected:
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  base::Result<bool> fill(base::Tick deadline, const std::stop_token& stop);  // false: the end
  Fd fd_;
  std::string buffer_;
};

class UnixStream : public Stream {
 public:
  using Stream::Stream;
  // NotFound: no such socket. Unavailable: nobody listens on it.
  static base::Result<UnixStream> connect(const std::string& path);
  [[nodiscard]] base::Result<unsigned> peer_uid() const;  // as the kernel knows it
};

// Removes its name when it ends. Take a lock first: listen() replaces a name that is there.
class UnixListener {
 public:
  static base::Result<UnixListener> listen(const std::string& path, unsigned mode = 0600);
  UnixListener(UnixListener&&) noexcept = default;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener();

  base::Result<UnixStream> accept(const std::stop_token& stop);  // Cancelled when asked to stop

 private:
  UnixListener(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Fd fd_;
  std::string path_;
};

class TcpListener {
 public:
  // `host` is an IP address of this machine; port 0 lets the system choose.
  static base::Result<TcpListener> listen(const std::string& host, unsigned port);

  [[nodiscard]] unsigned port() const { return port_; }
  // For several threads at once. Cancelled when asked to stop, DeadlineExceeded after `until`.
  base::Result<Stream> accept(const std::stop_token& stop,
                              base::Tick until = base::Tick::max()) const;

 private:
  TcpListener(Fd fd, unsigned port) : fd_(std::move(fd)), port_(port) {}
  Fd fd_;
  unsigned port_;
};

}  // namespace posix
