#include "metrics/alerts.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "metrics/catalog.h"

namespace metrics {
namespace {

using enum Severity;

constexpr std::array<std::string_view, 7> kEtcd{"etcd_server_has_leader",
                                                "etcd_server_leader_changes_seen_total",
                                                "etcd_server_proposals_failed_total",
                                                "etcd_disk_wal_fsync_duration_seconds",
                                                "etcd_disk_backend_commit_duration_seconds",
                                                "etcd_network_peer_round_trip_time_seconds",
                                                "etcd_mvcc_db_total_size_in_bytes"};

std::string condition(std::string_view name, std::string_view test) {
  return fmt::format("{}{{condition=\"{}\"}} {}", kClusterCondition.name, name, test);
}

// Members are wanted: it is not stopped on purpose.
std::string unless_stopped() {
  return fmt::format(" unless on (namespace, cluster) {}{{state=\"wanted\"}} == 0",
                     kClusterMembers.name);
}

std::string p99(std::string_view histogram, std::string_view by) {
  return fmt::format("histogram_quantile(0.99, sum by ({}, le) (rate({}_bucket[5m])))", by,
                     histogram);
}

// What a person does first, whatever is wrong with one cluster.
constexpr std::string_view kAsk =
    "`etcd-operator status NAMESPACE/CLUSTER --state DIR` on a host, on Kubernetes "
    "`kubectl -n NAMESPACE describe etcdclusters.operator.etcd.io CLUSTER` (declared as CoreOS's: "
    "`etcdclusters.etcd.database.coreos.com`). The conditions and the last events name what was "
    "seen and the next step.";

std::vector<Alert> of_clusters() {
  return {
      {"EtcdClusterUnavailable", condition("Available", "== 0") + unless_stopped(), "1m", kCritical,
       "{{ $labels.namespace }}/{{ $labels.cluster }} does not answer a quorum read",
       "Clients cannot write. Most members are down, cut off from each other, or have lost their "
       "data.",
       kAsk,
       "Bring back machines, nodes or volumes that are away: members whose data is there go on by "
       "themselves. If the condition NeedsApproval is set, read its message before you approve."},
      {"EtcdClusterUnknown", condition("Available", "== -1"), "5m", kWarning,
       "nobody knows whether {{ $labels.namespace }}/{{ $labels.cluster }} serves",
       "The operator cannot ask etcd. The cluster may well serve.",
       "The operator's log, its way to the members' client port, and the certificates' dates.",
       "Mend the way or the certificate; the condition turns True or False with the next look."},
      {"EtcdNeedsApproval", condition("NeedsApproval", "== 1"), "0m", kCritical,
       "{{ $labels.namespace }}/{{ $labels.cluster }} waits for a person",
       "The next step can lose data or needs proof that the operator has not.",
       "The message of the condition NeedsApproval: it says what is known of each member and what "
       "may be lost.",
       "Bring the lost data back if you can; nothing is lost by waiting. Else "
       "give the approval that the message names, word for word."},
      {"EtcdClusterDegraded", condition("Degraded", "== 1"), "15m", kWarning,
       "{{ $labels.namespace }}/{{ $labels.cluster }} has been degraded for a quarter of an hour",
       "The cluster serves, with fewer members than it should, or with an alarm.", kAsk,
       "A member that is down is replaced after repair.timeoutSeconds unless the cause would meet "
       "the new one too: an image, a flag, a quota. Put that right."},
      {"EtcdMembersUnhealthy", fmt::format("{}{{state=\"unhealthy\"}} > 0", kClusterMembers.name),
       "10m", kWarning,
       "{{ $value }} members of {{ $labels.namespace }}/{{ $labels.cluster }} are not healthy",
       "One more failure may stop the cluster.", kAsk,
       "Look at the member's own log; a full disk or a slow one is the usual cause."},
      {"EtcdMembersMissing",
       fmt::format("{0}{{state=\"wanted\"}} - ignoring (state) {0}{{state=\"healthy\"}} > 0",
                   kClusterMembers.name),
       "30m", kWarning, "{{ $labels.namespace }}/{{ $labels.cluster }} lacks {{ $value }} members",
       "It has run for half an hour with fewer healthy voters than declared.", kAsk,
       "The condition Progressing says what the next member waits for: a node, a volume, an image, "
       "a quota of the namespace."},
  };
}

// What holds a change up, or will stop the cluster later.
std::vector<Alert> of_what_comes() {
  return {
      {"EtcdUpgradeBlocked", condition("UpgradeBlocked", "== 1"), "15m", kWarning,
       "the upgrade of {{ $labels.namespace }}/{{ $labels.cluster }} does not go on",
       "A check before the next step failed; nothing was changed.",
       "The message of the condition UpgradeBlocked.",
       "Do what it says, or set the version to what the members run: the status shows it."},
      {"EtcdCertificatesInvalid", condition("CertificatesValid", "== 0"), "5m", kCritical,
       "a certificate of {{ $labels.namespace }}/{{ $labels.cluster }} is not valid",
       "Members or clients will be refused, or are.", "The message of CertificatesValid.",
       "Certificates of the operator's own are renewed by themselves; if they are not, its log "
       "says "
       "why. Renew those of your own."},
      {"EtcdCertificateExpiresSoon",
       fmt::format("{} - time() < 7 * 86400", kCertificateExpiry.name), "1h", kWarning,
       "the {{ $labels.kind }} certificate of {{ $labels.namespace }}/{{ $labels.cluster }} "
       "expires "
       "within a week",
       "Leaves are renewed at two thirds of their life, so this one was not.",
       "The operator's log around the reason of certificates.",
       "Let the operator run. Renew certificates of your own."},
      {"EtcdStatusStale", fmt::format("time() - {} > 300", kClusterObserved.name), "5m", kWarning,
       "{{ $labels.namespace }}/{{ $labels.cluster }} was not looked at for {{ $value | "
       "humanizeDuration }}",
       "What the status says is old. The cluster itself needs no operator to serve.",
       "The operator's /healthz, its log, and etcd_operator_queue_length.",
       "Restart the operator if it hangs; members run on meanwhile."},
      {"EtcdDatabaseNearQuota",
       fmt::format("{} / {} > 0.85", kMemberDbSize.name, kMemberDbQuota.name), "10m", kWarning,
       "the database of {{ $labels.member }} in {{ $labels.namespace }} fills its quota",
       "At the quota etcd refuses writes (alarm NOSPACE).",
       "dbSize and dbInUse of the members: what is not in use goes with a defragmentation, which "
       "the operator does by rule.",
       "If what is in use grows: delete keys, compact, or raise --quota-backend-bytes."},
  };
}

std::vector<Alert> of_backups() {
  return {
      {"EtcdBackupUnhealthy", condition("BackupHealthy", "== 0"), "10m", kWarning,
       "backups of {{ $labels.namespace }}/{{ $labels.cluster }} fail or are overdue",
       "A loss of all data would go back further than the schedule promises.",
       "The message of BackupHealthy.", "Mend the store's address or credentials."},
      {"EtcdBackupUnproven", condition("BackupProven", "== 0"), "10m", kWarning,
       "no backup of {{ $labels.namespace }}/{{ $labels.cluster }} is proven now",
       "The newest backup is damaged, or could not be restored for proof; an older one may be all "
       "there is.",
       "The message of BackupProven, and `etcd-operator archive list --store` of the cluster.",
       "Of a damaged backup a new one is taken by itself: find out what damages the store. Of a "
       "drill that fails mend what the message names: room for two databases in the state "
       "directory, etcd's own programs, the store."},
      {"EtcdBackupBehind", condition("BackupContinuous", "== 0"), "5m", kWarning,
       "the continuous log of {{ $labels.namespace }}/{{ $labels.cluster }} does not keep up",
       "A loss of all data now would take more of the newest changes with it than maxLagSeconds "
       "allows.",
       "The message of BackupContinuous, and the metric etcd_operator_cluster_backup_lag_seconds.",
       "Mend what the message names: the store's address, credentials or speed, or the members. "
       "The log goes on where it ends; what etcd has compacted by then is bridged by a new "
       "backup."},
      {"EtcdBackupRequestUnhealthy", fmt::format("{} == 0", kBackupRequestHealthy.name), "10m",
       kWarning, "the EtcdBackup {{ $labels.namespace }}/{{ $labels.backup }} fails or is overdue",
       "The last try of this object failed, or it should have made a backup long ago: twice its "
       "interval, and one that is asked for once after an hour. What it made before stays.",
       "`kubectl -n NAMESPACE describe etcdbackups.GROUP BACKUP`: the status' Reason and the "
       "events have the words of its Job, of Kubernetes, or what it waits for.",
       "Mend what it names: the store's address or credentials, a Secret, the endpoints, a field. "
       "It is tried again by itself, at most ten minutes later. Delete an object that is not "
       "wanted any more; its backups stay."},
  };
}

std::vector<Alert> of_etcd() {
  return {
      {"EtcdNoLeader", "etcd_server_has_leader == 0", "1m", kCritical,
       "{{ $labels.pod }} in {{ $labels.namespace }} has no leader",
       "That member knows of no leader: no quorum on its side of the network.", kAsk,
       "If one member says so it is cut off: look at its network. If all do, see "
       "EtcdClusterUnavailable."},
      {"EtcdWalFsyncSlow", p99("etcd_disk_wal_fsync_duration_seconds", "namespace, pod") + " > 0.1",
       "10m", kWarning,
       "the disk of {{ $labels.pod }} in {{ $labels.namespace }} takes {{ $value | "
       "humanizeDuration }} to sync",
       "Every write waits for it. Above 10 ms etcd is slow, above the election timeout it loses "
       "its "
       "leader.",
       "Who else writes to that disk; the storage class; "
       "etcd_disk_backend_commit_duration_seconds.",
       "Move the volume to a disk of its own or a faster class."},
      {"EtcdPeerRttHigh",
       p99("etcd_network_peer_round_trip_time_seconds", "namespace, pod, To") + " > 0.15", "10m",
       kWarning,
       "{{ $labels.pod }} in {{ $labels.namespace }} needs {{ $value | humanizeDuration }} to "
       "reach a peer",
       "Heartbeats come late; with an election timeout of 1 s leadership will change.",
       "The network between the two nodes or zones, and the load of both.",
       "Mend it, or set --heartbeat-interval and --election-timeout for the distance."},
      {"EtcdLeaderChanges", "increase(etcd_server_leader_changes_seen_total[15m]) > 4", "5m",
       kWarning,
       "{{ $labels.pod }} in {{ $labels.namespace }} saw {{ $value | humanize }} new "
       "leaders",
       "Every change stops writes for about a second.",
       "EtcdWalFsyncSlow and EtcdPeerRttHigh, CPU limits of the pods.",
       "Take away the cause; a rollout moves the leader once and is not meant by this."},
  };
}

std::vector<Alert> of_operator() {
  return {
      {"EtcdOperatorDown", fmt::format("absent({})", kBuildInfo.name), "5m", kCritical,
       "no etcd-operator is seen",
       "Members run on and restart by themselves; nothing else is repaired or changed.",
       "Its pods or its process, and whether it is scraped at all.", "Start it again."},
      {"EtcdOperatorErrors", fmt::format("sum by (code) (rate({}[10m])) > 0.1", kPassErrors.name),
       "15m", kWarning, "passes of the operator end with {{ $labels.code }}",
       "What it wants to do is refused or does not get through.", "Its log, by that code.",
       "Unavailable: the way to the API server or to etcd. PermissionDenied: its role."},
  };
}

std::vector<Alert> all() {
  auto out = of_clusters();
  for (auto* more : {&of_what_comes, &of_backups, &of_etcd, &of_operator})
    for (auto& alert : (*more)()) out.push_back(std::move(alert));
  return out;
}

}  // namespace

std::string_view name_of(Severity severity) {
  return severity == kCritical ? "critical" : "warning";
}

std::span<const Alert> alerts() {
  static const std::vector<Alert> kAll = all();
  return kAll;
}

std::span<const std::string_view> etcd_metrics() {
  return kEtcd;
}

}  // namespace metrics
