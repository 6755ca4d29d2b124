// operator.etcd.io/v1alpha1 EtcdCluster: upstream's fields and our own.
#include <fmt/format.h>

#include <array>

#include "api/decode.h"
#include "api/etcd_options.h"
#include "api/names.h"

namespace api {
namespace {

void decode_storage(Fields& spec, Storage& into) {
  static constexpr std::array<std::pair<std::string_view, StorageType>, 2> kTypes{
      {{"PersistentVolumeClaim", StorageType::kPersistentVolumeClaim},
       {"EmptyDir", StorageType::kEmptyDir}}};
  auto storage = spec.object("storage");
  if (!storage.given()) return;
  into.given = true;
  const auto type = storage.choice<StorageType>("type", kTypes);
  const bool has_claim = storage.has("spec");
  if (type == StorageType::kEmptyDir) {
    into.type = StorageType::kEmptyDir;
    if (has_claim) storage.error("spec", "may not be set with type EmptyDir");
    return;
  }
  auto claim = storage.object("spec");
  if (claim.given())
    decode_claim(claim, into);
  else if (!has_claim)
    storage.error("spec", "is required with type PersistentVolumeClaim");
}

// Upstream's form of the same.
void decode_storage_spec(Fields& spec, Storage& into) {
  auto storage = spec.object("storageSpec");
  if (!storage.given()) return;
  into.given = true;
  into.type = StorageType::kPersistentVolumeClaim;
  using Mode = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Mode, 2> kModes{
      {{"ReadWriteOnce", "ReadWriteOnce"}, {"ReadWriteMany", "ReadWriteMany"}}};
  if (const auto mode = storage.choice<std::string_view>("accessModes", kModes))
    into.access_mode = *mode;
  into.storage_class = storage.text("storageClassName");
  into.claim_name = storage.text("pvcName");
  if (into.claim_name)
    if (const auto wrong = check_object_name(*into.claim_name))
      storage.error("pvcName",
                    fmt::format("{} is not allowed: {}", show(*into.claim_name), *wrong));
  if (into.access_mode == "ReadWriteMany" && !into.claim_name)
    storage.error("pvcName", "is required with accessModes ReadWriteMany");
  into.request_bytes = storage.bytes("volumeSizeRequest");
  if (!storage.has("volumeSizeRequest"))
    storage.error("volumeSizeRequest", "is required, for example 10Gi");
  else if (into.request_bytes && *into.request_bytes < (1 << 20))
    storage.error("volumeSizeRequest", "at least 1Mi is needed");
  into.limit_bytes = storage.bytes("volumeSizeLimit");
  if (into.request_bytes && into.limit_bytes && *into.limit_bytes < *into.request_bytes)
    storage.error("volumeSizeLimit", "is below volumeSizeRequest");
}

void decode_certificate_names(Fields& config, Tls& into) {
  into.common_name = config.text("commonName").value_or("");
  if (into.common_name.size() > 64)
    config.error("commonName", "at most 64 characters are allowed in a certificate");
  into.organizations = config.texts("organizations");
  auto names = config.object("altNames");
  into.dns_names = names.texts("dnsNames");
  into.ip_addresses = names.texts("ipAddresses");
  for (size_t i = 0; i < into.dns_names.size(); ++i)
    if (const auto wrong = check_dns_name(into.dns_names[i]))
      names.report().error(fmt::format("{}[{}]", names.path_of("dnsNames"), i),
                           fmt::format("{} {}", show(into.dns_names[i]), *wrong));
  for (size_t i = 0; i < into.ip_addresses.size(); ++i)
    if (const auto wrong = check_ip(into.ip_addresses[i]))
      names.report().error(fmt::format("{}[{}]", names.path_of("ipAddresses"), i),
                           fmt::format("{} {}", show(into.ip_addresses[i]), *wrong));
  if (const auto validity = config.duration("validityDuration")) {
    into.validity = *validity;
    // Tests live with certificates of minutes; below that nothing could be renewed in time.
    if (*validity < std::chrono::minutes(1))
      config.error("validityDuration", "at least 1m is needed");
  }
  config.raw("caBundleSecret");
}

void decode_tls(Fields& spec, Tls& into) {
  static constexpr std::array<std::pair<std::string_view, TlsMode>, 3> kModes{
      {{"Required", TlsMode::kRequired},
       {"Migrating", TlsMode::kMigrating},
       {"Disabled", TlsMode::kDisabled}}};
  static constexpr std::array<std::pair<std::string_view, TlsProvider>, 4> kProviders{
      {{"auto", TlsProvider::kAuto},
       {"cert-manager", TlsProvider::kCertManager},
       {"own", TlsProvider::kOwn},
       {"secrets", TlsProvider::kUserSecrets}}};
  auto tls = spec.object("tls");
  into.mode = tls.choice<TlsMode>("mode", kModes).value_or(into.mode);
  into.provider = tls.choice<TlsProvider>("provider", kProviders).value_or(into.provider);
  const auto wanted = into.provider;
  decode_static_tls(tls, into);
  if (wanted == TlsProvider::kUserSecrets && into.provider == wanted && into.peer_secret.empty() &&
      into.server_secret.empty())
    tls.error("static", "is required with provider secrets");
  if (tls.has("static") && tls.has("provider") && wanted != TlsProvider::kUserSecrets)
    tls.error("static", "goes with provider secrets only");
  auto config = tls.object("providerCfg");
  config.exclusive({"autoCfg", "certManagerCfg"});
  auto automatic = config.object("autoCfg");
  if (automatic.given()) decode_certificate_names(automatic, into);
  auto manager = config.object("certManagerCfg");
  if (manager.given()) {
    decode_certificate_names(manager, into);
    using Kind = std::pair<std::string_view, std::string_view>;
    static constexpr std::array<Kind, 2> kKinds{
        {{"Issuer", "Issuer"}, {"ClusterIssuer", "ClusterIssuer"}}};
    into.issuer_kind = manager.choice<std::string_view>("issuerKind", kKinds).value_or("");
    into.issuer_name = manager.text("issuerName").value_or("");
    if (!manager.has("issuerKind"))
      manager.error("issuerKind", "is required: Issuer, ClusterIssuer");
    if (into.issuer_name.empty()) manager.error("issuerName", "is required");
    if (into.provider != TlsProvider::kCertManager)
      config.error("certManagerCfg", "goes with provider cert-manager only");
  } else if (into.provider == TlsProvider::kCertManager && !config.has("certManagerCfg")) {
    tls.error("providerCfg", "certManagerCfg is required with provider cert-manager");
  }
}

void decode_env(Fields& pod, ClusterSpec& into) {
  const auto* value = pod.raw("env");
  if (value == nullptr) return;
  decode_environment(*value, pod.path_of("env"), pod.report(), into);
}

void decode_pod_template(Fields& spec, ClusterSpec& into) {
  auto pod_template = spec.object("podTemplate");
  auto metadata = pod_template.object("metadata");
  into.pod.labels = metadata.text_map("labels");
  into.pod.annotations = metadata.text_map("annotations");
  check_labels(metadata, "labels", into.pod.labels, false);
  check_annotation_keys(metadata, "annotations", into.pod.annotations);
  auto pod = pod_template.object("spec");
  into.pod.node_selector = pod.text_map("nodeSelector");
  check_labels(pod, "nodeSelector", into.pod.node_selector, false);
  decode_resources(pod, into.pod);
  decode_env(pod, into);
  for (const auto* name : {"affinity", "tolerations", "topologySpreadConstraints",
                           "priorityClassName", "securityContext", "serviceAccountName",
                           "imagePullSecrets", "schedulerName", "terminationGracePeriodSeconds"})
    keep_raw(pod, name, into.pod);
}

}  // namespace

Cluster decode_operator_cluster(Fields& root) {
  Cluster out;
  out.group = Group::kOperatorEtcdIo;
  auto metadata = decode_metadata(root);
  auto spec = root.object("spec");
  if (!spec.given() && !root.has("spec")) root.error("spec", "is required");
  if (spec.given()) {
    out.spec.version = decode_version(spec, "");
    decode_common(spec, out.spec);
    out.spec.image_repository = spec.text("imageRegistry").value_or("");
    spec.exclusive({"storage", "storageSpec"});
    decode_storage(spec, out.spec.storage);
    decode_storage_spec(spec, out.spec.storage);
    decode_tls(spec, out.spec.tls);
    decode_tls_annotation(metadata, root.report(), out.spec);
    out.spec.backup = decode_backup(spec, out.group);
    out.spec.restore = decode_restore(spec, out.spec.backup);
    decode_pod_template(spec, out.spec);
    const auto options = spec.texts("etcdOptions");
    decode_etcd_options(options, spec.path_of("etcdOptions"), spec.report(), out.spec);
  }
  out.key = std::move(metadata.key);
  out.uid = std::move(metadata.uid);
  out.generation = metadata.generation;
  out.labels = std::move(metadata.labels);
  out.annotations = std::move(metadata.annotations);
  return out;
}

}  // namespace api
