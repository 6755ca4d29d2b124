#include "manager/restore_request.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "json/json.h"
#include "manager/request_text.h"
#include "plan/restore.h"

namespace manager {
namespace {

// Between the clocks of the API server and of ours.
constexpr base::Duration kSkew = std::chrono::seconds(30);

api::Restore as_spec(const api::RestoreRequest& wish) {
  api::Restore out;
  out.source = wish.source;
  out.required = true;  // an empty cluster is not what was asked for
  return out;
}

// Why it cannot be carried out on any cluster; empty: it can.
std::string unsupported(const api::RestoreRequest& wish) {
  if (wish.to_revision == 0 && !wish.to_time) return {};
  return "spec.toRevision and spec.toTime are not acted on yet: without them the newest backup "
         "that "
         "verifies is taken; nothing was done";
}

bool is_over(const k8s::DeclaredRequest& declared, std::int64_t generation) {
  const auto* status = declared.object->find("status");
  if (status == nullptr) return false;
  const auto told = api::parse_restore_status(*status);
  return told.succeeded && (told.observed_generation == generation ||
                            told.observed_generation == 0);  // of CoreOS's operator
}

std::string why_it_waits(const engine::Report& report) {
  for (const auto& condition : report.plan.status.conditions)
    if (condition.type == api::ConditionType::kRestored && !condition.message.empty())
      return condition.message;
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
        !unsupported(*wish).empty() || is_over(one, text.id.generation))
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
  if (auto why = unsupported(wish); !why.empty()) return refuse(std::move(why));
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
    out.reason = why_it_waits(*cluster.report);
    return out;
  }
  api::ClusterSpec asked;
  asked.restore = as_spec(wish);
  if (record.bootstrap_source.starts_with("Restore") &&
      record.restore.source == plan::restore_source(asked) &&
      record.bootstrapped_at + kSkew >= created) {
    out.succeeded = true;
    out.revision = record.restore.revision;
    out.location = record.restore.location;
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
