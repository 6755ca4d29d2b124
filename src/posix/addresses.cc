#include "posix/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "posix/errors.h"

namespace posix {
namespace {

std::string text_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address->sa_family == AF_INET) {
    bytes = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  } else if (address->sa_family == AF_INET6) {
    const auto* six = &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(six)) return {};
    bytes = six;
  }
  if (bytes == nullptr ||
      ::inet_ntop(address->sa_family, bytes, text.data(), text.size()) == nullptr)
    return {};
  return text.data();
}

// A connected datagram socket sends nothing, and knows which address it would send from.
std::string source_towards(int family, const sockaddr* to, socklen_t size) {
  const Fd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.open() || ::connect(fd.get(), to, size) != 0) return {};
  sockaddr_storage own{};
  socklen_t length = sizeof own;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &length) != 0) return {};
  return text_of(reinterpret_cast<const sockaddr*>(&own));
}

}  // namespace

base::Result<std::string> host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return fail_errno(errno, "host name");
  return std::string(name.data());
}

base::Result<std::vector<std::string>> interface_addresses() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return fail_errno(errno, "addresses of the interfaces");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(raw, &::freeifaddrs);
  std::vector<std::string> out;
  for (const ifaddrs* i = all.get(); i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || (i->ifa_flags & IFF_UP) == 0) continue;
    if (auto text = text_of(i->ifa_addr); !text.empty()) out.push_back(std::move(text));
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

base::Result<std::string> default_address() {
  // Addresses of documentation: of the world, and nobody's.
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(9);
  ::inet_pton(AF_INET, "192.0.2.1", &four.sin_addr);
  if (auto text = source_towards(AF_INET, reinterpret_cast<const sockaddr*>(&four), sizeof four);
      !text.empty())
    return text;
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(9);
  ::inet_pton(AF_INET6, "2001:db8::1", &six.sin6_addr);
  if (auto text = source_towards(AF_INET6, reinterpret_cast<const sockaddr*>(&six), sizeof six);
      !text.empty())
    return text;
  return base::fail(base::Code::kNotFound, "this machine has no default route");
}

AddressKind kind_of_address(const std::string& text) {
  in6_addr bytes{};
  if (::inet_pton(AF_INET, text.c_str(), &bytes) == 1) return AddressKind::kV4;
  if (::inet_pton(AF_INET6, text.c_str(), &bytes) == 1) return AddressKind::kV6;
  return AddressKind::kNone;
}

std::string canonical_address(const std::string& text) {
  in6_addr bytes{};
  const int family = kind_of_address(text) == AddressKind::kV6 ? AF_INET6 : AF_INET;
  std::array<char, INET6_ADDRSTRLEN> out{};
  if (::inet_pton(family, text.c_str(), &bytes) != 1 ||
      ::inet_ntop(family, &bytes, out.data(), out.size()) == nullptr)
    return text;
  return out.data();
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

}  // namespace posix
