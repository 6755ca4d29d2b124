// Which users and roles etcd had: they are no part of its keys' history.
#pragma once

#include <cstdint>

namespace archive {

struct UsersMark {
  std::uint64_t revision = 0;  // of users and roles alone; 0: not known (etcd 3.4)
  bool enabled = false;        // etcd asks for them. Enabling it raises no revision
  bool operator==(const UsersMark&) const = default;
};

// What is not known is no difference.
inline bool differ(const UsersMark& a, const UsersMark& b) {
  return a.revision != 0 && b.revision != 0 && a != b;
}

}  // namespace archive
