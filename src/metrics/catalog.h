// The metrics of this program. A new one is a line here and a line in catalog.cc's list.
#pragma once

#include "metrics/declaration.h"

namespace metrics {
// ---- the program and its passes ----
inline constexpr Declaration kBuildInfo{.name = "etcd_operator_build_info",
                                        .kind = Kind::kGauge,
                                        .unit = "",
                                        .help = "1, with the program's version as a label.",
                                        .label_names = {"version"},
                                        .stability = Stability::kStable};
inline constexpr Declaration kProcessMemory{.name = "process_resident_memory_bytes",
                                            .kind = Kind::kGauge,
                                            .unit = "bytes",
                                            .help = "Resident memory of the operator.",
                                            .stability = Stability::kStable};
inline constexpr Declaration kProcessCpu{.name = "process_cpu_seconds_total",
                                         .kind = Kind::kCounter,
                                         .unit = "seconds",
                                         .help = "User and system time of the operator.",
                                         .stability = Stability::kStable};
inline constexpr Declaration kClusters{.name = "etcd_operator_clusters",
                                       .kind = Kind::kGauge,
                                       .unit = "",
                                       .help = "Clusters that this operator looks after."};
inline constexpr Declaration kSeriesDropped{
    .name = "etcd_operator_metrics_dropped_total",
    .kind = Kind::kCounter,
    .unit = "",
    .help = "Updates that were left out because their metric had too many series."};
inline constexpr Declaration kPassSeconds{.name = "etcd_operator_pass_seconds",
                                          .kind = Kind::kHistogram,
                                          .unit = "seconds",
                                          .help = "Time of a pass over a cluster."};
inline constexpr Declaration kPassErrors{.name = "etcd_operator_pass_errors_total",
                                         .kind = Kind::kCounter,
                                         .unit = "",
                                         .help = "Passes that ended with an error, by its code.",
                                         .label_names = {"code"}};
inline constexpr Declaration kActions{
    .name = "etcd_operator_actions_total",
    .kind = Kind::kCounter,
    .unit = "",
    .help = "Actions taken, by the reason in the plan and by outcome.",
    .label_names = {"reason", "outcome"}};
inline constexpr Declaration kQueueLength{.name = "etcd_operator_queue_length",
                                          .kind = Kind::kGauge,
                                          .unit = "",
                                          .help = "Clusters that wait for a worker."};
inline constexpr Declaration kKubeRequests{
    .name = "etcd_operator_kube_requests_total",
    .kind = Kind::kCounter,
    .unit = "",
    .help = "Requests to the Kubernetes API server, by method and status; none: no answer.",
    .label_names = {"method", "status"}};

// ---- one cluster ----
inline constexpr Declaration kClusterHasLeader{
    .name = "etcd_operator_cluster_has_leader",
    .kind = Kind::kGauge,
    .unit = "",
    .help = "1 if the last quorum read succeeded, 0 if not; no series while unknown.",
    .label_names = {"namespace", "cluster"},
    .stability = Stability::kStable};
inline constexpr Declaration kClusterMembers{
    .name = "etcd_operator_cluster_members",
    .kind = Kind::kGauge,
    .unit = "",
    .help = "Members by state: healthy, unhealthy, learner, wanted (0 while stopped on purpose).",
    .label_names = {"namespace", "cluster", "state"},
    .stability = Stability::kStable};
inline constexpr Declaration kClusterCondition{
    .name = "etcd_operator_cluster_condition",
    .kind = Kind::kGauge,
    .unit = "",
    .help = "Conditions of the status: 1 True, 0 False, -1 Unknown.",
    .label_names = {"namespace", "cluster", "condition"},
    .stability = Stability::kStable};
inline constexpr Declaration kClusterOperation{
    .name = "etcd_operator_cluster_operation",
    .kind = Kind::kGauge,
    .unit = "",
    .help = "1 while an operation of this kind is in flight.",
    .label_names = {"namespace", "cluster", "kind"}};
inline constexpr Declaration kClusterObserved{
    .name = "etcd_operator_cluster_observed_timestamp_seconds",
    .kind = Kind::kGauge,
    .unit = "seconds",
    .help = "When the cluster was last observed, in seconds since 1970.",
    .label_names = {"namespace", "cluster"},
    .stability = Stability::kStable};
inline constexpr Declaration kClusterBackup{
    .name = "etcd_operator_cluster_backup_timestamp_seconds",
    .kind = Kind::kGauge,
    .unit = "seconds",
    .help = "All that was written before is in a backup, in seconds since 1970; no series: none.",
    .label_names = {"namespace", "cluster"},
    .stability = Stability::kStable};
inline constexpr Declaration kClusterBackupProven{
    .name = "etcd_operator_cluster_backup_proven_timestamp_seconds",
    .kind = Kind::kGauge,
    .unit = "seconds",
    .help = "When a backup was last restored for proof, in seconds since 1970; no series: never.",
    .label_names = {"namespace", "cluster"},
    .stability = Stability::kStable};
inline constexpr Declaration kClusterBackupLag{
    .name = "etcd_operator_cluster_backup_lag_seconds",
    .kind = Kind::kGauge,
    .unit = "seconds",
    .help = "Age of the oldest change that the continuous log does not hold; no series: not known.",
    .label_names = {"namespace", "cluster"}};
inline constexpr Declaration kCertificateExpiry{
    .name = "etcd_operator_certificate_expiry_timestamp_seconds",
    .kind = Kind::kGauge,
    .unit = "seconds",
    .help = "When the first certificate of this kind expires, in seconds since 1970.",
    .label_names = {"namespace", "cluster", "kind"},
    .stability = Stability::kStable};

// ---- one EtcdBackup ----
inline constexpr Declaration kBackupRequestHealthy{
    .name = "etcd_operator_backup_request_healthy",
    .kind = Kind::kGauge,
    .unit = "",
    .help = "1: the last try succeeded, 0: it failed or is overdue; no series: no try has ended.",
    .label_names = {"namespace", "backup", "group"}};

// ---- one member ----
inline constexpr Declaration kMemberDbSize{.name = "etcd_operator_member_db_size_bytes",
                                           .kind = Kind::kGauge,
                                           .unit = "bytes",
                                           .help = "Size of the database file.",
                                           .label_names = {"namespace", "cluster", "member"},
                                           .stability = Stability::kStable};
inline constexpr Declaration kMemberDbInUse{.name = "etcd_operator_member_db_in_use_bytes",
                                            .kind = Kind::kGauge,
                                            .unit = "bytes",
                                            .help = "The part of the database file that is in use.",
                                            .label_names = {"namespace", "cluster", "member"},
                                            .stability = Stability::kStable};
inline constexpr Declaration kMemberDbQuota{
    .name = "etcd_operator_member_db_quota_bytes",
    .kind = Kind::kGauge,
    .unit = "bytes",
    .help = "The quota of the database: what the member tells, before 3.6 what the manifest gives.",
    .label_names = {"namespace", "cluster", "member"},
    .stability = Stability::kStable};
}  // namespace metrics
