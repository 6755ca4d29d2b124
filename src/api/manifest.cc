#include "api/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "api/decode.h"
#include "api/fields.h"
#include "api/names.h"
#include "api/yaml.h"
#include "base/text.h"
#include "json/json.h"

namespace api {
namespace {

constexpr std::string_view kOperatorGroup = "operator.etcd.io/v1alpha1";
constexpr std::string_view kCoreOsGroup = "etcd.database.coreos.com/v1beta2";
constexpr size_t kMaxItems = 1000;  // of all lists of one file

struct Kind {
  std::string_view api_version, kind;
};
constexpr std::array<Kind, 7> kKinds{{{kOperatorGroup, "EtcdCluster"},
                                      {kOperatorGroup, "EtcdBackup"},
                                      {kOperatorGroup, "EtcdRestore"},
                                      {kCoreOsGroup, "EtcdCluster"},
                                      {kCoreOsGroup, "EtcdBackup"},
                                      {kCoreOsGroup, "EtcdRestore"},
                                      {"v1", "Secret"}}};

std::string allowed_kinds() {
  return fmt::format("EtcdCluster, EtcdBackup, EtcdRestore of {} and {}, Secret of v1",
                     kOperatorGroup, kCoreOsGroup);
}

// Whether apiVersion and kind are ones that we read; says what is wrong if not.
bool check_kind(const std::string& api_version, const std::string& kind, Report& report) {
  bool kind_known = false;
  for (const auto& known : kKinds) {
    if (known.kind == kind && known.api_version == api_version) return true;
    kind_known = kind_known || known.kind == kind;
  }
  if (kind_known) {
    report.error("apiVersion", fmt::format("{} is not allowed for {}: {}", show(api_version), kind,
                                           kind == "Secret" ? std::string("v1")
                                                            : fmt::format("{}, {}", kOperatorGroup,
                                                                          kCoreOsGroup)));
    return false;
  }
  std::vector<std::string_view> names;
  for (const auto& known : kKinds) names.push_back(known.kind);
  const auto near = base::nearest(kind, names);
  report.error(
      "kind",
      fmt::format("{} of {} is not allowed: {}{}", show(kind), show(api_version), allowed_kinds(),
                  near ? fmt::format("; did you mean {}?", *near) : std::string()));
  return false;
}

// Values without effect of fields that otherwise have one.
void add_values_not_acted_on(Cluster& cluster, Platform platform) {
  auto& out = cluster.fields_not_acted_on;
  if (platform == Platform::kHost && !cluster.spec.pod.env.empty())
    out.push_back(fmt::format("environment variable {} (no meaning on a host; only ETCD_… has)",
                              cluster.spec.pod.env.front().first));
}

Cluster decode_cluster(Fields& root, Group group, Platform platform) {
  auto cluster =
      group == Group::kCoreOs ? decode_coreos_cluster(root) : decode_operator_cluster(root);
  root.has("status");  // written by an operator; not read
  if (const auto wrong = check_cluster_name(cluster.key.name))
    root.report().error("metadata.name",
                        cluster.key.name.empty()
                            ? std::string("is required")
                            : fmt::format("{} is not allowed: {}", show(cluster.key.name), *wrong));
  cluster.fields_not_acted_on =
      fields_not_acted_on(root.report().seen(),
                          group == Group::kCoreOs ? Has::kCoreOs : Has::kOperatorEtcdIo, platform);
  add_values_not_acted_on(cluster, platform);
  return cluster;
}

void decode_kind(Fields& root, const std::string& api_version, Platform platform,
                 Document& document) {
  const Group group = api_version == kCoreOsGroup ? Group::kCoreOs : Group::kOperatorEtcdIo;
  const auto take = [&](auto object) {
    if (check_object_name(object.key.name) == std::nullopt) document.key = object.key;
    if (!root.report().failed()) document.object = std::move(object);
  };
  if (document.kind == "Secret") return take(decode_secret(root));
  if (document.kind == "EtcdBackup") {
    auto request = decode_backup_request(root, group);
    root.has("status");
    if (platform == Platform::kHost)
      root.warning("kind", "EtcdBackup has no effect on a host: use spec.backup, and backup-now");
    return take(std::move(request));
  }
  if (document.kind == "EtcdRestore") {
    auto request = decode_restore_request(root, group);
    root.has("status");
    if (platform == Platform::kHost)
      root.warning("kind", "EtcdRestore has no effect on a host: use spec.restore");
    return take(std::move(request));
  }
  take(decode_cluster(root, group, platform));
}

Document decode_document(const json::Value& value, int line, Platform platform) {
  Document document;
  document.line = line;
  Report report;
  if (!value.is_object()) {
    report.error("", fmt::format("{} is not allowed: an object with apiVersion and kind is needed",
                                 show(value)));
  } else {
    Fields root(&value, "", report);
    const auto api_version = root.text("apiVersion");
    const auto kind = root.text("kind");
    if (!api_version && !root.has("apiVersion")) root.error("apiVersion", "is required");
    if (!kind && !root.has("kind")) root.error("kind", "is required: " + allowed_kinds());
    document.kind = kind.value_or("").substr(0, 60);
    if (api_version && kind && check_kind(*api_version, *kind, report)) {
      decode_kind(root, *api_version, platform, document);
    } else {
      for (const auto& member : *value.if_object()) root.has(member.key);
    }
  }
  // Errors that came after the object was taken, and warnings of the root itself.
  if (report.failed()) document.object = std::monostate();
  document.problems = report.problems();
  return document;
}

// `kind: List` and `EtcdClusterList` hold documents of their own.
const json::Array* items_of(const json::Value& value) {
  const auto* kind = value.find("kind");
  const auto* name = kind == nullptr ? nullptr : kind->if_string();
  if (name == nullptr || !name->ends_with("List")) return nullptr;
  const auto* items = value.find("items");
  return items == nullptr ? nullptr : items->if_array();
}

void add_documents(const json::Value& value, int line, Platform platform, Manifest& manifest) {
  const auto* items = items_of(value);
  if (items == nullptr) {
    manifest.documents.push_back(decode_document(value, line, platform));
    return;
  }
  if (manifest.documents.size() + items->size() > kMaxItems) {
    Document document;
    document.line = line;
    document.kind = "List";
    document.problems.push_back(
        {Severity::kError, "items",
         fmt::format("at most {} objects are read of one file", kMaxItems)});
    manifest.documents.push_back(std::move(document));
    return;
  }
  for (const auto& item : *items)
    manifest.documents.push_back(decode_document(item, line, platform));
}

bool same_object(const Document& a, const Document& b) {
  if (!a.key || a.key != b.key || a.kind != b.kind) return false;
  // One name in both groups is not twice the same object: see find_name_conflicts().
  const auto *one = a.cluster(), *other = b.cluster();
  return one == nullptr || other == nullptr || one->group == other->group;
}

// The same object twice in one file: which one is meant cannot be known.
void refuse_duplicates(Manifest& manifest) {
  const auto& all = manifest.documents;
  std::vector<std::pair<size_t, size_t>> pairs;  // the later, the earlier
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (same_object(all[i], all[k])) pairs.emplace_back(i, k);
  for (const auto& [later, earlier] : pairs)
    for (const auto& [one, other] : {std::pair(later, earlier), std::pair(earlier, later)}) {
      auto& document = manifest.documents[one];
      document.object = std::monostate();
      document.problems.push_back(
          {Severity::kError, "metadata.name",
           fmt::format("{} {} is declared twice, also at line {}", document.kind,
                       document.key->text(), manifest.documents[other].line)});
    }
}

void add_json(std::string_view bytes, Platform platform, Manifest& manifest) {
  const YamlLimits limits;
  const auto value = json::parse(bytes, {limits.depth, limits.bytes});
  if (!value)
    manifest.error = value.error();
  else
    add_documents(*value, 1, platform, manifest);
}

void add_yaml(std::string_view bytes, Platform platform, Manifest& manifest) {
  auto documents = read_yaml(bytes);
  if (!documents) {
    manifest.error = std::move(documents).error();
    return;
  }
  for (auto& document : *documents) {
    if (document.value) {
      add_documents(*document.value, document.line, platform, manifest);
    } else {
      Document broken;
      broken.line = document.line;
      broken.problems.push_back({Severity::kError, "", document.value.error().message});
      manifest.documents.push_back(std::move(broken));
    }
  }
}

}  // namespace

bool Manifest::ok() const {
  return !error && std::ranges::all_of(documents, [](const Document& d) { return d.ok(); });
}

std::vector<std::string> Manifest::lines(Severity severity) const {
  std::vector<std::string> out;
  if (error && severity == Severity::kError) out.push_back(file + ": " + error->message);
  for (const auto& document : documents)
    for (const auto& problem : document.problems)
      if (problem.severity == severity)
        out.push_back(fmt::format("{}:{}: {}{}{}{}", file, document.line, document.kind,
                                  document.key ? " " + document.key->text() : std::string(),
                                  document.kind.empty() ? "" : ": ", problem.text()));
  return out;
}

Manifest parse_manifest(std::string_view bytes, std::string_view file, Platform platform) {
  Manifest manifest;
  manifest.file = file;
  if (file.ends_with(".json"))
    add_json(bytes, platform, manifest);
  else
    add_yaml(bytes, platform, manifest);
  refuse_duplicates(manifest);
  return manifest;
}

}  // namespace api
