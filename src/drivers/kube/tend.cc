// What follows from the record and needs no plan.
#include <fmt/format.h>

#include "api/quantity.h"
#include "drivers/kube/driver.h"

namespace k8s {

base::Status KubeDriver::keep_service(const Value& wanted, const Call& call) {
  TRY_OK(objects_.ensure(kube::kServices, wanted, call.stop));
  return {};
}

// Tightened before a change that needs it, and loosened only here, by the voters there are.
base::Status KubeDriver::keep_budget(const Call& call, int live_voters) {
  const auto& cluster = call.job.intent.cluster;
  const auto wanted = render::disruption_budget(cluster, live_voters);
  if (wanted) {
    TRY_OK(objects_.ensure(kube::kBudgets, *wanted, call.stop));
    return {};
  }
  return objects_.remove(kube::kBudgets, names_.disruption_budget(), cluster.uid, call.stop);
}

base::Status KubeDriver::keep_shared(const Call& call, int live_voters) {
  const auto& cluster = call.job.intent.cluster;
  TRY_OK(objects_.ensure(kube::kServiceAccounts, render::service_account(cluster), call.stop));
  TRY_OK(keep_service(render::headless_service(cluster), call));
  if (const auto policy = render::network_policy(cluster, shared_.options.objects))
    TRY_OK(objects_.ensure(kube::kNetworkPolicies, *policy, call.stop));
  else
    TRY_OK(
        objects_.remove(kube::kNetworkPolicies, names_.network_policy(), cluster.uid, call.stop));
  return keep_budget(call, live_voters);
}

base::Status KubeDriver::keep_labels(const plan::MemberRecord& member, bool open,
                                     const Call& call) {
  const auto pod = shared_.stores.pods.find(name(api::pod_of_member(member.name)));
  const auto set = shared_.stores.sets.find(name(member.name));
  if (!pod || !set || is_going(*pod) || owner_uid(*pod) != text_at(*set, "metadata.uid")) return {};
  if (!foreign(*set, call.job.intent.cluster.uid, key_).empty()) return {};
  const std::string role = is_voter(member) ? "voter" : "learner";
  const std::string serving = open && member.phase == plan::Phase::kVoter ? "true" : "false";
  if (label(*pod, render::kRoleLabel) == role && label(*pod, render::kServingLabel) == serving)
    return {};
  json::Object labels;
  labels[render::kRoleLabel] = role;
  labels[render::kServingLabel] = serving;
  const Value patch = json::Object{{"metadata", json::Object{{"labels", std::move(labels)}}}};
  TRY_OK(objects_.send(kube::merge_patch(kube::kPods, name(api::pod_of_member(member.name)), patch,
                                         {.uid = text_at(*pod, "metadata.uid")}),
                       call.stop));
  return {};
}

// A volume grows; it never shrinks. Whether its class allows it the server says, in its words.
base::Status KubeDriver::keep_claim(const plan::MemberRecord& member, const Call& call) {
  const auto& bytes = call.job.intent.cluster.spec.storage.request_bytes;
  const auto claim = shared_.stores.claims.find(name(api::claim_of_member(member.name)));
  if (!bytes || !claim || is_going(*claim)) return {};
  if (annotation(*claim, render::kVolumeAnnotation) != member.volume) return {};
  const auto there = api::parse_quantity(text_at(*claim, "spec.resources.requests.storage"));
  if (!there || *there >= *bytes) return {};
  const Value patch = json::Object{
      {"spec",
       json::Object{
           {"resources",
            json::Object{{"requests", json::Object{{"storage", api::to_size_text(*bytes)}}}}}}}};
  TRY_OK(objects_.send(kube::merge_patch(kube::kClaims, name(api::claim_of_member(member.name)),
                                         patch, {.uid = text_at(*claim, "metadata.uid")}),
                       call.stop));
  return {};
}

void KubeDriver::tell_drift(const Value& wanted) {
  const auto kind = text_at(wanted, "kind"), object = text_at(wanted, "metadata.name");
  shared_.parts.log.info("drift_reverted",
                         {{"cluster", key_.text()}, {"object", kind}, {"name", object}});
  tell(true, "DriftReverted",
       fmt::format("{} {} was changed by somebody else and is as it was again", kind, object));
}

// What somebody changed in a set is taken back; what the record changes is done by steps. How many
// pods there shall be is the planner's.
base::Status KubeDriver::keep_set(const plan::MemberRecord& member, const Call& call) {
  const auto present = shared_.stores.sets.find(name(member.name));
  if (!present || is_going(*present)) return {};
  auto of = rendered(member, call.job);
  of.ticket = template_annotation(*present, render::kTicketAnnotation);
  for (const bool running : {true, false}) {
    of.running = running;
    const auto wanted =
        render::member_workload(call.job.intent.cluster, of, shared_.options.objects);
    if (!is_drifted(*present, stamped(wanted))) continue;
    of.running = json::get_int(*present, "spec.replicas").value_or(1) > 0;
    const auto again =
        render::member_workload(call.job.intent.cluster, of, shared_.options.objects);
    if (is_as(*present, again)) return {};
    TRY_OK(objects_.ensure(kube::kStatefulSets, again, call.stop));
    tell_drift(again);
    return {};
  }
  return {};
}

base::Status KubeDriver::tend(const engine::Job& job, const std::stop_token& stop) {
  stop_ = stop;
  remember(job);
  const Call call{job, stop};
  if (job.intent.wish == plan::Wish::kDeleted || job.record.members.empty()) return {};
  if (!shared_.stores.complete()) return {};
  const auto& cluster = job.intent.cluster;
  const auto& stores = shared_.stores;
  // Compared with what is watched: a cluster on which nothing changes costs no request.
  const auto keep = [&](const kube::Store& store, const kube::Resource& resource,
                        const Value& wanted) -> base::Status {
    const auto present = store.find(name(text_at(wanted, "metadata.name")));
    const auto as = stamped(wanted);
    if (present && is_as(*present, as)) return {};
    const bool drifted = present && is_drifted(*present, as);
    TRY_OK(objects_.ensure(resource, wanted, stop));
    if (drifted) tell_drift(wanted);
    return {};
  };
  // One object that is refused holds up no other: the first refusal is told.
  base::Status kept;
  const auto note = [&](base::Status status) {
    if (!status && kept) kept = std::move(status);
  };
  note(keep(stores.services, kube::kServices, render::headless_service(cluster)));
  if (stores.services.find(name(names_.client_service())))
    note(keep(stores.services, kube::kServices,
              render::client_service(cluster, job.record.incarnation)));
  if (const auto budget = render::disruption_budget(cluster, count_voters(job.record)))
    note(keep(stores.budgets, kube::kBudgets, *budget));
  else if (stores.budgets.find(name(names_.disruption_budget())))
    note(keep_budget(call, count_voters(job.record)));
  for (const auto& [member_name, member] : job.record.members) {
    if (member.phase == plan::Phase::kRetired || member.phase == plan::Phase::kSurvivor) continue;
    note(keep_set(member, call));
    note(keep_labels(member, job.record.open_to_clients, call));
    note(keep_claim(member, call));
  }
  note(store_jobs_.tidy({job, stop}));
  // A quota, a class that does not grow, an object of somebody else: in the server's words.
  if (!kept) tell(true, "ObjectsNotKept", kept.error().message);
  return kept;
}

}  // namespace k8s
