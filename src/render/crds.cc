#include "render/crds.h"

#include <fmt/format.h>

#include <utility>

#include "api/schema.h"

namespace render {
namespace {

using json::Array;
using json::Object;
using json::Value;

struct Kind {
  std::string_view kind;
  std::vector<std::string> short_names;
  Array columns;
  bool scales = false;
};

Value column(std::string_view name, std::string_view type, std::string_view path,
             std::string_view meaning, int priority = 0) {
  Object out{{"name", name}, {"type", type}, {"jsonPath", path}, {"description", meaning}};
  if (priority > 0) out["priority"] = priority;
  return out;
}

Value age() {
  return column("AGE", "date", ".metadata.creationTimestamp", "since it was declared");
}

Array cluster_columns() {
  return {column("READY", "integer", ".status.readyReplicas", "healthy voters"),
          column("SIZE", "integer", ".spec.size", "members that are wanted"),
          column("VERSION", "string", ".status.currentVersion", "the lowest that runs"),
          column("LEADER", "string", ".status.leader", "the member that leads"),
          column("BACKUP", "date", ".status.lastBackup.time", "since the newest backup"),
          age(),
          column("STATUS", "string", ".status.phase", "one word; the conditions are exact"),
          column("OPERATION", "string", ".status.operation.step", "what is being done", 1),
          column("OBSERVED", "date", ".status.observedAt", "since the last look", 1)};
}

Array backup_columns() {
  return {column("SUCCEEDED", "boolean", ".status.succeeded", "the newest try"),
          column("REVISION", "integer", ".status.etcdRevision", "of the newest backup"),
          column("VERSION", "string", ".status.etcdVersion", "of etcd then"),
          column("LAST", "date", ".status.lastSuccessDate", "since the newest backup"), age()};
}

Array restore_columns(std::string_view cluster_path) {
  return {column("CLUSTER", "string", cluster_path, "that is made or brought back"),
          column("SUCCEEDED", "boolean", ".status.succeeded", "once it is done"), age(),
          column("REASON", "string", ".status.reason", "why it is not done", 1)};
}

CrdFile crd(std::string_view group, std::string_view version, const Kind& kind, Value schema) {
  const std::string singular = [&] {
    std::string out(kind.kind);
    for (char& c : out) c = static_cast<char>(c | 0x20);
    return out;
  }();
  const std::string plural = singular + "s";
  Object names{{"kind", kind.kind},
               {"listKind", fmt::format("{}List", kind.kind)},
               {"plural", plural},
               {"singular", singular}};
  if (!kind.short_names.empty()) names["shortNames"] = kind.short_names;
  Object subresources{{"status", Object{}}};
  if (kind.scales)
    subresources["scale"] = Object{{"specReplicasPath", ".spec.size"},
                                   {"statusReplicasPath", ".status.currentReplicas"},
                                   {"labelSelectorPath", ".status.selector"}};
  const Value served = Object{{"name", version},
                              {"served", true},
                              {"storage", true},
                              {"subresources", std::move(subresources)},
                              {"additionalPrinterColumns", kind.columns},
                              {"schema", Object{{"openAPIV3Schema", std::move(schema)}}}};
  // The operator compares the served annotation with its own before it acts.
  const Value metadata =
      Object{{"name", fmt::format("{}.{}", plural, group)},
             {"labels", Object{{"app.kubernetes.io/name", "etcd-operator"}}},
             {"annotations", Object{{"operator.etcd.io/schema", std::to_string(kSchema)}}}};
  return {fmt::format("{}_{}.yaml", group, plural),
          Object{{"apiVersion", "apiextensions.k8s.io/v1"},
                 {"kind", "CustomResourceDefinition"},
                 {"metadata", metadata},
                 {"spec", Object{{"group", group},
                                 {"scope", "Namespaced"},
                                 {"names", std::move(names)},
                                 {"versions", Array{served}}}}}};
}

}  // namespace

std::vector<CrdFile> crds() {
  constexpr std::string_view kOwn = "operator.etcd.io", kCoreOs = "etcd.database.coreos.com";
  const auto own = api::Group::kOperatorEtcdIo, coreos = api::Group::kCoreOs;
  // The short names belong to one group only, or kubectl could not tell them apart.
  const Kind own_cluster{"EtcdCluster", {"etcd", "etcdc"}, cluster_columns(), true};
  const Kind coreos_cluster{"EtcdCluster", {}, cluster_columns(), true};
  const Kind backup{"EtcdBackup", {}, backup_columns(), false};
  const Kind own_restore{"EtcdRestore", {}, restore_columns(".spec.clusterName"), false};
  const Kind coreos_restore{"EtcdRestore", {}, restore_columns(".spec.etcdCluster.name"), false};
  return {crd(kOwn, "v1alpha1", own_cluster, api::cluster_schema(own)),
          crd(kOwn, "v1alpha1", backup, api::backup_schema(own)),
          crd(kOwn, "v1alpha1", own_restore, api::restore_schema(own)),
          crd(kCoreOs, "v1beta2", coreos_cluster, api::cluster_schema(coreos)),
          crd(kCoreOs, "v1beta2", backup, api::backup_schema(coreos)),
          crd(kCoreOs, "v1beta2", coreos_restore, api::restore_schema(coreos))};
}

}  // namespace render
