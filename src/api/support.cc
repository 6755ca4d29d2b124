#include "api/support.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace api {
namespace {

using enum Support;
constexpr auto kBoth = Has::kBoth;
constexpr auto kOperatorEtcdIo = Has::kOperatorEtcdIo;
constexpr auto kCoreOs = Has::kCoreOs;

constexpr std::string_view kOwnStore =
    "on a host STATE/NAMESPACE/NAME/backups, on Kubernetes the claim NAME-backups";
constexpr std::string_view kStoreWords =
    "where the backups go; local is for hosts, pvc for Kubernetes (on a host: the default)";

constexpr std::array kTable{
    FieldInfo{"spec.size", kBoth, "integer 1 to 9", "", kActs, kActs,
              "how many members; odd numbers are better"},
    FieldInfo{"spec.version", kBoth, "version, v optional", "3.5.33 (CoreOS group)", kActs, kActs,
              "of etcd; a change is rolled out member by member"},
    FieldInfo{"spec.imageRegistry", kOperatorEtcdIo, "image repository", "the operator's",
              kNoMeaning, kActs, "where the image comes from; the tag is v and the version"},
    FieldInfo{"spec.repository", kCoreOs, "image repository", "quay.io/coreos/etcd", kNoMeaning,
              kActs, "where the image comes from; the tag is v and the version"},
    FieldInfo{"spec.baseImage", kCoreOs, "image repository", "", kNoMeaning, kActs,
              "the name of repository before 0.7"},
    FieldInfo{"spec.paused", kBoth, "true or false", "false", kActs, kActs,
              "look, but change nothing"},
    FieldInfo{"spec.hibernate", kBoth, "true or false", "false", kActs, kActs,
              "stop all members and keep their data"},
    FieldInfo{"spec.zones", kBoth, "list of texts", "", kNoMeaning, kActs,
              "zones to spread the members over"},
    FieldInfo{"spec.networkPolicy", kBoth, "true or false", "false", kNoMeaning, kActs,
              "let only members reach the peer port"},

    FieldInfo{"spec.storage", kOperatorEtcdIo, "object", "a claim of the default class", kActs,
              kActs, "where the data live; not beside storageSpec"},
    FieldInfo{"spec.storage.type", kOperatorEtcdIo, "PersistentVolumeClaim, EmptyDir",
              "PersistentVolumeClaim", kNoMeaning, kActs,
              "a host keeps the data in its state directory"},
    FieldInfo{"spec.storage.spec", kOperatorEtcdIo, "claim", "", kNoMeaning, kActs,
              "as in a PersistentVolumeClaim"},
    FieldInfo{"spec.storage.spec.storageClassName", kOperatorEtcdIo, "text", "the default class",
              kNoMeaning, kActs, "cannot change for members that exist"},
    FieldInfo{"spec.storage.spec.accessModes", kOperatorEtcdIo, "ReadWriteOnce or ReadWriteOncePod",
              "ReadWriteOnce", kNoMeaning, kActs, ""},
    FieldInfo{"spec.storage.spec.resources", kOperatorEtcdIo, "requests.storage, limits.storage",
              "", kNoMeaning, kActs, "may grow, never shrink"},
    FieldInfo{"spec.storageSpec", kOperatorEtcdIo, "object", "", kNoMeaning, kActs,
              "upstream's form of storage"},
    FieldInfo{"spec.persistentVolumeClaimRetentionPolicy", kBoth, "object", "", kActs, kActs,
              "what happens to data that nothing uses any more"},
    FieldInfo{"spec.persistentVolumeClaimRetentionPolicy.whenDeleted", kBoth, "Retain, Delete",
              "Retain", kActs, kActs, "after the cluster was deleted"},
    FieldInfo{"spec.persistentVolumeClaimRetentionPolicy.whenScaled", kBoth, "Retain, Delete",
              "Retain", kActs, kActs, "after a member was removed"},

    FieldInfo{"spec.tls", kOperatorEtcdIo, "object", "", kActs, kActs, "certificates"},
    FieldInfo{"spec.tls.mode", kOperatorEtcdIo, "Required, Migrating, Disabled", "Required", kActs,
              kActs,
              "Migrating takes clients with TLS and without; between the others lies Migrating"},
    FieldInfo{"spec.tls.provider", kOperatorEtcdIo, "own, auto, cert-manager, secrets", "own",
              kActs, kActs, "who issues the certificates"},
    FieldInfo{"spec.tls.providerCfg", kOperatorEtcdIo, "autoCfg or certManagerCfg", "", kActs,
              kActs, "names and life of the certificates"},
    FieldInfo{"spec.tls.providerCfg.autoCfg.caBundleSecret", kOperatorEtcdIo, "text", "", kNever,
              kNever, "upstream never read it"},
    FieldInfo{"spec.tls.providerCfg.certManagerCfg", kOperatorEtcdIo, "object", "", kNoMeaning,
              kLater, "issuer and names for cert-manager"},
    FieldInfo{"spec.tls.static", kOperatorEtcdIo, "object", "", kActs, kActs,
              "Secrets with certificates of your own"},
    FieldInfo{"spec.TLS", kCoreOs, "object", "", kActs, kActs,
              "Secrets with certificates of your own"},

    FieldInfo{"spec.backup", kBoth, "object", "", kActs, kActs, "scheduled backups"},
    FieldInfo{"spec.backup.enabled", kBoth, "true or false", "true", kActs, kActs,
              "false: no new backups; what is there stays"},
    FieldInfo{"spec.backup.backupPolicy.backupIntervalInSecond", kBoth, "seconds, at least 5",
              "1800", kActs, kActs, "from one success to the next backup"},
    FieldInfo{"spec.backup.backupPolicy.maxBackups", kBoth, "integer, 0 for all", "0", kActs, kActs,
              "how many verified ones are kept"},
    FieldInfo{"spec.backup.backupPolicy.timeoutInSecond", kBoth, "seconds", "900", kActs, kActs,
              "a backup that takes longer failed"},
    FieldInfo{"spec.backup.backupPolicy.storageSource", kBoth,
              "one of s3, gcs, abs, oss, local, pvc", kOwnStore, kActs, kActs, kStoreWords},
    FieldInfo{"spec.backup.storageSource", kBoth, "one of s3, gcs, abs, oss, local, pvc", kOwnStore,
              kActs, kActs, kStoreWords},
    FieldInfo{"spec.backup.encryption.secretRef", kBoth, "name and key", "", kActs, kActs,
              "the key of client-side encryption"},
    FieldInfo{"spec.backup.retention", kBoth, "hourly, daily, weekly, monthly", "0", kActs, kActs,
              "kept beyond maxBackups, by age"},
    FieldInfo{"spec.backup.verify.intervalSeconds", kBoth, "seconds, at least 60", "86400", kActs,
              kActs, "how often the newest backup is restored for proof"},
    FieldInfo{"spec.backup.continuous", kBoth, "enabled, maxLagSeconds", "", kActs, kActs,
              "keeps every revision, not only snapshots"},
    FieldInfo{"spec.backup.pv", kCoreOs, "volumeSizeInMB, storageClass", "", kNoMeaning, kActs,
              "the volume of the form of 0.5 and 0.6"},
    FieldInfo{"spec.backup.pod", kCoreOs, "object", "", kNoMeaning, kLater,
              "resources of the pod of a backup"},
    FieldInfo{"spec.backup.autoDelete", kCoreOs, "true or false", "false", kNever, kNever,
              "backups are not deleted with their cluster"},
    FieldInfo{"spec.restore", kBoth, "object", "", kActs, kActs,
              "begin from a backup; read only before the cluster first formed"},
    FieldInfo{"spec.restore.restorePolicy", kBoth, "one of s3, gcs, abs, oss, local, pvc", "",
              kActs, kActs, "where the backup is"},
    FieldInfo{"spec.restore.restorePolicy.required", kBoth, "true or false", "false", kActs, kActs,
              "wait for a backup instead of starting empty"},

    FieldInfo{"spec.recovery", kBoth, "object", "", kActs, kActs,
              "what may be done without a person when data are lost"},
    FieldInfo{"spec.recovery.onQuorumLoss", kBoth, "Automatic, Approve, Never", "Automatic", kActs,
              kActs, "when most members lost their data for good, and some did not"},
    FieldInfo{"spec.recovery.onDataLoss", kBoth, "Approve, Restore, Never", "Approve", kActs, kActs,
              "when no member has its data"},
    FieldInfo{"spec.recovery.waitSeconds", kBoth, "seconds", "120", kActs, kActs,
              "how long lost members may still come back"},
    FieldInfo{"spec.repair", kBoth, "object", "", kActs, kActs, "replacing a member"},
    FieldInfo{"spec.repair.timeoutSeconds", kBoth, "seconds, at least 10", "300", kActs, kActs,
              "an unreachable member is replaced after it"},
    FieldInfo{"spec.service", kBoth, "type, annotations", "ClusterIP", kNoMeaning, kActs,
              "the client Service"},
    FieldInfo{"spec.etcdOptions", kOperatorEtcdIo, "list of --name=value", "", kActs, kActs,
              "flags of etcd; they replace the operator's own of that name"},

    FieldInfo{"spec.podTemplate", kOperatorEtcdIo, "object", "", kNoMeaning, kActs,
              "what the members' pods have beside ours"},
    FieldInfo{"spec.podTemplate.spec.env", kOperatorEtcdIo, "list of name and value", "", kActs,
              kActs, "ETCD_X counts as the flag --x"},
    FieldInfo{"spec.pod", kCoreOs, "object", "", kNoMeaning, kActs,
              "what the members' pods have beside ours"},
    FieldInfo{"spec.pod.etcdEnv", kCoreOs, "list of name and value", "", kActs, kActs,
              "ETCD_X counts as the flag --x"},
    FieldInfo{"spec.pod.busyboxImage", kCoreOs, "image", "", kNever, kNever,
              "there is no such init container"},
    FieldInfo{"spec.pod.DNSTimeoutInSecond", kCoreOs, "seconds", "", kNever, kNever,
              "there is no such init container"},
    FieldInfo{"spec.selfHosted", kCoreOs, "object", "", kNever, kNever,
              "self-hosted etcd is given up"},
};

bool has(const FieldInfo& info, Has group) {
  return info.has == kBoth || info.has == group;
}

// `path` is `parent` or lies below it.
bool below(std::string_view path, std::string_view parent) {
  return path.starts_with(parent) &&
         (path.size() == parent.size() || path[parent.size()] == '.' || path[parent.size()] == '[');
}

std::string_view reason_of(Support support, Platform platform) {
  switch (support) {
    case kActs:
      return "";
    case kLater:
      return "not acted on in this version";
    case kNoMeaning:
      return platform == Platform::kHost ? "no meaning on a host" : "no meaning on Kubernetes";
    case kNever:
      return "not supported any more";
  }
  std::unreachable();
}

}  // namespace

std::string_view name_of(Support support) {
  switch (support) {
    case kActs:
      return "yes";
    case kLater:
      return "not yet";
    case kNoMeaning:
      return "no meaning";
    case kNever:
      return "never";
  }
  std::unreachable();
}

std::span<const FieldInfo> field_table() {
  return kTable;
}

const FieldInfo* find_field(std::string_view path, Has group) {
  const FieldInfo* best = nullptr;
  for (const auto& info : kTable)
    if (has(info, group) && below(path, info.path) &&
        (best == nullptr || best->path.size() < info.path.size()))
      best = &info;
  return best;
}

std::vector<std::string> fields_not_acted_on(std::span<const std::string> seen, Has group,
                                             Platform platform) {
  std::vector<const FieldInfo*> found;
  const auto support_of = [&](const FieldInfo& info) {
    return platform == Platform::kHost ? info.host : info.kubernetes;
  };
  for (const auto& path : seen) {
    const auto* info = find_field(path, group);
    if (info == nullptr || support_of(*info) == kActs) continue;
    if (std::ranges::find(found, info) == found.end()) found.push_back(info);
  }
  std::vector<std::string> out;
  for (const auto* info : found) {
    // A parent with the same fate says it for all below it.
    const bool said = std::ranges::any_of(found, [&](const FieldInfo* other) {
      return other != info && below(info->path, other->path) &&
             support_of(*other) == support_of(*info);
    });
    if (!said)
      out.push_back(fmt::format("{} ({})", info->path, reason_of(support_of(*info), platform)));
  }
  return out;
}

}  // namespace api
