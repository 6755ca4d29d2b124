// Which names are allowed; each check gives what is wrong, or no value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace api {

// DNS-1035, at most 45 characters, not ending in -client or -peer: the names of the objects made
// for a cluster are derived from it and must fit and stay its own.
std::optional<std::string> check_cluster_name(std::string_view name);
std::optional<std::string> check_namespace(std::string_view name);    // a DNS-1123 label
std::optional<std::string> check_object_name(std::string_view name);  // a DNS-1123 subdomain
std::optional<std::string> check_label_key(std::string_view key);
std::optional<std::string> check_label_value(std::string_view value);
std::optional<std::string> check_dns_name(std::string_view name);  // a leading "*." is allowed
std::optional<std::string> check_ip(std::string_view text);

}  // namespace api
