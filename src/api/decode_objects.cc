// EtcdBackup, EtcdRestore and Secret documents.
#include <fmt/format.h>

#include <array>
#include <climits>

#include "api/decode.h"
#include "api/names.h"
#include "base/base64.h"

namespace api {
namespace {

constexpr size_t kMaxSecretBytes = size_t{1} << 20;

void check_named(Fields& root, const base::ClusterKey& key) {
  if (const auto wrong = check_object_name(key.name))
    root.report().error("metadata.name", key.name.empty() ? "is required"
                                                          : fmt::format("{} is not allowed: {}",
                                                                        show(key.name), *wrong));
}

std::string decode_cluster_name(Fields& fields, std::string_view name) {
  const auto text = fields.text(name);
  if (!text) return {};
  if (const auto wrong = check_cluster_name(*text))
    fields.error(name, fmt::format("{} is not allowed: {}", show(*text), *wrong));
  return *text;
}

// The declared storage type must be that of the block beside it.
void check_type(Fields& spec, std::string_view field, const std::optional<ObjectLocation>& at) {
  using Type = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Type, 4> kTypes{
      {{"S3", "s3"}, {"ABS", "abs"}, {"GCS", "gcs"}, {"OSS", "oss"}}};
  const auto type = spec.choice<std::string_view>(field, kTypes);
  if (type && at && *type != at->kind)
    spec.error(field, fmt::format("does not go with the block {}", at->kind));
}

}  // namespace

BackupRequest decode_backup_request(Fields& root, Group group) {
  BackupRequest out;
  out.group = group;
  out.key = decode_metadata(root).key;
  check_named(root, out.key);
  auto spec = root.object("spec");
  if (!spec.given() && !root.has("spec")) root.error("spec", "is required");
  out.endpoints = spec.texts("etcdEndpoints");
  for (size_t i = 0; i < out.endpoints.size(); ++i)
    if (!out.endpoints[i].starts_with("http://") && !out.endpoints[i].starts_with("https://"))
      root.report().error(
          fmt::format("{}[{}]", spec.path_of("etcdEndpoints"), i),
          fmt::format("{} is not a client URL such as https://host:2379", show(out.endpoints[i])));
  if (group == Group::kOperatorEtcdIo) out.cluster_name = decode_cluster_name(spec, "clusterName");
  if (spec.given() && out.endpoints.empty() && out.cluster_name.empty())
    spec.error("etcdEndpoints", group == Group::kOperatorEtcdIo
                                    ? "clusterName or etcdEndpoints is required"
                                    : "is required");
  if (!out.endpoints.empty() && !out.cluster_name.empty())
    spec.error("etcdEndpoints", "only one of clusterName and etcdEndpoints may be set");
  out.client_tls_secret = decode_secret_name(spec, "clientTLSSecret");
  out.destination = decode_location(spec);
  check_type(spec, "storageType", out.destination);
  if (spec.given() && !out.destination)
    spec.error("storageType", "needs a destination: one of s3, gcs, abs, oss, local, pvc");
  auto policy = spec.object("backupPolicy");
  if (const auto timeout = policy.seconds("timeoutInSecond", {0, 86'400});
      timeout && timeout->count() > 0)
    out.timeout = *timeout;
  out.interval = policy.seconds("backupIntervalInSecond", {0, std::int64_t{366} * 86'400})
                     .value_or(out.interval);
  if (out.interval.count() > 0 && out.interval < std::chrono::seconds(10))
    policy.error("backupIntervalInSecond", "0 (once) or at least 10 is allowed");
  out.max_backups = static_cast<int>(policy.integer("maxBackups").value_or(0));
  return out;
}

RestoreRequest decode_restore_request(Fields& root, Group group) {
  RestoreRequest out;
  out.group = group;
  out.key = decode_metadata(root).key;
  check_named(root, out.key);
  auto spec = root.object("spec");
  if (!spec.given() && !root.has("spec")) root.error("spec", "is required");
  out.source = decode_location(spec);
  check_type(spec, "backupStorageType", out.source);
  if (spec.given() && !out.source)
    spec.error("backupStorageType", "needs a source: one of s3, gcs, abs, oss, local, pvc");
  auto cluster = spec.object("etcdCluster");
  out.cluster_name = decode_cluster_name(cluster, "name");
  if (group == Group::kOperatorEtcdIo) {
    const auto name = decode_cluster_name(spec, "clusterName");
    if (!name.empty() && !out.cluster_name.empty())
      spec.error("clusterName", "and etcdCluster.name may not both be set");
    if (!name.empty()) out.cluster_name = name;
    out.to_revision = spec.integer("toRevision", {1, LLONG_MAX}).value_or(0);
    if (const auto time = spec.text("toTime")) {
      const auto at = base::parse_rfc3339(*time);
      if (at)
        out.to_time = *at;
      else
        spec.error("toTime", at.error().message);
    }
    spec.exclusive({"toRevision", "toTime"});
    out.in_place = spec.boolean("restoreInPlace").value_or(false);
  }
  if (spec.given() && out.cluster_name.empty())
    spec.error(group == Group::kCoreOs ? "etcdCluster" : "clusterName",
               "the name of the cluster is required");
  return out;
}

Secret decode_secret(Fields& root) {
  Secret out;
  out.key = decode_metadata(root).key;
  check_named(root, out.key);
  out.type = root.text("type").value_or("Opaque");
  root.has("immutable");
  size_t bytes = 0;
  // Values stay out of every message, so the readers that show what they got are not used here.
  for (const std::string_view field : {"data", "stringData"}) {
    const auto* value = root.raw(field);
    if (value == nullptr) continue;
    const auto* members = value->if_object();
    if (members == nullptr) {
      root.error(field, "an object of texts is needed");
      continue;
    }
    for (const auto& member : *members) {
      const auto path = fmt::format("{}[{}]", field, show(member.key));
      const auto* text = member.value.if_string();
      const auto decoded = text == nullptr   ? std::nullopt
                           : field == "data" ? base::decode_base64(*text)
                                             : std::optional<std::string>(*text);
      if (text == nullptr)
        root.report().error(path, "a text is needed (write it in quotes)");
      else if (!decoded)
        root.report().error(path, "is not base64; stringData takes plain text");
      else
        bytes += decoded->size();
      if (decoded) out.data[member.key] = *decoded;
    }
  }
  if (bytes > kMaxSecretBytes) root.error("data", "is larger than 1Mi");
  return out;
}

}  // namespace api
