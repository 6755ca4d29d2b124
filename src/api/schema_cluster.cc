// EtcdCluster of both groups.
#include <fmt/format.h>

#include <utility>

#include "api/decode.h"
#include "api/schema.h"
#include "api/schema_parts.h"
#include "api/support.h"

namespace api {
namespace {

using namespace schema;

Members common(bool coreos) {
  const auto policy = or_else(choice({"Retain", "Delete"}), "Retain");
  return {
      {"size", integer({1, kMaxSize})},
      {"version", pattern(kVersion, 64)},
      {"paused", boolean()},
      {"hibernate", boolean()},
      {"networkPolicy", boolean()},
      {"zones", list(text(63), 16)},
      {"persistentVolumeClaimRetentionPolicy",
       object({{"whenDeleted", policy}, {"whenScaled", policy}})},
      {"recovery",
       object({{"onQuorumLoss", or_else(choice({"Automatic", "Approve", "Never"}), "Automatic")},
               {"onDataLoss", or_else(choice({"Approve", "Restore", "Never"}), "Approve")},
               {"waitSeconds", or_else(integer({0, 86'400}), 120)}})},
      {"repair", object({{"timeoutSeconds", or_else(integer({10, 86'400}), 300)}})},
      {"service",
       object({{"type", or_else(choice({"ClusterIP", "NodePort", "LoadBalancer"}), "ClusterIP")},
               {"annotations", map_of(text(32'768))}})},
      {"backup", backup_block(coreos)},
      {"restore", restore_block()}};
}

Value storage() {
  auto out = object(
      {{"type", or_else(choice({"PersistentVolumeClaim", "EmptyDir"}), "PersistentVolumeClaim")},
       {"spec", claim()}});
  out = rule(std::move(out), "(self.type == 'EmptyDir') != has(self.spec)",
             "spec is required with type PersistentVolumeClaim and may not be set with EmptyDir");
  return rule(std::move(out), "self.type == oldSelf.type",
              "type cannot change: restore a backup into a new cluster instead");
}

Value storage_spec() {
  auto request =
      rule(quantity(), "quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0",
           "volumes never shrink");
  auto out =
      object({{"accessModes", or_else(choice({"ReadWriteOnce", "ReadWriteMany"}), "ReadWriteOnce")},
              {"storageClassName", text(253)},
              {"pvcName", pattern(kObjectName, 253)},
              {"volumeSizeRequest", std::move(request)},
              {"volumeSizeLimit", quantity()}},
             {"volumeSizeRequest"});
  return rule(std::move(out), "self.accessModes != 'ReadWriteMany' || has(self.pvcName)",
              "pvcName is required with accessModes ReadWriteMany");
}

Members certificate_names() {
  return {{"commonName", text(64)},
          {"organizations", list(text(), 16)},
          {"altNames",
           object({{"dnsNames", list(text(253), 64)}, {"ipAddresses", list(text(39), 64)}})},
          {"validityDuration", text(64)},
          {"caBundleSecret", text(253)}};
}

Value tls() {
  auto manager = object(join({certificate_names(),
                              {{"issuerKind", choice({"Issuer", "ClusterIssuer"})},
                               {"issuerName", with(text(253), {{"minLength", 1}})}}}),
                        {"issuerKind", "issuerName"});
  auto config = rule(
      object({{"autoCfg", object(certificate_names())}, {"certManagerCfg", std::move(manager)}}),
      "!has(self.autoCfg) || !has(self.certManagerCfg)",
      "only one of autoCfg, certManagerCfg may be set");
  auto out = object({{"mode", or_else(choice({"Required", "Migrating", "Disabled"}), "Required")},
                     {"provider", choice({"auto", "cert-manager", "own", "secrets"})},
                     {"providerCfg", std::move(config)},
                     {"static", static_tls()}});
  out = rule(std::move(out),
             "(has(self.provider) && self.provider == 'cert-manager') == (has(self.providerCfg) && "
             "has(self.providerCfg.certManagerCfg))",
             "providerCfg.certManagerCfg goes with provider cert-manager, and only with it");
  out = rule(std::move(out),
             "self.mode == oldSelf.mode || self.mode == 'Migrating' || oldSelf.mode == 'Migrating'",
             "mode cannot change between Required and Disabled at once, or clients are cut off: "
             "set Migrating first");
  out =
      rule(std::move(out), "!has(self.provider) || self.provider == 'secrets' || !has(self.static)",
           "static goes with provider secrets only");
  return rule(std::move(out),
              "!has(self.provider) || self.provider != 'secrets' || has(self.static)",
              "static is required with provider secrets");
}

Value pod_template() {
  constexpr std::int64_t kInt64 = std::numeric_limits<std::int64_t>::max();
  return object(
      {{"metadata", object({{"labels", labels()}, {"annotations", map_of(text(262'144))}})},
       {"spec", object({{"affinity", affinity()},
                        {"nodeSelector", labels()},
                        {"tolerations", tolerations()},
                        {"topologySpreadConstraints", spread()},
                        {"resources", resources()},
                        {"env", environment()},
                        {"priorityClassName", text(253)},
                        {"securityContext", anything()},
                        {"serviceAccountName", text(253)},
                        {"imagePullSecrets", list(object({{"name", text(253)}}), 16)},
                        {"schedulerName", text(253)},
                        {"terminationGracePeriodSeconds", integer({0, kInt64})}})}});
}

Members operator_fields() {
  return {{"imageRegistry", text()},
          {"storage", storage()},
          {"storageSpec", storage_spec()},
          {"tls", tls()},
          {"etcdOptions", list(pattern("^--?[a-z0-9][a-z0-9-]*(=.*)?$", 4096))},
          {"podTemplate", pod_template()}};
}

Value coreos_pod() {
  auto own_labels = rule(labels(), "self.all(k, k != 'app' && !k.startsWith('etcd_'))",
                         "app and etcd_* are set by the operator itself; use other keys");
  auto annotations = rule(map_of(text(262'144)), "!('etcd.version' in self)",
                          "etcd.version is set by the operator itself; use another key");
  auto out = object(
      {{"labels", with(std::move(own_labels), {{"maxProperties", 64}})},
       {"annotations", std::move(annotations)},
       {"nodeSelector", labels()},
       {"affinity", affinity()},
       {"antiAffinity", boolean()},
       {"resources", resources()},
       {"tolerations", tolerations()},
       {"etcdEnv", environment()},
       {"persistentVolumeClaimSpec", claim()},
       {"pv", object({{"volumeSizeInMB", integer({1, 1 << 30})}, {"storageClass", text(253)}})},
       {"busyboxImage", text()},
       {"securityContext", anything()},
       {"DNSTimeoutInSecond", integer({0})},
       {"ClusterDomain", text(253)}});
  return rule(std::move(out), "!has(self.persistentVolumeClaimSpec) || !has(self.pv)",
              "only one of persistentVolumeClaimSpec, pv may be set");
}

Members coreos_fields() {
  return {{"repository", text()},
          {"baseImage", text()},
          {"pod", coreos_pod()},
          {"TLS", object({{"static", static_tls()}})},
          {"selfHosted",
           object({{"bootMemberClientEndpoint", text()}, {"skipBootMemberRemoval", boolean()}})}};
}

// Names of the objects that are made for a cluster are derived from its own: check_cluster_name().
Value check_name(Value document) {
  document = rule(std::move(document),
                  "self.metadata.name.size() <= 45 && "
                  "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
                  "metadata.name: at most 45 characters of a-z, 0-9 and -; it begins with a letter "
                  "and ends with a letter or digit");
  return rule(std::move(document),
              "!self.metadata.name.endsWith('-client') && !self.metadata.name.endsWith('-peer')",
              "metadata.name: must not end in -client or -peer: other objects of a cluster are "
              "named so");
}

void describe(Value& node, const std::string& path, Has group) {
  auto* properties = node.find("properties") == nullptr ? nullptr : node["properties"].if_object();
  if (properties == nullptr) return;
  for (auto& [name, child] : *properties) {
    const auto below = path + "." + name;
    const auto* info = find_field(below, group);
    if (info != nullptr && info->path == below && !info->meaning.empty())
      child["description"] = info->fallback.empty()
                                 ? std::string(info->meaning)
                                 : fmt::format("{} (default: {})", info->meaning, info->fallback);
    describe(child, below, group);
  }
}

}  // namespace

json::Value cluster_schema(Group group) {
  const bool coreos = group == Group::kCoreOs;
  auto fields = join({common(coreos), coreos ? coreos_fields() : operator_fields()});
  std::vector<std::string> required{"size"};
  if (coreos) {
    for (auto& [name, node] : fields)
      if (name == "version") node = or_else(std::move(node), kDefaultVersion);
  } else {
    required.emplace_back("version");
  }
  auto spec = object(std::move(fields), std::move(required));
  spec = coreos ? rule(std::move(spec), "!has(self.repository) || !has(self.baseImage)",
                       "only one of repository, baseImage may be set")
                : rule(std::move(spec), "!has(self.storage) || !has(self.storageSpec)",
                       "only one of storage, storageSpec may be set");
  describe(spec, "spec", coreos ? Has::kCoreOs : Has::kOperatorEtcdIo);
  return check_name(
      document(std::move(spec), cluster_status(coreos), "An etcd cluster that is looked after."));
}

}  // namespace api
