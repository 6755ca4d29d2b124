#include "render/install.h"

#include <fmt/format.h>

#include <utility>

#include "render/rbac.h"

namespace render {
namespace {

using json::Array;
using json::Object;
using json::Value;

constexpr std::string_view kName = "etcd-operator";
constexpr int kPort = 8080;

Object selector() {
  return {{"app.kubernetes.io/name", kName}, {"app.kubernetes.io/instance", kName}};
}

class Install {
 public:
  explicit Install(const InstallOptions& options) : options_(options) {}

  std::vector<Value> objects() {
    if (options_.name_space != "default") out_.push_back(name_space());
    out_.push_back(named("v1", "ServiceAccount", kName));
    rights();
    out_.push_back(service());
    out_.push_back(deployment());
    return std::move(out_);
  }

 private:
  [[nodiscard]] Object labels() const {
    auto out = selector();
    out["app.kubernetes.io/version"] = options_.version;
    return out;
  }

  [[nodiscard]] Value named(std::string_view api, std::string_view kind, std::string_view name,
                            bool of_namespace = true) const {
    Object metadata{{"name", name}};
    if (of_namespace) metadata["namespace"] = options_.name_space;
    metadata["labels"] = labels();
    return Object{{"apiVersion", api}, {"kind", kind}, {"metadata", std::move(metadata)}};
  }

  [[nodiscard]] Value name_space() const {
    auto out = named("v1", "Namespace", options_.name_space, false);
    out["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "restricted";
    return out;
  }

  // A role and its binding to our account.
  void grant(std::string_view name, Array rules, bool whole_cluster) {
    const std::string_view api = "rbac.authorization.k8s.io/v1";
    const std::string_view kind = whole_cluster ? "ClusterRole" : "Role";
    auto role = named(api, kind, name, !whole_cluster);
    role["rules"] = std::move(rules);
    auto binding = named(api, fmt::format("{}Binding", kind), name, !whole_cluster);
    binding["roleRef"] =
        Object{{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", kind}, {"name", name}};
    binding["subjects"] = Array{
        Object{{"kind", "ServiceAccount"}, {"name", kName}, {"namespace", options_.name_space}}};
    out_.push_back(std::move(role));
    out_.push_back(std::move(binding));
  }

  // What the cluster's own roles "view" and "edit" see of our kinds.
  void aggregate() {
    const Array groups{"operator.etcd.io", "etcd.database.coreos.com"};
    const Array kinds{"etcdclusters", "etcdbackups", "etcdrestores"};
    const std::pair<std::string_view, Array> roles[] = {
        {"view", {"get", "list", "watch"}},
        {"edit", {"create", "delete", "deletecollection", "patch", "update"}}};
    for (const auto& [role, verbs] : roles) {
      auto out = named("rbac.authorization.k8s.io/v1", "ClusterRole",
                       fmt::format("{}-{}", kName, role), false);
      auto& labels = out["metadata"]["labels"];
      labels[fmt::format("rbac.authorization.k8s.io/aggregate-to-{}", role)] = "true";
      if (role == "edit") labels["rbac.authorization.k8s.io/aggregate-to-admin"] = "true";
      Array resources = kinds;
      if (role == "edit") resources.emplace_back("etcdclusters/scale");
      out["rules"] =
          Array{Object{{"apiGroups", groups}, {"resources", resources}, {"verbs", verbs}}};
      out_.push_back(std::move(out));
    }
  }

  void rights() {
    auto own = rules_of(Reach::kOwnNamespace);
    if (options_.one_namespace) {
      for (auto& rule : rules_of(Reach::kClusters)) own.push_back(std::move(rule));
      return grant(kName, std::move(own), false);
    }
    auto rules = rules_of(Reach::kClusters);
    for (auto& rule : rules_of(Reach::kWholeCluster)) rules.push_back(std::move(rule));
    grant(kName, std::move(rules), true);
    grant(kName, std::move(own), false);
    aggregate();
  }

  [[nodiscard]] Value service() const {
    auto out = named("v1", "Service", fmt::format("{}-metrics", kName));
    out["spec"] =
        Object{{"selector", selector()},
               {"ports", Array{Object{{"name", "http"}, {"port", kPort}, {"targetPort", "http"}}}}};
    return out;
  }

  [[nodiscard]] Array arguments() const {
    Array out{"run", "--platform=kubernetes", fmt::format("--http-addr=0.0.0.0:{}", kPort),
              fmt::format("--operator-image={}", options_.image)};
    if (options_.one_namespace) out.emplace_back("--watch-namespace=$(POD_NAMESPACE)");
    return out;
  }

  [[nodiscard]] Value container() const {
    const auto field = [](std::string_view name, std::string_view path) {
      return Value(
          Object{{"name", name}, {"valueFrom", Object{{"fieldRef", Object{{"fieldPath", path}}}}}});
    };
    const auto probe = [](std::string_view path, int period, int failures) {
      return Value(Object{{"httpGet", Object{{"path", path}, {"port", "http"}}},
                          {"periodSeconds", period},
                          {"timeoutSeconds", 5},
                          {"failureThreshold", failures}});
    };
    return Object{{"name", kName},
                  {"image", options_.image},
                  {"imagePullPolicy", "IfNotPresent"},
                  {"args", arguments()},
                  {"env", Array{field("POD_NAME", "metadata.name"),
                                field("POD_NAMESPACE", "metadata.namespace")}},
                  {"ports", Array{Object{{"name", "http"}, {"containerPort", kPort}}}},
                  {"livenessProbe", probe("/healthz", 10, 6)},
                  {"readinessProbe", probe("/readyz", 5, 2)},
                  {"resources", Object{{"requests", Object{{"cpu", "20m"}, {"memory", "32Mi"}}},
                                       {"limits", Object{{"memory", "256Mi"}}}}},
                  {"securityContext", Object{{"allowPrivilegeEscalation", false},
                                             {"readOnlyRootFilesystem", true},
                                             {"capabilities", Object{{"drop", Array{"ALL"}}}}}}};
  }

  [[nodiscard]] Value deployment() const {
    const Value apart = Object{
        {"podAntiAffinity",
         Object{
             {"preferredDuringSchedulingIgnoredDuringExecution",
              Array{Object{{"weight", 100},
                           {"podAffinityTerm",
                            Object{{"topologyKey", "kubernetes.io/hostname"},
                                   {"labelSelector", Object{{"matchLabels", selector()}}}}}}}}}}};
    auto out = named("apps/v1", "Deployment", kName);
    out["spec"] = Object{
        {"replicas", 2},  // one acts, by a Lease; the other takes over within seconds
        {"selector", Object{{"matchLabels", selector()}}},
        {"template",
         Object{{"metadata", Object{{"labels", labels()}}},
                {"spec", Object{{"serviceAccountName", kName},
                                {"securityContext",
                                 Object{{"runAsNonRoot", true},
                                        {"runAsUser", 65532},
                                        {"runAsGroup", 65532},
                                        {"seccompProfile", Object{{"type", "RuntimeDefault"}}}}},
                                {"terminationGracePeriodSeconds", 10},
                                {"affinity", apart},
                                {"containers", Array{container()}}}}}}};
    return out;
  }

  const InstallOptions& options_;
  std::vector<Value> out_;
};

}  // namespace

std::vector<Value> install_objects(const InstallOptions& options) {
  return Install(options).objects();
}

}  // namespace render
