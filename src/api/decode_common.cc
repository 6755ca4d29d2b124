#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/annotations.h"
#include "api/decode.h"
#include "api/hazards.h"
#include "api/names.h"
#include "api/quantity.h"
#include "base/text.h"
#include "json/json.h"

namespace api {
namespace {

using ModePair = std::pair<std::string_view, TlsMode>;
constexpr std::array<ModePair, 3> kTlsModes{{{"Required", TlsMode::kRequired},
                                             {"Migrating", TlsMode::kMigrating},
                                             {"Disabled", TlsMode::kDisabled}}};

void decode_recovery(Fields& spec, ClusterSpec& into) {
  static constexpr std::array<std::pair<std::string_view, OnQuorumLoss>, 3> kQuorumLoss{
      {{"Automatic", OnQuorumLoss::kAutomatic},
       {"Approve", OnQuorumLoss::kApprove},
       {"Never", OnQuorumLoss::kNever}}};
  static constexpr std::array<std::pair<std::string_view, OnDataLoss>, 3> kDataLoss{
      {{"Approve", OnDataLoss::kApprove},
       {"Restore", OnDataLoss::kRestore},
       {"Never", OnDataLoss::kNever}}};
  auto recovery = spec.object("recovery");
  auto& out = into.recovery;
  out.on_quorum_loss =
      recovery.choice<OnQuorumLoss>("onQuorumLoss", kQuorumLoss).value_or(out.on_quorum_loss);
  out.on_data_loss =
      recovery.choice<OnDataLoss>("onDataLoss", kDataLoss).value_or(out.on_data_loss);
  out.wait = recovery.seconds("waitSeconds", {0, 86'400}).value_or(out.wait);
  auto repair = spec.object("repair");
  into.repair_timeout =
      repair.seconds("timeoutSeconds", {10, 86'400}).value_or(into.repair_timeout);
}

void decode_claim_policy(Fields& spec, ClusterSpec& into) {
  static constexpr std::array<std::pair<std::string_view, ClaimPolicy>, 2> kPolicies{
      {{"Retain", ClaimPolicy::kRetain}, {"Delete", ClaimPolicy::kDelete}}};
  auto policy = spec.object("persistentVolumeClaimRetentionPolicy");
  into.when_deleted =
      policy.choice<ClaimPolicy>("whenDeleted", kPolicies).value_or(into.when_deleted);
  into.when_scaled = policy.choice<ClaimPolicy>("whenScaled", kPolicies).value_or(into.when_scaled);
}

void decode_service(Fields& spec, ClusterSpec& into) {
  using Text = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Text, 3> kTypes{
      {{"ClusterIP", "ClusterIP"}, {"NodePort", "NodePort"}, {"LoadBalancer", "LoadBalancer"}}};
  auto service = spec.object("service");
  if (const auto type = service.choice<std::string_view>("type", kTypes)) into.service_type = *type;
  into.service_annotations = service.text_map("annotations");
  check_annotation_keys(service, "annotations", into.service_annotations);
}

// The newest patch of the same line, or of the next one where that line gets no more fixes.
std::string without_faults(const Version& version) {
  const auto newest = newest_of_minor(version);
  if (newest && !has_hazard(*newest, HazardAction::kAdvise)) return newest->text();
  return std::string(kDefaultVersion);
}

// Parses each quantity of `name` ("requests") and gives them in thousandths by resource.
std::map<std::string, std::int64_t> quantities(Fields& resources, std::string_view name) {
  std::map<std::string, std::int64_t> out;
  const auto* value = resources.raw(name);
  if (value == nullptr) return out;
  const std::string path = resources.path_of(name);
  if (!value->is_object()) {
    resources.error(name, fmt::format("{} is not allowed: an object is needed", show(*value)));
    return out;
  }
  for (const auto& member : *value->if_object()) {
    const auto* text = member.value.if_string();
    const std::string where = path + "." + member.key.substr(0, 60);
    if (text == nullptr && !member.value.is_number()) {
      resources.report().error(where, fmt::format("{} is not allowed: a quantity such as 500m or "
                                                  "512Mi is needed",
                                                  show(member.value)));
      continue;
    }
    const auto parsed = parse_milli_quantity(text != nullptr ? *text : json::print(member.value));
    if (parsed)
      out[member.key] = *parsed;
    else
      resources.report().error(where, parsed.error().message);
  }
  return out;
}

}  // namespace

Metadata decode_metadata(Fields& root) {
  Metadata out;
  auto metadata = root.object("metadata");
  if (!metadata.given() && !root.has("metadata")) root.error("metadata", "is required");
  if (const auto name = metadata.text("name")) out.key.name = *name;
  if (metadata.has("generateName"))
    metadata.error("generateName", "is not allowed: a cluster needs a name that stays");
  if (const auto ns = metadata.text("namespace"); ns && !ns->empty()) {
    out.key.ns = *ns;
    if (const auto wrong = check_namespace(*ns))
      metadata.error("namespace", fmt::format("{} is not allowed: {}", show(*ns), *wrong));
  }
  out.uid = metadata.text("uid").value_or("");
  out.generation =
      metadata.integer("generation", {0, std::numeric_limits<std::int64_t>::max()}).value_or(0);
  out.labels = metadata.text_map("labels");
  out.annotations = metadata.text_map("annotations");
  // Filled by an API server; they say nothing about what is wanted.
  for (const auto* filled :
       {"creationTimestamp", "resourceVersion", "managedFields", "selfLink", "finalizers",
        "ownerReferences", "deletionTimestamp", "deletionGracePeriodSeconds"})
    metadata.has(filled);
  check_labels(metadata, "labels", out.labels, false);
  check_annotations(out, root.report());
  return out;
}

void check_annotations(const Metadata& metadata, Report& report) {
  constexpr std::string_view kOurs = "operator.etcd.io/";
  static constexpr std::array<std::string_view, 5> kKnown{kTlsAnnotation, kApproveAnnotation,
                                                          kProtectAnnotation, kBackupNowAnnotation,
                                                          kRotateAnnotation};
  for (const auto& [key, value] : metadata.annotations) {
    const auto path = fmt::format("metadata.annotations[{}]", show(key));
    if (const auto wrong = check_label_key(key))
      report.error(path, "is not a valid key: " + *wrong);
    if (!key.starts_with(kOurs)) continue;
    if (std::ranges::find(kKnown, key) == kKnown.end()) {
      const auto near = base::nearest(key, kKnown);
      report.warning(path, near ? fmt::format("unknown annotation; did you mean {}?", *near)
                                : "unknown annotation, ignored");
    } else if (key == kProtectAnnotation && value != "true" && value != "false") {
      report.error(path, fmt::format("{} is not allowed: \"true\" or \"false\"", show(value)));
    } else if (key == kApproveAnnotation && (value.empty() || value.size() > 128)) {
      report.error(path, "the id of an operation is needed; status names it");
    }
  }
}

void decode_tls_annotation(const Metadata& metadata, Report& report, ClusterSpec& into) {
  const auto at = metadata.annotations.find(std::string(kTlsAnnotation));
  const bool given = at != metadata.annotations.end();
  const std::string path = given ? fmt::format("metadata.annotations[\"{}\"]", kTlsAnnotation)
                                 : std::string("spec.tls.mode");
  if (given) {
    const auto known = std::ranges::find(kTlsModes, at->second, &ModePair::first);
    if (known == kTlsModes.end())
      return report.error(
          path, fmt::format("{} is not allowed: Required, Migrating, Disabled", show(at->second)));
    into.tls.mode = known->second;
  }
  if (into.tls.mode == TlsMode::kMigrating && into.version.major == 3 && into.version.minor < 5)
    report.error(path,
                 "Migrating needs etcd 3.5 or later: 3.4 does not take TLS and plain text at one "
                 "address");
}

void check_labels(Fields& fields, std::string_view name,
                  const std::map<std::string, std::string>& labels, bool coreos) {
  for (const auto& [key, value] : labels) {
    const auto path = fmt::format("{}[{}]", fields.path_of(name), show(key));
    if (const auto wrong = check_label_key(key))
      fields.report().error(path, "is not a valid key: " + *wrong);
    else if (coreos && (key == "app" || key.starts_with("etcd_")))
      fields.report().error(path, "is set by the operator itself; use another key");
    if (const auto wrong = check_label_value(value))
      fields.report().error(path, fmt::format("{} is not allowed: {}", show(value), *wrong));
  }
}

void check_annotation_keys(Fields& fields, std::string_view name,
                           const std::map<std::string, std::string>& annotations) {
  for (const auto& [key, value] : annotations)
    if (const auto wrong = check_label_key(key))
      fields.report().error(fmt::format("{}[{}]", fields.path_of(name), show(key)),
                            "is not a valid key: " + *wrong);
}

std::string decode_secret_name(Fields& fields, std::string_view name) {
  const auto text = fields.text(name);
  if (!text || text->empty()) return {};
  if (const auto wrong = check_object_name(*text))
    fields.error(name, fmt::format("{} is not the name of a Secret: {}", show(*text), *wrong));
  return *text;
}

Version decode_version(Fields& spec, std::string_view fallback) {
  const auto text = spec.text("version");
  if (!text && spec.has("version")) return {};  // of a wrong type, reported
  if (!text && fallback.empty()) {
    spec.error("version", "is required, for example \"3.5.33\"");
    return {};
  }
  const auto version = parse_version(text ? *text : fallback);
  if (!version) {
    spec.error("version", version.error().message);
    return {};
  }
  if (const auto refused = check_version(*version)) {
    spec.error("version", *refused);
    return *version;
  }
  for (const auto* hazard : hazards_of(*version))
    if (hazard->action == HazardAction::kAdvise) {
      spec.warning("version",
                   fmt::format("{} has known faults ({}; {}); {} is without them", version->text(),
                               hazard->what, hazard->source, without_faults(*version)));
      break;
    }
  if (!version->pre.empty()) spec.warning("version", "is a pre-release: not for data that matter");
  return *version;
}

void decode_common(Fields& spec, ClusterSpec& into) {
  if (const auto size = spec.integer("size", {1, kMaxSize})) {
    into.size = static_cast<int>(*size);
    if (into.size % 2 == 0)
      spec.warning("size", fmt::format("{} members survive as few failures as {}; an odd size is "
                                       "better",
                                       into.size, into.size - 1));
  } else if (!spec.has("size")) {
    spec.error("size", fmt::format("is required: 1 to {}", kMaxSize));
  }
  if (into.size == 1 && has_hazard(into.version, HazardAction::kNoSingleMember))
    spec.warning("size",
                 fmt::format("a single member of {} may lose an acknowledged write; {} does "
                             "not",
                             into.version.text(), without_faults(into.version)));
  into.paused = spec.boolean("paused").value_or(false);
  into.hibernate = spec.boolean("hibernate").value_or(false);
  into.network_policy = spec.boolean("networkPolicy").value_or(false);
  into.zones = spec.texts("zones");
  decode_recovery(spec, into);
  decode_claim_policy(spec, into);
  decode_service(spec, into);
}

void decode_claim(Fields& claim, Storage& into) {
  into.given = true;
  into.type = StorageType::kPersistentVolumeClaim;
  into.storage_class = claim.text("storageClassName");
  const auto modes = claim.texts("accessModes");
  if (modes.size() > 1) claim.error("accessModes", "one mode is allowed");
  if (!modes.empty()) {
    into.access_mode = modes.front();
    if (modes.front() != "ReadWriteOnce" && modes.front() != "ReadWriteOncePod")
      claim.error("accessModes", fmt::format("{} is not allowed: ReadWriteOnce, ReadWriteOncePod; "
                                             "two members never share a volume",
                                             show(modes.front())));
  }
  auto resources = claim.object("resources");
  auto requests = resources.object("requests");
  auto limits = resources.object("limits");
  into.request_bytes = requests.bytes("storage");
  into.limit_bytes = limits.bytes("storage");
  if (!requests.has("storage"))
    requests.error("storage", "is required, for example 10Gi");
  else if (into.request_bytes && *into.request_bytes < (1 << 20))
    requests.error("storage", "at least 1Mi is needed");
  if (into.request_bytes && into.limit_bytes && *into.limit_bytes < *into.request_bytes)
    limits.error("storage", "is below what resources.requests.storage asks for");
  for (const auto* other : {"volumeMode", "selector", "volumeName", "dataSource", "dataSourceRef",
                            "volumeAttributesClassName"})
    if (claim.has(other)) claim.warning(other, "is not used: the operator makes the claims");
}

void decode_resources(Fields& pod, PodPolicy& into) {
  keep_raw(pod, "resources", into);
  auto resources = pod.object("resources");
  const auto requests = quantities(resources, "requests");
  const auto limits = quantities(resources, "limits");
  resources.has("claims");
  for (const auto& [name, wanted] : requests) {
    const auto limit = limits.find(name);
    if (limit != limits.end() && limit->second < wanted)
      resources.error("limits", fmt::format("{} is below what is requested of it", name));
  }
}

void keep_raw(Fields& fields, std::string_view name, PodPolicy& into) {
  if (const auto* value = fields.raw(name)) into.raw_json[std::string(name)] = json::print(*value);
}

void decode_static_tls(Fields& tls, Tls& into) {
  auto fixed = tls.object("static");
  if (!fixed.given()) return;
  auto member = fixed.object("member");
  into.peer_secret = decode_secret_name(member, "peerSecret");
  into.server_secret = decode_secret_name(member, "serverSecret");
  into.operator_secret = decode_secret_name(fixed, "operatorSecret");
  if (into.operator_secret.empty() != into.server_secret.empty())
    fixed.error("operatorSecret",
                "operatorSecret and member.serverSecret are set together or not at all");
  if (into.peer_secret.empty() && into.server_secret.empty())
    fixed.warning("member", "names no Secret: the operator's own certificates are used");
  else
    into.provider = TlsProvider::kUserSecrets;
}

}  // namespace api
