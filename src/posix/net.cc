#include "posix/net.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "posix/wakeup.h"

namespace posix {

base::Result<bool> is_port_free(Port port) {
  const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.open()) return fail_errno(errno, "socket");
  // As etcd's own listener does: a closing connection of the past does not occupy the port.
  const int on = 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
    return fail_errno(errno, "setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 1) != 0) {
    if (errno == EADDRINUSE) return false;
    return fail_errno(errno, fmt::format("listen on 127.0.0.1:{}", port));
  }
  return true;
}

base::Result<std::vector<Port>> pick_free_ports(const PortRange& range, size_t count,
                                                const std::set<Port>& taken) {
  std::vector<Port> ports;
  for (unsigned p = range.first; p <= range.last && ports.size() < count; ++p) {
    const auto port = static_cast<Port>(p);
    if (taken.contains(port)) continue;
    TRY(const bool free, is_port_free(port));
    if (free) ports.push_back(port);
  }
  if (ports.size() < count)
    return base::fail(base::Code::kResourceExhausted,
                      fmt::format("only {} of {} ports are free in {}-{}", ports.size(), count,
                                  range.first, range.last));
  return ports;
}

base::Result<Fd> connect_loopback(Port port, base::Duration deadline, const std::stop_token& stop) {
  const auto until = deadline_in(deadline);
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.open()) return fail_errno(errno, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string what = fmt::format("connect to 127.0.0.1:{}", port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return fd;
  if (errno != EINPROGRESS) return base::fail(base::Code::kUnavailable, what + ": refused");
  PollItem item{fd.get(), POLLOUT, 0};
  TRY_OK(poll_until({&item}, until, stop));
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
    return base::fail(base::Code::kUnavailable, what + ": refused");
  return fd;
}

}  // namespace posix
