#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/decode.h"
#include "api/names.h"
#include "base/text.h"

namespace api {
namespace {

constexpr std::int64_t kMinInterval = 5;  // seconds; below it backups would overlap
constexpr std::int64_t kYear = std::int64_t{366} * 86'400;
constexpr std::array<std::string_view, 6> kStores{"s3", "gcs", "abs", "oss", "local", "pvc"};

// "bucket" or "bucket/prefix"; no scheme, no empty part, nothing that climbs.
void check_bucket_path(Fields& fields, const std::string& path) {
  const auto bad = [&](std::string_view why) {
    fields.error("path", fmt::format("{} is not allowed: {}; write bucket or bucket/prefix",
                                     show(path), why));
  };
  if (path.empty()) return bad("it is empty");
  if (path.find("://") != std::string::npos) return bad("it has a scheme");
  if (path.size() > 900) return bad("it is longer than 900 characters");
  std::string_view rest = path;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  for (const auto part : base::split(rest, '/'))
    if (part.empty() || part == "." || part == "..") return bad("it has an empty part, . or ..");
  const bool plain = std::ranges::all_of(
      path, [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != '\\' && c != 0x7F; });
  if (!plain) return bad("it has spaces, control characters or backslashes");
}

bool is_storage_class(std::string_view text) {
  return text.size() <= 64 && text.front() >= 'A' && text.front() <= 'Z' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
         });
}

// What every object is written with.
void decode_s3_writes(Fields& store, ObjectLocation& into) {
  into.object_class = store.text("storageClass").value_or("");
  const auto& wanted = into.object_class;
  if (wanted == "GLACIER" || wanted == "DEEP_ARCHIVE")
    store.error("storageClass",
                fmt::format("{} is not allowed: each backup is read back and proven, and an object "
                            "of this class is not read at once; STANDARD_IA, ONEZONE_IA and "
                            "GLACIER_IR are",
                            show(wanted)));
  else if (!wanted.empty() && !is_storage_class(wanted))
    store.error("storageClass",
                fmt::format("{} is not allowed: at most 64 of A-Z, 0-9, _ and -, a letter first, "
                            "as in STANDARD_IA",
                            show(wanted)));
  using Mode = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Mode, 3> kModes{
      {{"AES256", "AES256"}, {"aws:kms", "aws:kms"}, {"aws:kms:dsse", "aws:kms:dsse"}}};
  into.encryption = store.choice<std::string_view>("serverSideEncryption", kModes).value_or("");
  into.kms_key = store.text("sseKMSKeyID").value_or("");
  if (into.kms_key.empty()) return;
  if (!into.encryption.starts_with("aws:kms"))
    store.error("sseKMSKeyID", fmt::format("{} is not allowed without serverSideEncryption aws:kms "
                                           "or aws:kms:dsse",
                                           show(into.kms_key)));
  const bool plain = std::ranges::all_of(into.kms_key, [](char c) { return c > 0x20 && c < 0x7F; });
  if (!plain || into.kms_key.size() > 2048)
    store.error("sseKMSKeyID", fmt::format("{} is not allowed: at most 2048 letters, digits and "
                                           "signs, without spaces",
                                           show(into.kms_key)));
}

void decode_cloud(Fields& store, std::string_view secret_field, ObjectLocation& into) {
  const auto path = store.text("path");
  if (!path && !store.has("path")) store.error("path", "is required: bucket or bucket/prefix");
  if (path) {
    into.path = *path;
    check_bucket_path(store, *path);
    while (into.path.ends_with('/')) into.path.pop_back();
  }
  into.secret = decode_secret_name(store, secret_field);
  if (into.kind == "s3" || into.kind == "oss" || into.kind == "abs" || into.kind == "gcs") {
    into.endpoint = store.text("endpoint").value_or("");
    if (!into.endpoint.empty() && !into.endpoint.starts_with("http://") &&
        !into.endpoint.starts_with("https://"))
      store.error("endpoint", fmt::format("{} is not allowed: it begins with http:// or https://",
                                          show(into.endpoint)));
  }
  if (into.kind != "s3" && into.kind != "oss") return;
  into.region = store.text("region").value_or("");
  into.force_path_style = store.boolean("forcePathStyle").value_or(false);
  if (into.kind == "s3") decode_s3_writes(store, into);
}

void decode_local(Fields& store, ObjectLocation& into) {
  const auto path = store.text("path");
  if (!path && !store.has("path")) store.error("path", "is required: an absolute path");
  into.path = path.value_or("");
  if (path && (!path->starts_with('/') || path->find("/../") != std::string::npos))
    store.error("path", fmt::format("{} is not allowed: an absolute path without ..", show(*path)));
}

void decode_volume(Fields& store, ObjectLocation& into) {
  into.path = store.text("claimName").value_or("");
  if (into.path.empty())
    store.error("claimName", "is required: the claim that holds the backups");
  else if (const auto wrong = check_object_name(into.path))
    store.error("claimName", fmt::format("{} is not allowed: {}", show(into.path), *wrong));
}

// storageType of 0.5–0.6 with its inline blocks.
std::optional<ObjectLocation> decode_flat(Fields& backup) {
  using Type = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Type, 3> kTypes{
      {{"PersistentVolume", "pvc"}, {"S3", "s3"}, {"ABS", "abs"}}};
  ObjectLocation out;
  out.kind = backup.choice<std::string_view>("storageType", kTypes).value_or("pvc");
  if (out.kind == "pvc") {
    auto volume = backup.object("pv");
    out.volume_bytes = volume.integer("volumeSizeInMB", {1, 1 << 30}).value_or(512) << 20;
    out.storage_class = volume.text("storageClass").value_or("");
    return out;
  }
  if (out.kind == "abs") {
    auto blob = backup.object("abs");
    out.path = blob.text("absContainer").value_or("");
    if (out.path.empty()) blob.error("absContainer", "is required");
    out.secret = decode_secret_name(blob, "absSecret");
    return out;
  }
  auto s3 = backup.object("s3");
  const auto bucket = s3.text("s3Bucket").value_or("");
  if (bucket.empty()) s3.error("s3Bucket", "is required");
  const auto prefix = s3.text("prefix").value_or("");
  out.path = prefix.empty() ? bucket : bucket + "/" + prefix;
  out.secret = decode_secret_name(s3, "awsSecret");
  return out;
}

void decode_policy(Fields& policy, Backup& into) {
  into.interval =
      policy.seconds("backupIntervalInSecond", {kMinInterval, kYear}).value_or(into.interval);
  into.max_backups = static_cast<int>(policy.integer("maxBackups").value_or(into.max_backups));
  into.timeout = policy.seconds("timeoutInSecond", {1, 86'400}).value_or(into.timeout);
}

void decode_own_backup_fields(Fields& backup, Backup& into) {
  auto encryption = backup.object("encryption");
  auto key = encryption.object("secretRef");
  into.encryption_secret = decode_secret_name(key, "name");
  into.encryption_key = key.text("key").value_or("");
  if (encryption.given() && (into.encryption_secret.empty() || into.encryption_key.empty()))
    encryption.error("secretRef", "name and key are both required");
  auto retention = backup.object("retention");
  const auto tier = [&](std::string_view name) {
    return static_cast<int>(retention.integer(name, {0, 10'000}).value_or(0));
  };
  into.retention = {tier("hourly"), tier("daily"), tier("weekly"), tier("monthly")};
  auto verify = backup.object("verify");
  into.verify_interval = verify.seconds("intervalSeconds", {60, kYear});
  auto continuous = backup.object("continuous");
  into.continuous = continuous.boolean("enabled").value_or(continuous.given());
  into.max_lag = continuous.seconds("maxLagSeconds", {1, 3600}).value_or(into.max_lag);
}

}  // namespace

std::optional<ObjectLocation> decode_location(Fields& fields) {
  fields.exclusive({"s3", "gcs", "abs", "oss", "local", "pvc"});
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kSecrets{
      {{"s3", "awsSecret"}, {"gcs", "gcpSecret"}, {"abs", "absSecret"}, {"oss", "ossSecret"}}};
  std::optional<ObjectLocation> found;
  for (const auto kind : kStores) {
    if (!fields.has(kind)) continue;
    auto store = fields.object(kind);
    ObjectLocation location;
    location.kind = kind;
    if (kind == "local") decode_local(store, location);
    if (kind == "pvc") decode_volume(store, location);
    for (const auto& [cloud, secret] : kSecrets)
      if (cloud == kind) decode_cloud(store, secret, location);
    if (!found) found = std::move(location);
  }
  return found;
}

std::optional<Backup> decode_backup(Fields& spec, Group group) {
  auto backup = spec.object("backup");
  if (!backup.given()) return std::nullopt;
  Backup out;
  out.enabled = backup.boolean("enabled").value_or(true);
  {
    auto policy = backup.object("backupPolicy");
    decode_policy(policy, out);
    auto source = policy.object("storageSource");
    if (source.given()) {
      out.destination = decode_location(source);
      if (!out.destination) source.error("", "one of s3, gcs, abs, oss, local, pvc is needed");
      if (backup.has("storageSource"))
        backup.error("storageSource", "is set in backupPolicy too; only one of them may be");
    }
  }
  {
    auto source = backup.object("storageSource");
    if (source.given()) {
      auto location = decode_location(source);
      if (!location) source.error("", "one of s3, gcs, abs, oss, local, pvc is needed");
      if (!out.destination) out.destination = std::move(location);
    }
  }
  decode_own_backup_fields(backup, out);
  if (group != Group::kCoreOs) return out;

  const bool flat =
      backup.has("storageType") || backup.has("pv") || backup.has("s3") || backup.has("abs");
  if (flat) {
    if (out.destination)
      backup.error("storageType", "the flat form and storageSource may not be mixed");
    out.destination = decode_flat(backup);
  }
  // The flat form's own numbers; the nested ones have been read above.
  if (backup.has("backupIntervalInSecond") || backup.has("maxBackups")) {
    if (backup.has("backupPolicy"))
      backup.error("backupPolicy", "the flat form and backupPolicy may not be mixed");
    out.interval =
        backup.seconds("backupIntervalInSecond", {kMinInterval, kYear}).value_or(out.interval);
    out.max_backups = static_cast<int>(backup.integer("maxBackups").value_or(0));
  }
  backup.boolean("autoDelete");
  backup.raw("pod");
  return out;
}

std::optional<Restore> decode_restore(Fields& spec, const std::optional<Backup>& backup) {
  auto restore = spec.object("restore");
  if (!restore.given()) return std::nullopt;
  Restore out;
  const auto cluster = restore.text("backupClusterName");
  auto policy = restore.object("restorePolicy");
  out.required = policy.boolean("required").value_or(false);
  out.source = decode_location(policy);
  {
    auto nested = policy.object("storageSource");
    if (nested.given()) {
      if (out.source)
        policy.error("storageSource", "names a second source; only one may be set");
      else
        out.source = decode_location(nested);
    }
  }
  if (!cluster) {
    const auto type = restore.text("storageType");
    if (type) restore.error("backupClusterName", "is required beside storageType");
    if (!out.source && !type)
      restore.error("restorePolicy", "needs a source: one of s3, gcs, abs, oss, local, pvc");
  } else {
    if (out.source) restore.error("backupClusterName", "may not be set beside restorePolicy");
    if (const auto wrong = check_cluster_name(*cluster))
      restore.error("backupClusterName",
                    fmt::format("{} is not allowed: {}", show(*cluster), *wrong));
    out.backup_cluster_name = *cluster;
    using Type = std::pair<std::string_view, std::string_view>;
    static constexpr std::array<Type, 3> kTypes{
        {{"PersistentVolume", "pvc"}, {"S3", "s3"}, {"ABS", "abs"}}};
    const auto kind = restore.choice<std::string_view>("storageType", kTypes).value_or("pvc");
    if (!backup || !backup->destination)
      restore.error("backupClusterName", "needs a backup block that says where backups are");
    else if (backup->destination->kind != kind)
      restore.error("storageType", "must be that of the backup block");
    else
      out.source = backup->destination;
  }
  // The same bucket is read with what it is written with.
  if (out.source && out.source->secret.empty() && backup && backup->destination) {
    const auto bucket = [](const ObjectLocation& l) { return l.path.substr(0, l.path.find('/')); };
    const auto& own = *backup->destination;
    if (own.kind == out.source->kind && bucket(own) == bucket(*out.source)) {
      out.source->secret = own.secret;
      if (out.source->endpoint.empty()) out.source->endpoint = own.endpoint;
      if (out.source->region.empty()) out.source->region = own.region;
      out.source->force_path_style |= own.force_path_style;
    }
  }
  return out;
}

}  // namespace api
