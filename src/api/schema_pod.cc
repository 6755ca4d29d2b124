// What a user may say of the members' pods: Kubernetes' own shapes, written out so that an API
// server tells misspelt fields.
#include <utility>

#include "api/schema_parts.h"

namespace api::schema {
namespace {

constexpr std::int64_t kInt64 = std::numeric_limits<std::int64_t>::max();

Value strings() {
  return list(text());
}

Value requirement() {
  return object({{"key", text()}, {"operator", text()}, {"values", strings()}},
                {"key", "operator"});
}

Value label_selector() {
  return with(object({{"matchExpressions", list(requirement())}, {"matchLabels", map_of(text())}}),
              {{"x-kubernetes-map-type", "atomic"}});
}

Value node_selector_term() {
  return with(
      object({{"matchExpressions", list(requirement())}, {"matchFields", list(requirement())}}),
      {{"x-kubernetes-map-type", "atomic"}});
}

Value weight() {
  return integer({1, 100});
}

Value node_affinity() {
  return object(
      {{"requiredDuringSchedulingIgnoredDuringExecution",
        with(object({{"nodeSelectorTerms", list(node_selector_term())}}, {"nodeSelectorTerms"}),
             {{"x-kubernetes-map-type", "atomic"}})},
       {"preferredDuringSchedulingIgnoredDuringExecution",
        list(object({{"preference", node_selector_term()}, {"weight", weight()}},
                    {"preference", "weight"}))}});
}

Value pod_affinity() {
  const auto term = object({{"labelSelector", label_selector()},
                            {"namespaceSelector", label_selector()},
                            {"namespaces", strings()},
                            {"topologyKey", text()},
                            {"matchLabelKeys", strings()},
                            {"mismatchLabelKeys", strings()}},
                           {"topologyKey"});
  return object({{"requiredDuringSchedulingIgnoredDuringExecution", list(term)},
                 {"preferredDuringSchedulingIgnoredDuringExecution",
                  list(object({{"podAffinityTerm", term}, {"weight", weight()}},
                              {"podAffinityTerm", "weight"}))}});
}

// As quantity(), but also 0.5, which int-or-string is not.
Value amount() {
  return json::Object{{"x-kubernetes-preserve-unknown-fields", true},
                      {"pattern", *quantity().find("pattern")}};
}

}  // namespace

Value labels() {
  return map_of(pattern(kLabelValue, 63));
}

Value resources() {
  return object({{"requests", map_of(amount())},
                 {"limits", map_of(amount())},
                 {"claims", list(anything(), 16)}});
}

Value tolerations() {
  return list(object({{"key", text()},
                      {"operator", choice({"", "Exists", "Equal", "Lt", "Gt"})},
                      {"value", text()},
                      {"effect", choice({"", "NoSchedule", "PreferNoSchedule", "NoExecute"})},
                      {"tolerationSeconds", integer({-kInt64, kInt64})}}));
}

Value affinity() {
  return object({{"nodeAffinity", node_affinity()},
                 {"podAffinity", pod_affinity()},
                 {"podAntiAffinity", pod_affinity()}});
}

Value spread() {
  return list(object({{"maxSkew", integer({1})},
                      {"topologyKey", text()},
                      {"whenUnsatisfiable", choice({"DoNotSchedule", "ScheduleAnyway"})},
                      {"labelSelector", label_selector()},
                      {"matchLabelKeys", strings()},
                      {"minDomains", integer({1})},
                      {"nodeAffinityPolicy", choice({"Honor", "Ignore"})},
                      {"nodeTaintsPolicy", choice({"Honor", "Ignore"})}},
                     {"maxSkew", "topologyKey", "whenUnsatisfiable"}));
}

Value environment() {
  // valueFrom is declared so that it is refused with a reason instead of being dropped.
  auto entry = object({{"name", pattern("^[A-Za-z_][A-Za-z0-9_]*$", 256)},
                       {"value", text(32'768)},
                       {"valueFrom", anything()}},
                      {"name"});
  return list(rule(std::move(entry), "!has(self.valueFrom)",
                   "valueFrom is not supported: give the value itself"));
}

Value claim() {
  auto storage =
      rule(quantity(), "quantity(string(self)).compareTo(quantity(string(oldSelf))) >= 0",
           "volumes never shrink");
  return object(
      {{"storageClassName", text(253)},
       {"accessModes", list(choice({"ReadWriteOnce", "ReadWriteOncePod"}), 1)},
       {"resources", object({{"requests", object({{"storage", std::move(storage)}}, {"storage"})},
                             {"limits", object({{"storage", quantity()}})}},
                            {"requests"})},
       {"volumeMode", text()},
       {"volumeName", text()},
       {"volumeAttributesClassName", text()},
       {"selector", anything()},
       {"dataSource", anything()},
       {"dataSourceRef", anything()}},
      {"resources"});
}

Value static_tls() {
  auto out =
      object({{"member", object({{"peerSecret", secret_name()}, {"serverSecret", secret_name()}})},
              {"operatorSecret", secret_name()}});
  return rule(std::move(out),
              "(has(self.operatorSecret) && self.operatorSecret != '') == (has(self.member) && "
              "has(self.member.serverSecret) && self.member.serverSecret != '')",
              "operatorSecret and member.serverSecret are set together or not at all");
}

}  // namespace api::schema
