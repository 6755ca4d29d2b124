// Jobs that work with a store of backups, as objects of Kubernetes: what they run is told by a file
// that holds no secrets, and only their own pods see the Secrets that it takes. Pure.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/cluster.h"
#include "json/value.h"
#include "render/kubernetes.h"
#include "render/store_access.h"

namespace render {

// Labels of jobs and of their pods. These pods lack the cluster's own label, by which Services,
// budgets and placement find members.
inline constexpr std::string_view kJobOfLabel =
    "operator.etcd.io/job-of";  // the cluster, or the uid of the object that asks for it
inline constexpr std::string_view kJobKindLabel =
    "operator.etcd.io/job";  // "backup", "fetch", "drill", "follow"
inline constexpr std::string_view kJobEpochLabel = "operator.etcd.io/job-epoch";
inline constexpr std::string_view kJobFileAnnotation = "operator.etcd.io/job-file";
// Why a job was given up before it could begin.
inline constexpr std::string_view kGivenUpAnnotation = "operator.etcd.io/given-up";
// Of one without an end of its own: a digest of all that it was made of.
inline constexpr std::string_view kToldAnnotation = "operator.etcd.io/told";
// The container that works.
inline constexpr std::string_view kJobContainer = "archive";

// Inside a job's pod.
inline constexpr std::string_view kJobFile = "/etc/etcd-operator/job/job.json";
inline constexpr std::string_view kStoreSecretDir = "/etc/etcd-operator/store";
inline constexpr std::string_view kStoreKeyFile = "/etc/etcd-operator/key/encryption-key";
inline constexpr std::string_view kBackupsDir = "/var/lib/etcd-backups";
inline constexpr std::string_view kJobScratch = "/var/lib/etcd-scratch";
inline constexpr std::string_view kJobEtcdDir = "/opt/etcd-operator";  // etcd, its tool, if wanted
inline constexpr std::string_view kReportFile = "/dev/termination-log";
inline constexpr unsigned kStatusPort = 2382;  // of one without an end of its own
TlsFiles job_tls_files();

// Who asked for it, and whom it goes with.
struct JobOwner {
  std::string api_version = {}, kind = {}, name = {}, uid = {};
};

struct StoreJob {
  std::string kind;  // "backup", "fetch", "drill", "follow"
  int epoch = 0;
  std::vector<std::string> words;  // of etcd-operator's command line: "archive", "run"
  std::string file = {};           // what it is told, at kJobFile
  StoreAccess store = {};
  bool client = false;                    // it is a client of the cluster
  std::optional<api::Version> etcd = {};  // these programs are wanted in kJobEtcdDir
  // Its own; a while later it is ended. None: it has no end, and serves its status at kStatusPort.
  std::optional<std::chrono::seconds> deadline = std::chrono::seconds(600);
  std::optional<JobOwner> owner = {};             // none: the cluster
  std::map<std::string, std::string> notes = {};  // annotations of the Job
};

// "c-backup-7".
std::string job_name(const std::string& cluster, const std::string& kind, int epoch);
// "nightly-1a2b3c4d-7": of an object that asks for it, whose name may be long.
std::string job_name(const JobOwner& owner, int epoch);
// It runs at most once.
json::Value store_job(const api::Cluster& cluster, const StoreJob& job,
                      const KubernetesPlatform& platform);
// Claim c-backups. Never owned by anybody, and never deleted: backups outlive their cluster.
json::Value backups_claim(const api::Cluster& cluster, const api::ObjectLocation* wish);
// A database is never larger than the volume that it lies on; a fetch and a drill hold it twice.
std::int64_t scratch_bytes(const api::ClusterSpec& spec);

}  // namespace render
