// Semantic versions of etcd; the leading "v" is optional in what users write.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace api {

struct Version {
  int major = 0, minor = 0, patch = 0;
  std::string pre;                         // "rc.1"; a pre-release sorts before its release
  [[nodiscard]] std::string text() const;  // "3.5.12"
  [[nodiscard]] bool same_minor(const Version& o) const {
    return major == o.major && minor == o.minor;
  }
  std::strong_ordering operator<=>(const Version& o) const;
  bool operator==(const Version& o) const = default;
};

// InvalidArgument says what is allowed.
base::Result<Version> parse_version(std::string_view text);

}  // namespace api
