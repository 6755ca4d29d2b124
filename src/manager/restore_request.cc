#include "manager/restore_request.h"

#include <fmt/format.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "json/json.h"
#include "manager/request_text.h"
#include "plan/restore.h"

namespace manager {
namespace {

// Between the clocks of the API server and of ours.
constexpr base::Duration kSkew = std::chrono::seconds(30);
constexpr std::string_view kRestored = "Restore ";  // what plan::brought_back() says comes behind

api::Restore as_spec(const api::RestoreRequest& wish) {
  api::Restore out;
  out.source = wish.source;
  out.required = true;  // an empty cluster is not what was asked for
  out.to_revision = wish.to_revision;
  out.to_time = wish.to_time;
  return out;
}

bool is_over(const k8s::DeclaredRequest& declared, std::int64_t generation) {
  const auto* status = declared.object->find("status");
  if (status == nullptr) return false;
  const auto told = api::parse_restore_status(*status);
  return told.succeeded && (told.observed_generation == generation ||
                            told.observed_generation == 0);  // of CoreOS's operator
}

// As the object names it; empty: the newest state.
std::string point_of(const api::RestoreRequest& wish) {
  if (wish.to_revision > 0) return fmt::format("spec.toRevision {}", wish.to_revision);
  if (wish.to_time) return "spec.toTime " + base::to_rfc3339(*wish.to_time);
  return {};
}

std::string why_it_waits(const api::RestoreRequest& wish, const engine::Report& report) {
  for (const auto& condition : report.plan.status.conditions) {
    if (condition.type != api::ConditionType::kRestored || condition.message.empty()) continue;
    const auto point = point_of(wish);
    const bool missed = condition.reason == plan::name_of(plan::Reason::kRestoreLookupFailed);
    return missed && !point.empty() ? point + ": " + condition.message : condition.message;
  }
  return "the cluster begins from this backup";
}

}  // namespace

std::optional<api::Restore> restore_for(const base::ClusterKey& cluster,
                                        const std::vector<k8s::DeclaredRequest>& declared) {
  std::optional<api::Restore> out;
  std::pair<base::Instant, std::string> oldest;
  for (const auto& one : declared) {
    if (one.kind != k8s::RequestKind::kRestore ||
        json::get_string(*one.object, "metadata.namespace").value_or("") != cluster.ns)
      continue;
    const auto text = read_request(one);
    const auto* wish = std::get_if<api::RestoreRequest>(&text.object);
    if (wish == nullptr || wish->cluster_name != cluster.name || text.deleted ||
        is_over(one, text.id.generation))
      continue;
    std::pair age{text.created, text.id.uid};
    if (out && oldest < age) continue;
    oldest = std::move(age);
    out = as_spec(*wish);
  }
  return out;
}

api::RestoreRequestStatus judge_restore(const k8s::RequestId& of, const api::RestoreRequest& wish,
                                        base::Instant created, const RestoredCluster& cluster) {
  api::RestoreRequestStatus out;
  out.observed_generation = of.generation;
  const auto refuse = [&](std::string why) {
    out.succeeded = false;
    out.reason = std::move(why);
    return out;
  };
  const base::ClusterKey key{of.key.ns, wish.cluster_name};
  if (!cluster.declared) {
    out.reason = fmt::format(
        "waits for EtcdCluster {} to be declared, which then begins from this "
        "backup",
        key.text());
    return out;
  }
  if (!cluster.problem.empty() || cluster.report == nullptr) {
    out.reason = fmt::format("EtcdCluster {} is not looked after: {}", key.text(),
                             cluster.problem.empty() ? "not looked at yet" : cluster.problem);
    return out;
  }
  const auto& record = cluster.report->plan.record;
  if (record.formation != plan::Formation::kLatched) {
    out.reason = why_it_waits(wish, *cluster.report);
    return out;
  }
  api::ClusterSpec asked;
  asked.restore = as_spec(wish);
  if (record.bootstrap_source.starts_with(kRestored) &&
      record.restore.source == plan::restore_source(asked) &&
      record.bootstrapped_at + kSkew >= created) {
    out.succeeded = true;
    out.revision = record.restore.revision;
    out.location = record.restore.location;
    if (const auto point = point_of(wish); !point.empty())
      out.reason = fmt::format("{}: the cluster began from {}", point,
                               record.bootstrap_source.substr(kRestored.size()));
    return out;
  }
  return refuse(fmt::format(
      "EtcdCluster {0} has begun already and may hold data: nothing was done. To bring it back "
      "from "
      "this backup, take a backup of what it holds now, delete EtcdCluster {0} with its claims "
      "(data-{1}-...) and ConfigMap {1}-record, create this EtcdRestore anew, and declare the "
      "EtcdCluster again",
      key.text(), key.name));
}

}  // namespace manager
