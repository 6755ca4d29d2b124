#include "archive/manifest.h"

#include <fmt/format.h>

#include "archive/digest_fields.h"
#include "archive/fields.h"
#include "archive/read_fields.h"
#include "archive/tier_fields.h"
#include "json/json.h"
#include "pki/digest.h"

namespace archive {
namespace {

using base::Code;

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kDigest = "digest";

std::string digest_of(const json::Value& value) {
  return pki::to_hex(pki::sha256(json::print(value)));
}

}  // namespace

struct ManifestForm {
  std::int64_t format = kFormat;
  std::string name;
  std::string cluster_namespace, cluster_name;
  Manifest manifest;
};

template <class A, Is<ManifestForm> X>
void fields(A& a, X& x) {
  auto& m = x.manifest;
  a("format", x.format, Need::kYes);
  a("name", x.name, Need::kYes);
  a("namespace", x.cluster_namespace, Need::kYes);
  a("cluster", x.cluster_name, Need::kYes);
  a("epoch", m.epoch, Need::kYes);
  a("time", m.time, Need::kYes);
  a("taken", m.taken);
  a("clusterID", m.cluster_id, Need::kYes);
  a("member", m.member, Need::kYes);
  a("etcdVersion", m.etcd_version, Need::kYes);
  a("compactRevision", m.compact_revision, Need::kYes);
  a("keys", m.keys, Need::kYes);
  a("records", m.records, Need::kYes);
  a("leases", m.leases, Need::kYes);
  a("authEnabled", m.auth_enabled, Need::kYes);
  a("authRevision", m.auth_revision);
  a("hash", m.hash, Need::kYes);
  a("hashOfMember", m.hash_of_member);
  a("hashCompactRevision", m.hash_compact_revision);
  a("snapshot", m.snapshot, Need::kYes);
  a("data", m.data, Need::kYes);
  a("encryption", m.encryption);
  a("maxBackups", m.max_backups);
  a("retention", m.retention);
}
template <class A, Is<Mark> X>
void fields(A& a, X& x) {
  a("time", x.time, Need::kYes);
  a("by", x.by, Need::kYes);
  a("why", x.why);
  a("etcdVersion", x.etcd_version);
}

std::string to_json(const Manifest& manifest) {
  const ManifestForm form{.name = manifest.name.text(),
                          .cluster_namespace = manifest.cluster.ns,
                          .cluster_name = manifest.cluster.name,
                          .manifest = manifest};
  auto value = write_fields(form);
  value[kDigest] = digest_of(value);
  return json::print(value, json::Style::kPretty);
}

base::Result<Manifest> parse_manifest(std::string_view json, const Name& name) {
  const auto bad = [](std::string_view why) {
    return base::fail(Code::kDataLoss, fmt::format("its manifest is damaged: {}", why));
  };
  auto value = json::parse(json, {.bytes = kLargestManifest});
  if (!value) return bad(value.error().message);
  auto* object = value->if_object();
  if (object == nullptr) return bad("it is no object");
  const auto format = json::get_int(*value, "format");
  if (!format) return bad(format.error().message);
  if (*format > kFormat)
    return base::fail(
        Code::kUnimplemented,
        fmt::format("its manifest has format {}; this program knows format {}", *format, kFormat));
  const auto digest = json::get_string(*value, kDigest);
  if (!digest) return bad(digest.error().message);
  object->erase(kDigest);
  if (digest_of(*value) != *digest) return bad("its digest is not the one of its text");
  auto form = read_fields<ManifestForm>(*value, /*strict=*/false);
  if (!form) return bad(form.error().message);
  if (form->name != name.text()) return bad("it names " + form->name);
  form->manifest.name = name;
  form->manifest.cluster = {form->cluster_namespace, form->cluster_name};
  return std::move(form->manifest);
}

std::string to_json(const Mark& mark) {
  return json::print(write_fields(mark)) + "\n";
}

base::Result<Mark> parse_mark(std::string_view json) {
  TRY(const auto value, json::parse(json, {.bytes = kLargestManifest}));
  return read_fields<Mark>(value, /*strict=*/false);
}

}  // namespace archive
