// Where backups are, the blocks backup and restore, and the objects EtcdBackup and EtcdRestore.
#include <fmt/format.h>

#include <utility>

#include "api/schema.h"
#include "api/schema_parts.h"

namespace api {
namespace schema {
namespace {

constexpr std::int64_t kYear = std::int64_t{366} * 86'400;
constexpr std::int64_t kInt64 = std::numeric_limits<std::int64_t>::max();
constexpr std::string_view kOneStore = "exactly one of s3, gcs, abs, oss, local, pvc is needed";

Value endpoint() {
  return pattern("^(https?://.*)?$");
}

Value cloud(std::string_view secret, Members more) {
  return object(join({{{"path", path_in_bucket()}, {std::string(secret), secret_name()}},
                      {{"endpoint", endpoint()}},
                      std::move(more)}),
                {"path"});
}

// What every object is written with.
Value s3(const Members& region) {
  auto storage_class =
      with(pattern("^([A-Z][A-Z0-9_-]*)?$", 64),
           {{"not", json::Object{{"enum", json::Array{"GLACIER", "DEEP_ARCHIVE"}}}}});
  auto out = cloud("awsSecret",
                   join({region,
                         {{"storageClass", std::move(storage_class)},
                          {"serverSideEncryption", choice({"AES256", "aws:kms", "aws:kms:dsse"})},
                          {"sseKMSKeyID", pattern("^[!-~]*$", 2048)}}}));
  return rule(std::move(out),
              "!has(self.sseKMSKeyID) || self.sseKMSKeyID == '' || (has(self.serverSideEncryption) "
              "&& self.serverSideEncryption != 'AES256')",
              "sseKMSKeyID needs serverSideEncryption aws:kms or aws:kms:dsse");
}

Value source() {
  return rule(object(stores()), fmt::format("{} == 1", kStoreCount), kOneStore);
}

// 0.5 and 0.6 knew these.
Value old_storage_type() {
  return choice({"PersistentVolume", "S3", "ABS"});
}

// storageType of the objects names the block beside it.
Value check_type(Value spec, std::string_view field) {
  return rule(std::move(spec),
              fmt::format("!has(self.{0}) || (self.{0} == 'S3' && has(self.s3)) || (self.{0} == "
                          "'GCS' && has(self.gcs)) || (self.{0} == 'ABS' && has(self.abs)) || "
                          "(self.{0} == 'OSS' && has(self.oss))",
                          field),
              fmt::format("{} must name the block that is set", field));
}

Members flat_backup() {
  return {
      {"storageType", old_storage_type()},
      {"pv", object({{"volumeSizeInMB", integer({1, 1 << 30})}, {"storageClass", text(253)}})},
      {"s3", object({{"s3Bucket", text()}, {"prefix", text()}, {"awsSecret", secret_name()}},
                    {"s3Bucket"})},
      {"abs", object({{"absContainer", text()}, {"absSecret", secret_name()}}, {"absContainer"})},
      {"backupIntervalInSecond", integer({5, kYear})},
      {"maxBackups", integer({0})},
      {"autoDelete", boolean()},
      {"pod", anything()}};
}

}  // namespace

Members stores() {
  const Members region{{"region", text()}, {"forcePathStyle", boolean()}};
  const Value climbs = json::Object{{"pattern", R"(/\.\./)"}};
  return {{"s3", s3(region)},
          {"gcs", cloud("gcpSecret", {})},
          {"abs", cloud("absSecret", {})},
          {"oss", cloud("ossSecret", region)},
          {"local", object({{"path", with(pattern("^/", 4096), {{"not", climbs}})}}, {"path"})},
          {"pvc", object({{"claimName", pattern(kObjectName, 253)}}, {"claimName"})}};
}

Value backup_block(bool coreos) {
  const auto tier = integer({0, 10'000});
  Members own{
      {"enabled", or_else(boolean(), true)},
      {"backupPolicy", object({{"backupIntervalInSecond", or_else(integer({5, kYear}), 1800)},
                               {"maxBackups", or_else(integer({0}), 0)},
                               {"timeoutInSecond", or_else(integer({1, 86'400}), 900)},
                               {"storageSource", source()}})},
      {"storageSource", source()},
      {"encryption",
       object({{"secretRef", with(object({{"name", pattern(kObjectName, 253)},
                                          {"key", with(text(253), {{"minLength", 1}})}},
                                         {"name", "key"}),
                                  {{"x-kubernetes-map-type", "atomic"}})}},
              {"secretRef"})},
      {"retention", object({{"hourly", or_else(tier, 0)},
                            {"daily", or_else(tier, 0)},
                            {"weekly", or_else(tier, 0)},
                            {"monthly", or_else(tier, 0)}})},
      {"verify", object({{"intervalSeconds", integer({60, kYear})}})},
      {"continuous", object({{"enabled", or_else(boolean(), true)},
                             {"maxLagSeconds", or_else(integer({1, 3600}), 1)}})}};
  auto out = object(coreos ? join({own, flat_backup()}) : own);
  out = rule(std::move(out),
             "!has(self.storageSource) || !has(self.backupPolicy) || "
             "!has(self.backupPolicy.storageSource)",
             "storageSource is set in backupPolicy too; only one of them may be");
  if (!coreos) return out;
  out = rule(std::move(out),
             "!(has(self.storageType) || has(self.pv) || has(self.s3) || has(self.abs)) || "
             "!(has(self.storageSource) || (has(self.backupPolicy) && "
             "has(self.backupPolicy.storageSource)))",
             "the flat form (storageType, pv, s3, abs) and storageSource may not be mixed");
  return rule(std::move(out),
              "!(has(self.backupIntervalInSecond) || has(self.maxBackups)) || "
              "!has(self.backupPolicy)",
              "the flat form and backupPolicy may not be mixed");
}

Value restore_block() {
  auto policy = object(
      join({stores(), {{"required", or_else(boolean(), false)}, {"storageSource", source()}}}));
  policy = rule(std::move(policy),
                fmt::format("{} + (has(self.storageSource) ? 1 : 0) <= 1", kStoreCount),
                "only one of s3, gcs, abs, oss, local, pvc, storageSource may be set");
  // In a rule of the parent: backupClusterName may stand alone.
  auto out = object({{"backupClusterName", text(45)},
                     {"storageType", old_storage_type()},
                     {"restorePolicy", std::move(policy)}});
  const std::string_view has_source =
      "(has(self.restorePolicy) && (has(self.restorePolicy.s3) || has(self.restorePolicy.gcs) || "
      "has(self.restorePolicy.abs) || has(self.restorePolicy.oss) || has(self.restorePolicy.local) "
      "|| has(self.restorePolicy.pvc) || has(self.restorePolicy.storageSource)))";
  out = rule(std::move(out), fmt::format("has(self.backupClusterName) != {}", has_source),
             "needs a source: restorePolicy with one of s3, gcs, abs, oss, local, pvc, or "
             "backupClusterName; not both");
  return rule(std::move(out), "!has(self.storageType) || has(self.backupClusterName)",
              "backupClusterName is required beside storageType");
}

}  // namespace schema

using namespace schema;

json::Value backup_schema(Group group) {
  const bool coreos = group == Group::kCoreOs;
  auto interval =
      rule(integer({0, kYear}), "self == 0 || self >= 10", "0 (once) or at least 10 is allowed");
  Members own{{"etcdEndpoints", list(pattern("^https?://"), 16)},
              {"clientTLSSecret", secret_name()},
              {"storageType", choice({"S3", "ABS", "GCS", "OSS"})},
              {"backupPolicy", object({{"timeoutInSecond", integer({0, 86'400})},
                                       {"backupIntervalInSecond", std::move(interval)},
                                       {"maxBackups", integer({0})}})}};
  if (!coreos) own.push_back({"clusterName", text(45)});
  auto spec = object(join({own, stores()}));
  spec = rule(std::move(spec), fmt::format("{} == 1", kStoreCount), kOneStore);
  spec = check_type(std::move(spec), "storageType");
  spec = rule(std::move(spec),
              coreos ? "has(self.etcdEndpoints) && self.etcdEndpoints.size() > 0"
                     : "(has(self.etcdEndpoints) && self.etcdEndpoints.size() > 0) || "
                       "(has(self.clusterName) && self.clusterName != '')",
              coreos ? "etcdEndpoints is required" : "clusterName or etcdEndpoints is required");
  if (!coreos)
    spec = rule(std::move(spec),
                "!has(self.clusterName) || self.clusterName == '' || !has(self.etcdEndpoints) || "
                "self.etcdEndpoints.size() == 0",
                "only one of clusterName and etcdEndpoints may be set");
  return document(std::move(spec), backup_status(),
                  "One backup of a cluster, or one every backupIntervalInSecond.");
}

json::Value restore_schema(Group group) {
  const bool coreos = group == Group::kCoreOs;
  Members own{{"backupStorageType", choice({"S3", "ABS", "GCS", "OSS"})},
              {"etcdCluster", object({{"name", text(45)}})}};
  if (!coreos)
    own.insert(own.end(), {{"clusterName", text(45)},
                           {"toRevision", integer({1, kInt64})},
                           {"toTime", time()},
                           {"restoreInPlace", boolean()}});
  auto spec = object(join({own, stores()}));
  spec = rule(std::move(spec), fmt::format("{} == 1", kStoreCount), kOneStore);
  spec = check_type(std::move(spec), "backupStorageType");
  constexpr std::string_view kNamed =
      "(has(self.etcdCluster) && has(self.etcdCluster.name) && self.etcdCluster.name != '')";
  if (coreos) {
    spec = rule(std::move(spec), kNamed, "etcdCluster.name is required");
  } else {
    spec = rule(std::move(spec),
                fmt::format("(has(self.clusterName) && self.clusterName != '') != {}", kNamed),
                "the name of the cluster is required, in clusterName or etcdCluster.name");
    spec = rule(std::move(spec), "!has(self.toRevision) || !has(self.toTime)",
                "only one of toRevision, toTime may be set");
  }
  return document(std::move(spec), restore_status(),
                  "Makes a cluster from a backup, or brings one back to it.");
}

}  // namespace api
