#include "describe.h"

#include <fmt/format.h>

#include "base/text.h"

namespace testing_manifests {
namespace {

using api::Cluster;
using api::ObjectLocation;

class Text {
 public:
  void line(std::string_view name, const std::string& value) {
    if (!value.empty()) out_ += fmt::format("  {}: {}\n", name, value);
  }
  void line(std::string_view name, const std::map<std::string, std::string>& values) {
    std::string all;
    for (const auto& [key, value] : values)
      all += fmt::format("{}{}={}", all.empty() ? "" : " ", key, value);
    for (size_t at = all.find('\n'); at != std::string::npos; at = all.find('\n'))
      all.replace(at, 1, "\\n");
    line(name, all);
  }
  void line(std::string_view name, const std::vector<std::string>& values) {
    line(name, base::join(values, " "));
  }
  void line(std::string_view name, bool value) {
    if (value) line(name, std::string("yes"));
  }
  void number(std::string_view name, std::int64_t value) {
    if (value != 0) line(name, fmt::format("{}", value));
  }
  void line(std::string_view name, base::Duration value) {
    if (value.count() != 0) line(name, base::to_text(value));
  }
  void line(std::string_view name, const std::optional<ObjectLocation>& at) {
    if (!at) return;
    line(name, fmt::format("{} '{}' secret='{}' endpoint='{}' region='{}' path-style={} bytes={} "
                           "class='{}'",
                           at->kind, at->path, at->secret, at->endpoint, at->region,
                           at->force_path_style, at->volume_bytes, at->storage_class));
    line("  object class", at->object_class);
    line("  server's encryption", at->encryption);
    line("  kms key", at->kms_key);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

void describe_storage(const api::Storage& storage, Text& out) {
  if (!storage.given) return;
  out.line("storage",
           std::string(storage.type == api::StorageType::kEmptyDir ? "EmptyDir" : "claim"));
  out.line("  class", storage.storage_class.value_or(""));
  out.line("  access", storage.access_mode);
  out.line("  claim", storage.claim_name.value_or(""));
  out.number("  request", storage.request_bytes.value_or(0));
  out.number("  limit", storage.limit_bytes.value_or(0));
}

void describe_tls(const api::Tls& tls, Text& out) {
  constexpr const char* kModes[] = {"Required", "Migrating", "Disabled"};
  constexpr const char* kProviders[] = {"own", "secrets", "cert-manager", "auto"};
  out.line("tls", fmt::format("{} by {}", kModes[static_cast<int>(tls.mode)],
                              kProviders[static_cast<int>(tls.provider)]));
  out.line("  common name", tls.common_name);
  out.line("  organizations", tls.organizations);
  out.line("  dns", tls.dns_names);
  out.line("  ip", tls.ip_addresses);
  out.line("  validity", tls.validity);
  out.line("  issuer", tls.issuer_kind + tls.issuer_name);
  out.line("  peer secret", tls.peer_secret);
  out.line("  server secret", tls.server_secret);
  out.line("  operator secret", tls.operator_secret);
}

void describe_backup(const api::Backup& backup, Text& out) {
  out.line("backup", std::string(backup.enabled ? "enabled" : "disabled"));
  out.line("  to", backup.destination);
  out.line("  interval", backup.interval);
  out.line("  timeout", backup.timeout);
  out.number("  max", backup.max_backups);
  const auto& r = backup.retention;
  if (r.hourly + r.daily + r.weekly + r.monthly > 0)
    out.line("  retention", fmt::format("{} {} {} {}", r.hourly, r.daily, r.weekly, r.monthly));
  out.line("  verify", backup.verify_interval.value_or(base::Duration(0)));
  out.line("  encryption", backup.encryption_secret + backup.encryption_key);
  if (backup.continuous) out.line("  continuous, lag", backup.max_lag);
}

std::string describe(const Cluster& cluster) {
  Text out;
  const auto& spec = cluster.spec;
  out.line("uid", cluster.uid);
  out.number("generation", cluster.generation);
  out.line("labels", cluster.labels);
  out.line("annotations", cluster.annotations);
  out.number("size", spec.size);
  out.line("version", spec.version.text());
  out.line("image", spec.image_repository);
  out.line("paused", spec.paused);
  out.line("hibernate", spec.hibernate);
  describe_storage(spec.storage, out);
  describe_tls(spec.tls, out);
  if (spec.backup) describe_backup(*spec.backup, out);
  if (spec.restore) {
    out.line("restore", std::string(spec.restore->required ? "required" : "if there is one"));
    out.line("  from", spec.restore->source);
    out.line("  cluster", spec.restore->backup_cluster_name);
  }
  out.line("recovery", fmt::format("quorum loss {}, data loss {}, wait {}",
                                   static_cast<int>(spec.recovery.on_quorum_loss),
                                   static_cast<int>(spec.recovery.on_data_loss),
                                   base::to_text(spec.recovery.wait)));
  out.line("repair after", spec.repair_timeout);
  out.line("delete data when deleted", spec.when_deleted == api::ClaimPolicy::kDelete);
  out.line("delete data when scaled", spec.when_scaled == api::ClaimPolicy::kDelete);
  out.line("options", spec.etcd_options);
  out.line("pod labels", spec.pod.labels);
  out.line("pod annotations", spec.pod.annotations);
  out.line("node selector", spec.pod.node_selector);
  for (const auto& [name, value] : spec.pod.env) out.line("env", name + "=" + value);
  for (const auto& [name, value] : spec.pod.raw_json) out.line("pod " + name, value);
  out.line("service", spec.service_type);
  out.line("service annotations", spec.service_annotations);
  out.line("network policy", spec.network_policy);
  out.line("zones", spec.zones);
  for (const auto& field : cluster.fields_not_acted_on) out.line("not acted on", field);
  return out.take();
}

std::string describe(const api::Secret& secret) {
  Text out;
  for (const auto& [name, value] : secret.data)
    out.line(name, fmt::format("{} bytes", value.size()));
  return out.take();
}

std::string describe(const api::BackupRequest& request) {
  Text out;
  out.line("cluster", request.cluster_name);
  out.line("endpoints", request.endpoints);
  out.line("client secret", request.client_tls_secret);
  out.line("to", request.destination);
  out.line("timeout", request.timeout);
  out.line("interval", request.interval);
  out.number("max", request.max_backups);
  return out.take();
}

std::string describe(const api::RestoreRequest& request) {
  Text out;
  out.line("cluster", request.cluster_name);
  out.line("from", request.source);
  out.number("revision", request.to_revision);
  if (request.to_time) out.line("time", base::to_rfc3339(*request.to_time));
  out.line("over a cluster that has begun", request.in_place);
  return out.take();
}

std::string describe(const std::monostate&) {
  return "  refused\n";
}

}  // namespace

std::string describe(const api::Manifest& manifest) {
  std::string out;
  for (const auto& line : manifest.lines(api::Severity::kError)) out += "error: " + line + "\n";
  for (const auto& line : manifest.lines(api::Severity::kWarning)) out += "warning: " + line + "\n";
  for (const auto& document : manifest.documents) {
    out += fmt::format("{} {} at line {}\n", document.kind.empty() ? "document" : document.kind,
                       document.key ? document.key->text() : "?", document.line);
    out += std::visit([](const auto& object) { return describe(object); }, document.object);
  }
  return out;
}

}  // namespace testing_manifests
