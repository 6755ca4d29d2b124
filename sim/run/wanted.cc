#include "sim/run/wanted.h"

#include <fmt/format.h>

#include <stdexcept>

#include "api/manifest.h"
#include "api/yaml.h"
#include "render/etcd_args.h"

namespace sim {
namespace {

std::string manifest_of(const Wanted& w) {
  std::string text = fmt::format(
      "apiVersion: operator.etcd.io/v1alpha1\nkind: EtcdCluster\nmetadata: {{name: c}}\n"
      "spec:\n  size: {}\n  version: \"{}\"\n",
      w.size, w.version);
  if (w.paused) text += "  paused: true\n";
  if (w.hibernate) text += "  hibernate: true\n";
  text += fmt::format("  recovery: {{onQuorumLoss: {}, waitSeconds: {}{}}}\n",
                      w.ask_first ? "Approve" : "Automatic", w.recovery_wait.count() / 1000,
                      w.restore_on_loss ? ", onDataLoss: Restore" : "");
  text += fmt::format("  repair: {{timeoutSeconds: {}}}\n", w.repair.count() / 1000);
  if (!w.tls) text += "  tls: {mode: Disabled}\n";
  if (w.delete_data) text += "  persistentVolumeClaimRetentionPolicy: {whenDeleted: Delete}\n";
  std::string options;
  if (w.edit > 0) options += fmt::format("\"--max-request-bytes={}\"", 1'500'000 + w.edit);
  if (w.quota > 0)
    options += fmt::format("{}\"--quota-backend-bytes={}\"", options.empty() ? "" : ", ", w.quota);
  if (!options.empty()) text += "  etcdOptions: [" + options + "]\n";
  if (w.backup_interval.count() > 0)
    text += fmt::format(
        "  backup:\n    backupPolicy: {{backupIntervalInSecond: {}, maxBackups: {}}}\n"
        "    storageSource: {{s3: {{path: backups}}}}\n    verify: {{intervalSeconds: {}}}\n",
        w.backup_interval.count() / 1000, w.max_backups, w.verify.count() / 1000);
  if (w.restore) text += "  restore: {restorePolicy: {s3: {path: backups}}}\n";
  return text;
}

}  // namespace

plan::Intent intent_of(const Wanted& wanted) {
  const auto parsed = api::parse_manifest(manifest_of(wanted), "c.yaml", api::Platform::kHost);
  const api::Cluster* cluster =
      parsed.documents.size() == 1 ? parsed.documents.front().cluster() : nullptr;
  if (cluster == nullptr)
    throw std::logic_error("a bad manifest of our own: " + manifest_of(wanted) +
                           (parsed.lines(api::Severity::kError).empty()
                                ? ""
                                : parsed.lines(api::Severity::kError).front()));
  plan::Intent intent;
  intent.cluster = *cluster;
  intent.cluster.generation = wanted.generation;
  if (wanted.validity.count() > 0) intent.cluster.spec.tls.validity = wanted.validity;
  if (wanted.deleted) intent.wish = plan::Wish::kDeleted;
  intent.stop = wanted.stopped;
  intent.backup_now = wanted.backup_now;
  intent.template_hash = render::template_hash(intent.cluster.spec, "own", api::Platform::kHost);
  if (wanted.approval) intent.approvals.push_back(*wanted.approval);
  return intent;
}

json::Value object_of(const Wanted& wanted) {
  const auto documents = api::read_yaml(manifest_of(wanted));
  if (!documents || documents->size() != 1 || !documents->front().value)
    throw std::logic_error("a bad manifest of our own: " + manifest_of(wanted));
  return *documents->front().value;
}

std::string to_text(const Wanted& w) {
  std::string text = fmt::format("size {} version {}", w.size, w.version);
  if (w.edit > 0) text += fmt::format(" edit {}", w.edit);
  if (w.quota > 0) text += fmt::format(" quota {}", w.quota);
  if (w.backup_interval.count() > 0)
    text += fmt::format(" backup every {} keep {} verify {}", base::to_text(w.backup_interval),
                        w.max_backups, base::to_text(w.verify));
  for (const auto& [on, word] : {std::pair(w.paused, " paused"),
                                 {w.hibernate, " hibernate"},
                                 {w.stopped, " stopped"},
                                 {w.deleted, " deleted"},
                                 {w.delete_data, " delete-data"},
                                 {w.ask_first, " ask-first"},
                                 {w.restore, " restore"},
                                 {w.restore_on_loss, " restore-on-loss"}})
    if (on) text += word;
  return text;
}

}  // namespace sim
