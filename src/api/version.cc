#include "api/version.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"

namespace api {
namespace {

using base::Code;

base::Error bad_version(std::string_view text, std::string_view why) {
  return {Code::kInvalidArgument,
          fmt::format("'{}' is not an etcd version: {}; write for example 3.5.12 or v3.5.12",
                      text.substr(0, 64), why)};
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Semver's order of one dot-separated identifier: numbers by value and before words.
std::strong_ordering compare_identifier(std::string_view a, std::string_view b) {
  const bool a_number = all_digits(a), b_number = all_digits(b);
  if (a_number != b_number)
    return a_number ? std::strong_ordering::less : std::strong_ordering::greater;
  if (a_number && a.size() != b.size()) return a.size() <=> b.size();
  return a.compare(b) <=> 0;
}

std::strong_ordering compare_pre(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return static_cast<int>(a.empty()) <=> static_cast<int>(b.empty());
  const auto left = base::split(a, '.'), right = base::split(b, '.');
  for (size_t i = 0; i < std::min(left.size(), right.size()); ++i)
    if (const auto order = compare_identifier(left[i], right[i]); order != 0) return order;
  return left.size() <=> right.size();
}

bool is_pre(std::string_view text) {
  return std::ranges::all_of(base::split(text, '.'), [](std::string_view part) {
    return !part.empty() && (!all_digits(part) || part == "0" || part.front() != '0') &&
           std::ranges::all_of(part, [](char c) {
             return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    c == '-';
           });
  });
}

}  // namespace

std::string Version::text() const {
  return pre.empty() ? fmt::format("{}.{}.{}", major, minor, patch)
                     : fmt::format("{}.{}.{}-{}", major, minor, patch, pre);
}

std::strong_ordering Version::operator<=>(const Version& o) const {
  if (const auto order = major <=> o.major; order != 0) return order;
  if (const auto order = minor <=> o.minor; order != 0) return order;
  if (const auto order = patch <=> o.patch; order != 0) return order;
  return compare_pre(pre, o.pre);
}

base::Result<Version> parse_version(std::string_view text) {
  std::string_view rest = text;
  if (rest.empty()) return std::unexpected(bad_version(text, "it is empty"));
  if (rest.size() > 64)
    return std::unexpected(bad_version(text, "it is longer than 64 characters"));
  if (rest.front() == 'v') rest.remove_prefix(1);
  Version version;
  if (const size_t dash = rest.find('-'); dash != std::string_view::npos) {
    version.pre = rest.substr(dash + 1);
    rest = rest.substr(0, dash);
    if (!is_pre(version.pre))
      return std::unexpected(bad_version(text, "what follows '-' must be like rc.1"));
  }
  const auto parts = base::split(rest, '.');
  if (parts.size() != 3)
    return std::unexpected(bad_version(text, "it needs three numbers, major.minor.patch"));
  const std::array<int*, 3> into{&version.major, &version.minor, &version.patch};
  for (size_t i = 0; i < 3; ++i) {
    const auto part = parts[i];
    if (!all_digits(part) || part.size() > 6 || (part.size() > 1 && part.front() == '0'))
      return std::unexpected(bad_version(text, "each part is a number without leading zeros"));
    *into[i] = static_cast<int>(*base::parse_int(part));
  }
  return version;
}

}  // namespace api
