#include "api/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace api {
namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}
bool is_label_char(char c) {
  return is_lower(c) || is_digit(c) || c == '-';
}

bool is_dns_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, is_label_char) &&
         label.front() != '-' && label.back() != '-';
}

bool is_subdomain(std::string_view name) {
  return name.size() <= 253 && std::ranges::all_of(base::split(name, '.'), is_dns_label);
}

// What label values and the names of keys are made of.
bool is_qualified(std::string_view text) {
  return text.size() <= 63 && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::ranges::all_of(
             text, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::optional<int> small_number(std::string_view text) {
  if (text.empty() || text.size() > 3 || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return static_cast<int>(*base::parse_int(text));
}

bool is_ipv4(std::string_view text) {
  const auto parts = base::split(text, '.');
  return parts.size() == 4 && std::ranges::all_of(parts, [](std::string_view part) {
           const auto number = small_number(part);
           return number && *number <= 255;
         });
}

bool is_ipv6(std::string_view text) {
  if (text.size() > 39 || text.size() < 2) return false;
  const size_t gap = text.find("::");
  if (gap != std::string_view::npos && text.find("::", gap + 1) != std::string_view::npos)
    return false;
  size_t groups = 0, empty = 0;
  for (const auto part : base::split(text, ':')) {
    ++groups;
    if (part.empty()) ++empty;
    if (part.size() > 4 || !std::ranges::all_of(part, [](char c) {
          return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        }))
      return false;
  }
  if (gap == std::string_view::npos) return groups == 8 && empty == 0;
  const bool at_edge = gap == 0 || gap + 2 == text.size();
  return groups <= 8 + (at_edge ? 1U : 0U) && empty == (text == "::" ? 3U : at_edge ? 2U : 1U);
}

}  // namespace

std::optional<std::string> check_cluster_name(std::string_view name) {
  if (name.empty()) return "is required";
  if (name.size() > 45)
    return fmt::format("has {} characters; at most 45 are allowed", name.size());
  if (!is_dns_label(name) || !is_lower(name.front()))
    return "only a-z, 0-9 and - are allowed; it begins with a letter and ends with a letter or "
           "digit";
  for (const std::string_view suffix : {"-client", "-peer"})
    if (name.ends_with(suffix))
      return fmt::format("must not end in {}: other objects of a cluster are named so", suffix);
  return std::nullopt;
}

std::optional<std::string> check_namespace(std::string_view name) {
  if (is_dns_label(name)) return std::nullopt;
  return "only a-z, 0-9 and - are allowed, at most 63 characters, no - at either end";
}

std::optional<std::string> check_object_name(std::string_view name) {
  if (is_subdomain(name)) return std::nullopt;
  return "only a-z, 0-9, - and . are allowed, each part begins and ends with a letter or digit";
}

std::optional<std::string> check_label_key(std::string_view key) {
  const size_t slash = key.find('/');
  const auto name = slash == std::string_view::npos ? key : key.substr(slash + 1);
  const bool prefix_ok = slash == std::string_view::npos || is_subdomain(key.substr(0, slash));
  if (!name.empty() && is_qualified(name) && prefix_ok) return std::nullopt;
  return "a key is [domain/]name, the name of at most 63 letters, digits, -, _ and .";
}

std::optional<std::string> check_label_value(std::string_view value) {
  if (value.empty() || is_qualified(value)) return std::nullopt;
  return "a label's value has at most 63 letters, digits, -, _ and .";
}

std::optional<std::string> check_dns_name(std::string_view name) {
  std::string_view rest = name;
  if (rest.starts_with("*.")) rest.remove_prefix(2);
  std::string lower(rest);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (is_subdomain(lower)) return std::nullopt;
  return "is not a DNS name";
}

std::string pod_of_member(std::string_view member) {
  return fmt::format("{}-0", member);
}

std::string claim_of_member(std::string_view member) {
  return fmt::format("data-{}", member);
}

std::optional<std::string> check_ip(std::string_view text) {
  if (is_ipv4(text) || is_ipv6(text)) return std::nullopt;
  return "is not an IP address";
}

}  // namespace api
