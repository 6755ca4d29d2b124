#include "posix/socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "posix/wakeup.h"

namespace posix {
namespace {

using base::Code;

// The address of `path`, by way of an open directory where the path is too long for it.
struct Address {
  sockaddr_un value{};
  Fd directory;
};

base::Result<Address> address_of(const std::string& path) {
  Address address;
  address.value.sun_family = AF_UNIX;
  std::string name = path;
  if (name.size() >= sizeof address.value.sun_path) {
    const size_t slash = path.rfind('/');
    const auto parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    address.directory = Fd(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!address.directory.open()) return fail_errno(errno, "open " + parent);
    name = fmt::format("/proc/self/fd/{}/{}", address.directory.get(),
                       path.substr(slash == std::string::npos ? 0 : slash + 1));
  }
  if (name.size() >= sizeof address.value.sun_path)
    return base::fail(Code::kInvalidArgument, path + ": name too long for a socket");
  std::memcpy(address.value.sun_path, name.c_str(), name.size() + 1);
  return address;
}

base::Result<Fd> new_socket() {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.open()) return fail_errno(errno, "socket");
  return fd;
}

using AddressInfo = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

base::Result<AddressInfo> numeric_address(const std::string& host, unsigned port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (port > 65535 ||
      ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return base::fail(Code::kInvalidArgument, fmt::format("'{}:{}' is no address", host, port));
  return AddressInfo(found, ::freeaddrinfo);
}

base::Result<Fd> accept_from(int listener, const std::stop_token& stop, base::Tick until) {
  for (;;) {
    PollItem item{listener, POLLIN, 0};
    TRY_OK(poll_until({&item}, until, stop));
    Fd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.open()) return fd;
    if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
      return fail_errno(errno, "accept");
  }
}

base::Result<Fd> connect_to(const addrinfo& at, base::Tick until, const std::stop_token& stop) {
  Fd fd(::socket(at.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.open()) return fail_errno(errno, "socket");
  if (::connect(fd.get(), at.ai_addr, at.ai_addrlen) == 0) return fd;
  int number = errno;
  if (number == EINPROGRESS) {
    PollItem item{fd.get(), POLLOUT, 0};
    TRY_OK(poll_until({&item}, until, stop));
    socklen_t size = sizeof number;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &number, &size) != 0)
      return fail_errno(errno, "getsockopt");
    if (number == 0) return fd;
  }
  if (number == ECONNREFUSED) return base::fail(Code::kFailedPrecondition, "nothing listens there");
  return base::fail(Code::kUnavailable, from_errno(number, "connect").message);
}

const sockaddr* generic(const Address& a) {
  return reinterpret_cast<const sockaddr*>(&a.value);
}

}  // namespace

base::Result<UnixStream> UnixStream::connect(const std::string& path) {
  TRY(auto fd, new_socket());
  TRY(const auto address, address_of(path));
  // A connection in the file system is made at once or, with a full queue, refused by EAGAIN.
  if (::connect(fd.get(), generic(address), sizeof address.value) != 0)
    return fail_errno(errno, "connect to " + path);
  return UnixStream(std::move(fd));
}

base::Result<bool> Stream::fill(base::Tick deadline, const std::stop_token& stop) {
  for (;;) {
    PollItem item{fd_.get(), POLLIN, 0};
    TRY_OK(poll_until({&item}, deadline, stop));
    std::array<char, 16384> bytes{};
    const ssize_t n = ::read(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return fail_errno(errno, "read from a socket");
    buffer_.append(bytes.data(), static_cast<size_t>(n));
    return n > 0;
  }
}

base::Result<std::string> Stream::read_all(size_t limit, base::Duration deadline,
                                           const std::stop_token& stop) {
  const auto until = deadline_in(deadline);
  for (;;) {
    TRY(const bool more, fill(until, stop));
    if (buffer_.size() > limit)
      return base::fail(Code::kResourceExhausted, fmt::format("more than {} bytes", limit));
    if (!more) return std::exchange(buffer_, std::string());
  }
}

base::Result<std::string> Stream::read_line(size_t limit, base::Duration deadline,
                                            const std::stop_token& stop) {
  const auto until = deadline_in(deadline);
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (std::min(end, buffer_.size()) > limit)
      return base::fail(Code::kResourceExhausted, fmt::format("a line of over {} bytes", limit));
    if (end != std::string::npos) {
      auto line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    TRY(const bool more, fill(until, stop));
    if (!more) return base::fail(Code::kUnavailable, "the other side ended in mid-line");
  }
}

base::Result<std::string> Stream::read_some(base::Tick until, const std::stop_token& stop) {
  if (buffer_.empty()) TRY_OK(fill(until, stop));
  return std::exchange(buffer_, std::string());
}

base::Status Stream::write_all(std::string_view bytes, base::Duration deadline,
                               const std::stop_token& stop) {
  const auto until = deadline_in(deadline);
  while (!bytes.empty()) {
    PollItem item{fd_.get(), POLLOUT, 0};
    TRY_OK(poll_until({&item}, until, stop));
    const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n < 0) return fail_errno(errno, "write to a socket");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

base::Status Stream::end_writing() {
  if (::shutdown(fd_.get(), SHUT_WR) != 0) return fail_errno(errno, "shutdown of a socket");
  return {};
}

base::Result<unsigned> UnixStream::peer_uid() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return fail_errno(errno, "SO_PEERCRED");
  return peer.uid;
}

base::Result<UnixListener> UnixListener::listen(const std::string& path, unsigned mode) {
  TRY(auto fd, new_socket());
  TRY(const auto address, address_of(path));
  struct stat info{};
  if (::lstat(path.c_str(), &info) == 0) {
    if (!S_ISSOCK(info.st_mode))
      return base::fail(Code::kAlreadyExists, path + " is there, and is no socket");
    if (::unlink(path.c_str()) != 0) return fail_errno(errno, "remove " + path);
  }
  // The mode of the socket itself decides who may connect, from the first moment on.
  ::fchmod(fd.get(), mode);
  if (::bind(fd.get(), generic(address), sizeof address.value) != 0)
    return fail_errno(errno, "bind " + path);
  UnixListener listener(std::move(fd), path);
  if (::chmod(path.c_str(), mode) != 0) return fail_errno(errno, "chmod " + path);
  if (::listen(listener.fd_.get(), 64) != 0) return fail_errno(errno, "listen on " + path);
  return listener;
}

UnixListener::~UnixListener() {
  if (fd_.open()) ::unlink(path_.c_str());
}

base::Result<UnixStream> UnixListener::accept(const std::stop_token& stop) {
  TRY(auto fd, accept_from(fd_.get(), stop, base::Tick::max()));
  return UnixStream(std::move(fd));
}

base::Result<Stream> Stream::connect_tcp(const std::string& host, unsigned port) {
  TRY(const auto address, numeric_address(host, port));
  // Blocking while it connects: it is for peers on this machine, which answer at once.
  Fd fd(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.open()) return fail_errno(errno, "socket");
  if (::connect(fd.get(), address->ai_addr, address->ai_addrlen) != 0)
    return fail_errno(errno, fmt::format("connect to {}:{}", host, port));
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) return fail_errno(errno, "fcntl");
  return Stream(std::move(fd));
}

base::Result<Stream> Stream::dial(const std::string& host, unsigned port, base::Duration deadline,
                                  const std::stop_token& stop) {
  const auto until = deadline_in(deadline);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int why = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
      why != 0)
    return base::fail(why == EAI_AGAIN ? Code::kUnavailable : Code::kNotFound,
                      fmt::format("'{}' has no address: {}", host, ::gai_strerror(why)));
  const AddressInfo addresses(found, ::freeaddrinfo);
  base::Error last{Code::kUnavailable, "no address"};
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) {
    auto fd = connect_to(*at, until, stop);
    if (fd) return Stream(*std::move(fd));
    last = fd.error();
  }
  return std::unexpected(last.in(fmt::format("connect to {} port {}", host, port)));
}

base::Result<TcpListener> TcpListener::listen(const std::string& host, unsigned port) {
  TRY(const auto address, numeric_address(host, port));
  Fd fd(::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.open()) return fail_errno(errno, "socket");
  const int on = 1;
  const auto what = fmt::format("listen on {}:{}", host, port);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(fd.get(), address->ai_addr, address->ai_addrlen) != 0 || ::listen(fd.get(), 64) != 0)
    return fail_errno(errno, what);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return fail_errno(errno, what);
  const auto chosen = bound.ss_family == AF_INET6
                          ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                          : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
  return TcpListener(std::move(fd), ntohs(chosen));
}

base::Result<Stream> TcpListener::accept(const std::stop_token& stop, base::Tick until) const {
  TRY(auto fd, accept_from(fd_.get(), stop, until));
  return Stream(std::move(fd));
}

}  // namespace posix
