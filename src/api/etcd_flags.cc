#include <algorithm>
#include <array>

#include "api/etcd_options.h"

namespace api {
namespace {

constexpr auto kOperator = FlagOwner::kOperator;
constexpr auto kRefused = FlagOwner::kRefused;
constexpr auto kUser = FlagOwner::kUser;

constexpr std::string_view kIdentity = "it is the member's identity";
constexpr std::string_view kAddress = "the operator gives each member its addresses";
constexpr std::string_view kCertificates =
    "the operator gives each member its certificates; see tls";
constexpr std::string_view kDiscovery = "the operator knows the members; nothing is discovered";
constexpr std::string_view kLogs = "the operator reads etcd's log";
constexpr std::string_view kProxy = "a member is never a proxy";

constexpr EtcdFlag plain(std::string_view name) {
  return {name, "", ""};
}
// The same flag, with a value of this kind.
constexpr EtcdFlag integer(EtcdFlag flag) {
  flag.value = FlagValue::kInteger;
  return flag;
}
constexpr EtcdFlag duration(EtcdFlag flag) {
  flag.value = FlagValue::kDuration;
  return flag;
}
constexpr EtcdFlag toggle(std::string_view name) {
  return {name, "", "", kUser, true};
}
constexpr EtcdFlag owned(std::string_view name, std::string_view why, bool is_switch = false,
                         std::string_view since = "", std::string_view until = "") {
  return {name, since, until, kOperator, is_switch, {}, {}, why};
}
constexpr EtcdFlag refused(std::string_view name, std::string_view why,
                           std::string_view until = "") {
  return {name, "", until, kRefused, true, {}, {}, why};
}
// Once experimental, plain from 3.6 on.
constexpr EtcdFlag grown(std::string_view name, std::string_view before, bool is_switch = false) {
  return {name, "3.6.0", "", kUser, is_switch, before};
}
// Once experimental, a feature gate from 3.6 on.
constexpr EtcdFlag gated(std::string_view name, std::string_view gate, std::string_view before) {
  return {name, "", "3.6.0", kUser, true, before, gate};
}
constexpr EtcdFlag newer(std::string_view name, std::string_view since) {
  return {name, since, ""};
}

constexpr std::array kFlags{
    owned("name", kIdentity),
    owned("data-dir", kIdentity),
    owned("wal-dir", kIdentity),
    owned("initial-advertise-peer-urls", kAddress),
    owned("initial-cluster", kIdentity),
    owned("initial-cluster-state", kIdentity),
    owned("initial-cluster-token", kIdentity),
    owned("listen-client-urls", kAddress),
    owned("listen-client-http-urls", kAddress, false, "3.5.0"),
    owned("listen-peer-urls", kAddress),
    owned("listen-metrics-urls", kAddress),
    owned("advertise-client-urls", kAddress),
    owned("config-file", "etcd would ignore every other flag"),
    owned("cert-file", kCertificates),
    owned("key-file", kCertificates),
    owned("client-cert-file", kCertificates, false, "3.5.0"),
    owned("client-key-file", kCertificates, false, "3.5.0"),
    owned("trusted-ca-file", kCertificates),
    owned("client-cert-auth", kCertificates, true),
    owned("client-crl-file", kCertificates),
    owned("client-cert-allowed-hostname", kCertificates),
    owned("auto-tls", kCertificates, true),
    owned("self-signed-cert-validity", kCertificates, false, "3.5.0"),
    owned("peer-cert-file", kCertificates),
    owned("peer-key-file", kCertificates),
    owned("peer-client-cert-file", kCertificates, false, "3.5.0"),
    owned("peer-client-key-file", kCertificates, false, "3.5.0"),
    owned("peer-trusted-ca-file", kCertificates),
    owned("peer-client-cert-auth", kCertificates, true),
    owned("peer-crl-file", kCertificates),
    owned("peer-cert-allowed-cn", kCertificates),
    owned("peer-cert-allowed-hostname", kCertificates),
    owned("peer-auto-tls", kCertificates, true),
    EtcdFlag{"peer-skip-client-san-verification",
             "3.6.0",
             "",
             kOperator,
             true,
             "3.4.0",
             {},
             kCertificates},
    owned("discovery", kDiscovery, false, "", "3.7.0"),
    owned("discovery-cacert", kDiscovery, false, "3.6.0"),
    owned("discovery-cert", kDiscovery, false, "3.6.0"),
    owned("discovery-dial-timeout", kDiscovery, false, "3.6.0"),
    owned("discovery-endpoints", kDiscovery, false, "3.6.0"),
    owned("discovery-fallback", kDiscovery),
    owned("discovery-insecure-skip-tls-verify", kDiscovery, true, "3.6.0"),
    owned("discovery-insecure-transport", kDiscovery, true, "3.6.0"),
    owned("discovery-keepalive-time", kDiscovery, false, "3.6.0"),
    owned("discovery-keepalive-timeout", kDiscovery, false, "3.6.0"),
    owned("discovery-key", kDiscovery, false, "3.6.0"),
    owned("discovery-password", kDiscovery, false, "3.6.0"),
    owned("discovery-proxy", kDiscovery, false, "", "3.7.0"),
    owned("discovery-request-timeout", kDiscovery, false, "3.6.0"),
    owned("discovery-srv", kDiscovery),
    owned("discovery-srv-name", kDiscovery),
    owned("discovery-token", kDiscovery, false, "3.6.0"),
    owned("discovery-user", kDiscovery, false, "3.6.0"),
    owned("logger", kLogs),
    owned("log-outputs", kLogs),
    owned("log-output", kLogs, false, "", "3.5.0"),
    owned("debug", kLogs, true, "", "3.5.0"),
    owned("log-package-levels", kLogs, false, "", "3.5.0"),
    owned("log-format", kLogs, false, "3.6.0"),
    owned("enable-log-rotation", kLogs, true, "3.5.0"),
    owned("log-rotation-config-json", kLogs, false, "3.5.0"),
    owned("proxy", kProxy, false, "", "3.6.0"),
    owned("proxy-dial-timeout", kProxy, false, "", "3.6.0"),
    owned("proxy-failure-wait", kProxy, false, "", "3.6.0"),
    owned("proxy-read-timeout", kProxy, false, "", "3.6.0"),
    owned("proxy-refresh-interval", kProxy, false, "", "3.6.0"),
    owned("proxy-write-timeout", kProxy, false, "", "3.6.0"),
    refused("force-new-cluster", "it gives up members; see recovery"),
    refused("unsafe-no-fsync", "it loses acknowledged writes"),
    refused("strict-reconfig-check", "it keeps a membership change from losing the quorum"),
    refused("enable-v2", "data of API v2 block the way to 3.6", "3.6.0"),
    refused("experimental-enable-v2v3", "data of API v2 block the way to 3.6", "3.6.0"),
    refused("version", "it would only print the version"),
    refused("help", "it would only print the help"),
    plain("auth-token"),
    integer(plain("auth-token-ttl")),
    plain("auto-compaction-mode"),
    plain("auto-compaction-retention"),
    duration(plain("backend-batch-interval")),
    integer(plain("backend-batch-limit")),
    EtcdFlag{"backend-bbolt-freelist-type", "3.5.0", "", kUser, false, "3.4.0"},
    integer(plain("bcrypt-cost")),
    plain("cipher-suites"),
    plain("cors"),
    integer(plain("election-timeout")),
    toggle("enable-grpc-gateway"),
    toggle("enable-pprof"),
    newer("feature-gates", "3.6.0"),
    duration(plain("grpc-keepalive-interval")),
    duration(plain("grpc-keepalive-min-time")),
    duration(plain("grpc-keepalive-timeout")),
    integer(plain("heartbeat-interval")),
    plain("host-whitelist"),
    toggle("initial-election-tick-advance"),
    plain("log-level"),
    integer(newer("max-concurrent-streams", "3.5.7")),
    integer(newer("max-learners", "3.6.0")),
    integer(plain("max-request-bytes")),
    integer(plain("max-snapshots")),
    integer(plain("max-txn-ops")),
    integer(plain("max-wals")),
    plain("metrics"),
    toggle("pre-vote"),
    integer(plain("quota-backend-bytes")),
    duration(newer("raft-read-timeout", "3.5.0")),
    duration(newer("raft-write-timeout", "3.5.0")),
    integer(plain("snapshot-count")),
    EtcdFlag{"socket-reuse-address", "3.5.0", "", kUser, true},
    EtcdFlag{"socket-reuse-port", "3.5.0", "", kUser, true},
    newer("tls-max-version", "3.5.8"),
    newer("tls-min-version", "3.5.8"),
    newer("v2-deprecation", "3.5.0"),
    gated("compact-hash-check-enabled", "CompactHashCheck", "3.5.5"),
    gated("enable-lease-checkpoint", "LeaseCheckpoint", "3.5.0"),
    gated("enable-lease-checkpoint-persist", "LeaseCheckpointPersist", "3.5.2"),
    gated("initial-corrupt-check", "InitialCorruptCheck", "3.4.0"),
    gated("stop-grpc-service-on-defrag", "StopGRPCServiceOnDefrag", "3.5.14"),
    gated("txn-mode-write-with-shared-buffer", "TxnModeWriteWithSharedBuffer", "3.5.0"),
    integer(grown("bootstrap-defrag-threshold-megabytes", "3.5.0")),
    duration(grown("compact-hash-check-time", "3.5.5")),
    integer(grown("compaction-batch-limit", "3.4.0")),
    duration(grown("compaction-sleep-interval", "3.5.18")),
    duration(grown("corrupt-check-time", "3.4.0")),
    grown("distributed-tracing-address", "3.5.0"),
    grown("distributed-tracing-instance-id", "3.5.0"),
    integer(grown("distributed-tracing-sampling-rate", "3.5.0")),
    grown("distributed-tracing-service-name", "3.5.0"),
    duration(grown("downgrade-check-time", "3.5.0")),
    grown("enable-distributed-tracing", "3.5.0", true),
    grown("memory-mlock", "3.5.0", true),
    integer(grown("snapshot-catchup-entries", "3.5.14")),
    duration(grown("warning-apply-duration", "3.4.23")),
    duration(grown("warning-unary-request-duration", "3.6.0")),
    duration(grown("watch-progress-notify-interval", "3.4.0")),
};

}  // namespace

std::span<const EtcdFlag> etcd_flags() {
  return kFlags;
}

const EtcdFlag* find_etcd_flag(std::string_view name) {
  constexpr std::string_view kExperimental = "experimental-";
  const bool old = name.starts_with(kExperimental);
  for (const auto& flag : kFlags) {
    if (flag.name == name) return &flag;
    if (old && !flag.experimental_since.empty() && flag.name == name.substr(kExperimental.size()))
      return &flag;
  }
  return nullptr;
}

std::optional<std::string> flag_name_in(const EtcdFlag& flag, const Version& version) {
  const auto at_least = [&](std::string_view since) {
    return since.empty() || !(version < *parse_version(since));
  };
  const bool plain_form = at_least(flag.since) && (flag.until.empty() || !at_least(flag.until));
  if (plain_form && flag.gate.empty()) return std::string(flag.name);
  // The experimental forms still exist in 3.6, where the plain one, or the gate, is preferred.
  if (!flag.experimental_since.empty() && at_least(flag.experimental_since) && !at_least("3.6.0"))
    return "experimental-" + std::string(flag.name);
  return std::nullopt;
}

}  // namespace api
