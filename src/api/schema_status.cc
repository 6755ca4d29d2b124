// What is said of each object; written by the operator alone, so nothing here is bounded.
#include <utility>

#include "api/schema_parts.h"

namespace api::schema {
namespace {

Value words() {
  return json::Object{{"type", "string"}};
}
Value number() {
  return json::Object{{"type", "integer"}, {"format", "int64"}};
}
Value many(Value item) {
  return json::Object{
      {"type", "array"}, {"x-kubernetes-list-type", "atomic"}, {"items", std::move(item)}};
}

Value conditions(Members more) {
  return json::Object{{"type", "array"},
                      {"x-kubernetes-list-type", "map"},
                      {"x-kubernetes-list-map-keys", json::Array{"type"}},
                      {"items", object(join({{{"type", words()},
                                              {"status", choice({"True", "False", "Unknown"})},
                                              {"reason", words()},
                                              {"message", words()},
                                              {"lastTransitionTime", time()},
                                              {"observedGeneration", number()}},
                                             std::move(more)}),
                                       {"type", "status"})}};
}

Value member() {
  return object({{"name", words()},
                 {"id", words()},
                 {"role", words()},
                 {"version", words()},
                 {"healthy", boolean()},
                 {"isHealthy", boolean()},
                 {"isLearner", boolean()},
                 {"isLeader", boolean()},
                 {"dbSize", number()},
                 {"dbInUse", number()},
                 {"note", words()}},
                {"name"});
}

Members both() {
  return {{"phase", words()},
          {"observedGeneration", number()},
          {"observedAt", time()},
          {"replicas", number()},
          {"currentReplicas", number()},
          {"readyReplicas", number()},
          {"memberCount", number()},
          {"currentVersion", words()},
          {"targetVersion", words()},
          {"clusterID", words()},
          {"leaderID", words()},
          {"leader", words()},
          {"selector", words()},
          {"endpoints", many(words())},
          {"lastBackup", object({{"time", time()},
                                 {"revision", number()},
                                 {"location", words()},
                                 {"proven", boolean()}})},
          {"operation", object({{"id", words()},
                                {"kind", words()},
                                {"step", words()},
                                {"startedAt", time()},
                                {"deadline", time()},
                                {"reason", words()}})},
          {"bootstrap", object({{"source", words()}, {"revision", number()}, {"time", time()}})}};
}

}  // namespace

Value cluster_status(bool coreos) {
  if (!coreos)
    return object(join({both(), {{"members", many(member())}, {"conditions", conditions({})}}}));
  // The shape that this group's clients know, with ours beside it where the names do not meet.
  return object(join({both(),
                      {{"reason", words()},
                       {"controlPaused", boolean()},
                       {"size", number()},
                       {"serviceName", words()},
                       {"clientPort", number()},
                       {"members", object({{"ready", many(words())}, {"unready", many(words())}})},
                       {"memberStatus", many(member())},
                       {"conditions", conditions({{"lastUpdateTime", words()}})}}}));
}

Value backup_status() {
  return object({{"succeeded", boolean()},
                 {"Reason", words()},
                 {"etcdVersion", words()},
                 {"etcdRevision", number()},
                 {"lastSuccessDate", time()},
                 {"location", words()},
                 {"observedGeneration", number()},
                 {"conditions", conditions({})}});
}

Value restore_status() {
  return object({{"succeeded", boolean()},
                 {"reason", words()},
                 {"revision", number()},
                 {"location", words()},
                 {"observedGeneration", number()},
                 {"conditions", conditions({})}});
}

}  // namespace api::schema
