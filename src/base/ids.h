// Strong types for the numbers and names that must not be mixed up.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

// etcd's ids: 64 bits, written as hex without leading zeros, as etcdctl does. 0 is "none".
template <class Tag>
struct EtcdId {
  std::uint64_t value = 0;
  auto operator<=>(const EtcdId&) const = default;
  explicit operator bool() const { return value != 0; }
};
using MemberId = EtcdId<struct MemberTag>;
using ClusterId = EtcdId<struct ClusterTag>;

std::string to_hex(std::uint64_t value);
std::optional<std::uint64_t> parse_hex(std::string_view text);

template <class Tag>
std::string to_text(EtcdId<Tag> id) {
  return to_hex(id.value);
}

// "namespace/name": one cluster, in both API groups.
struct ClusterKey {
  std::string ns = "default";
  std::string name;
  auto operator<=>(const ClusterKey&) const = default;
  [[nodiscard]] std::string text() const { return ns + "/" + name; }
};

}  // namespace base
