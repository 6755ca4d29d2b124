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

// Names of what is made on Kubernetes for cluster "c" and its member "c-3". No two clusters of one
// namespace that find_name_conflicts() lets live together share one of a kind.
struct ObjectNames {
  std::string cluster;

  [[nodiscard]] std::string headless_service() const { return cluster; }
  [[nodiscard]] std::string client_service() const { return cluster + "-client"; }
  [[nodiscard]] std::string service_account() const { return cluster; }
  [[nodiscard]] std::string disruption_budget() const { return cluster; }
  [[nodiscard]] std::string network_policy() const { return cluster; }
  [[nodiscard]] std::string record() const { return cluster + "-record"; }  // a ConfigMap
  [[nodiscard]] std::string client_ca() const { return cluster + "-ca"; }   // Secrets, from here
  [[nodiscard]] std::string peer_ca() const { return cluster + "-peer-ca"; }
  [[nodiscard]] std::string server_tls() const { return cluster + "-server-tls"; }
  [[nodiscard]] std::string peer_tls() const { return cluster + "-peer-tls"; }
  [[nodiscard]] std::string client_tls() const { return cluster + "-client-tls"; }
  [[nodiscard]] std::string operator_tls() const { return cluster + "-operator-tls"; }
  [[nodiscard]] std::string backups() const { return cluster + "-backups"; }  // a claim
};
// Of a member: its StatefulSet has its own name.
std::string pod_of_member(std::string_view member);    // "c-3-0"
std::string claim_of_member(std::string_view member);  // "data-c-3"

}  // namespace api
