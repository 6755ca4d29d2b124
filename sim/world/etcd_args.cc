#include "sim/world/etcd_args.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/time.h"

namespace sim {
namespace {

// Of all versions.
constexpr std::string_view kSince34 =
    "advertise-client-urls auth-token auth-token-ttl auto-compaction-mode "
    "auto-compaction-retention auto-tls backend-batch-interval backend-batch-limit "
    "bcrypt-cost cert-file cipher-suites client-cert-allowed-hostname client-cert-auth "
    "client-crl-file cors data-dir discovery-fallback discovery-proxy discovery-srv "
    "discovery-srv-name election-timeout enable-pprof force-new-cluster "
    "grpc-keepalive-interval grpc-keepalive-min-time grpc-keepalive-timeout "
    "heartbeat-interval host-whitelist initial-advertise-peer-urls initial-cluster "
    "initial-cluster-state initial-cluster-token initial-election-tick-advance key-file "
    "listen-client-urls listen-metrics-urls listen-peer-urls log-level log-outputs logger "
    "max-concurrent-streams max-request-bytes max-snapshots max-txn-ops max-wals metrics "
    "name peer-auto-tls peer-cert-allowed-cn peer-cert-allowed-hostname peer-cert-file "
    "peer-client-cert-auth peer-crl-file peer-key-file peer-trusted-ca-file pre-vote "
    "quota-backend-bytes snapshot-count strict-reconfig-check trusted-ca-file wal-dir ";
// Of 3.5 and later.
constexpr std::string_view kSince35 =
    "backend-bbolt-freelist-type client-cert-file client-key-file enable-grpc-gateway "
    "enable-log-rotation listen-client-http-urls log-rotation-config-json "
    "peer-client-cert-file peer-client-key-file raft-read-timeout raft-write-timeout "
    "self-signed-cert-validity socket-reuse-address socket-reuse-port tls-max-version "
    "tls-min-version unsafe-no-fsync v2-deprecation ";

struct Span {
  std::string_view flag;
  int first, last;  // minors of 3.x
};
constexpr int kAlways = 99;

constexpr std::array kSpans{
    Span{"experimental-initial-corrupt-check", 4, 6},
    Span{"experimental-corrupt-check-time", 4, 6},
    Span{"corrupt-check-time", 6, kAlways},
    Span{"experimental-compact-hash-check-enabled", 5, 6},
    Span{"experimental-compact-hash-check-time", 5, 6},
    Span{"compact-hash-check-time", 6, kAlways},
    Span{"feature-gates", 6, kAlways},
    Span{"experimental-compaction-batch-limit", 4, 6},
    Span{"compaction-batch-limit", 6, kAlways},
    Span{"experimental-watch-progress-notify-interval", 4, 6},
    Span{"watch-progress-notify-interval", 6, kAlways},
    Span{"experimental-warning-apply-duration", 4, 6},
    Span{"warning-apply-duration", 6, kAlways},
    Span{"experimental-peer-skip-client-san-verification", 4, 6},
    Span{"peer-skip-client-san-verification", 6, kAlways},
    Span{"experimental-snapshot-catchup-entries", 5, 6},
    Span{"snapshot-catchup-entries", 6, kAlways},
    Span{"experimental-stop-grpc-service-on-defrag", 5, 6},
    Span{"experimental-bootstrap-defrag-threshold-megabytes", 5, 6},
    Span{"bootstrap-defrag-threshold-megabytes", 6, kAlways},
    Span{"experimental-enable-distributed-tracing", 5, 6},
    Span{"enable-distributed-tracing", 6, kAlways},
    Span{"max-learners", 6, kAlways},
    Span{"experimental-max-learners", 1, 0},
    Span{"force-new-cluster-bump-amount", 1, 0},
    Span{"enable-v2", 4, 5},
    Span{"proxy", 4, 5},
    Span{"discovery", 4, 6},
    Span{"log-format", 6, kAlways},
    Span{"downgrade-check-time", 6, kAlways},
    Span{"compaction-sleep-interval", 6, kAlways},
    Span{"memory-mlock", 6, kAlways},
    Span{"warning-unary-request-duration", 6, kAlways},
    Span{"experimental-compaction-sleep-interval", 5, 6},
    Span{"experimental-downgrade-check-time", 5, 6},
    Span{"experimental-memory-mlock", 5, 6},
    Span{"experimental-txn-mode-write-with-shared-buffer", 5, 6},
    Span{"experimental-enable-lease-checkpoint", 5, 6},
    Span{"experimental-enable-lease-checkpoint-persist", 5, 6},
    Span{"experimental-warning-unary-request-duration", 5, 6},
};

bool lists(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const auto each = words.substr(0, words.find(' '));
    if (each == word) return true;
    words.remove_prefix(std::min(words.size(), each.size() + 1));
  }
  return false;
}

bool knows(const api::Version& version, std::string_view flag) {
  const auto found = std::ranges::find(kSpans, flag, &Span::flag);
  if (found == kSpans.end())
    return lists(kSince34, flag) || (version.minor >= 5 && lists(kSince35, flag));
  // Both came within 3.5.
  if (version.minor == 5 && version.patch < 33 &&
      (flag == "experimental-snapshot-catchup-entries" ||
       flag == "experimental-stop-grpc-service-on-defrag"))
    return false;
  return version.minor >= found->first && version.minor <= found->last;
}

std::string_view name_of(std::string_view flag) {
  while (flag.starts_with('-')) flag.remove_prefix(1);
  return flag.substr(0, flag.find('='));
}

std::vector<std::pair<std::string, std::string>> read_initial(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> list;
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    const auto at = part.find('=');
    if (at != std::string_view::npos)
      list.emplace_back(std::string(part.substr(0, at)), std::string(part.substr(at + 1)));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
  }
  return list;
}

template <class T>
T number(std::string_view text, T otherwise) {
  T value = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

base::Duration duration(std::string_view text) {
  return base::parse_duration(text).value_or(base::Duration(0));
}

void read_checks(Args& args, std::string_view name, std::string_view value) {
  if (name == "experimental-initial-corrupt-check") args.initial_check = value != "false";
  if (name == "feature-gates") {
    if (value.find("InitialCorruptCheck=true") != std::string_view::npos) args.initial_check = true;
  }
  if (name.ends_with("compact-hash-check-time")) args.compact_check = duration(value);
  if (name == "corrupt-check-time" || name == "experimental-corrupt-check-time")
    args.periodic_check = duration(value);
}

}  // namespace

std::string unknown_flag(const api::Version& version, const std::vector<std::string>& flags) {
  for (const auto& flag : flags)
    if (const auto name = name_of(flag); !knows(version, name)) return std::string(name);
  return {};
}

Args read_args(const api::Version& version, const std::vector<std::string>& argv) {
  Args args;
  args.version = version;
  bool checks_compaction = false;
  for (const auto& arg : argv) {
    const auto name = name_of(arg);
    const auto at = arg.find('=');
    const std::string value = at == std::string::npos ? "true" : arg.substr(at + 1);
    if (name == "name")
      args.name = value;
    else if (name == "initial-advertise-peer-urls")
      args.peer_url = value;
    else if (name == "advertise-client-urls")
      args.client_url = value;
    else if (name == "initial-cluster")
      args.initial = read_initial(value);
    else if (name == "initial-cluster-token")
      args.token = value;
    else if (name == "initial-cluster-state")
      args.existing = value == "existing";
    else if (name == "force-new-cluster")
      args.force_new = value != "false";
    else if (name == "strict-reconfig-check")
      args.strict = value != "false";
    else if (name == "quota-backend-bytes")
      args.quota = number(value, args.quota);
    else if (name == "snapshot-count")
      args.snapshot_count = number(value, args.snapshot_count);
    else
      args.flags.push_back(arg);
    if (name == "experimental-compact-hash-check-enabled") checks_compaction = value != "false";
    if (name == "feature-gates" && value.find("CompactHashCheck=true") != std::string::npos)
      checks_compaction = true;
    read_checks(args, name, value);
  }
  if (!checks_compaction) args.compact_check = base::Duration(0);
  if (checks_compaction && args.compact_check == base::Duration(0))
    args.compact_check = base::Duration(60'000);
  if (args.quota == 0) args.quota = Args().quota;
  return args;
}

}  // namespace sim
