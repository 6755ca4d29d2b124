#include "manager/cluster_metrics.h"

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "metrics/catalog.h"
#include "plan/quota.h"

namespace manager {
namespace {

std::string_view name_of(plan::Outcome outcome) {
  switch (outcome) {
    case plan::Outcome::kDone:
      return "done";
    case plan::Outcome::kRefused:
      return "refused";
    case plan::Outcome::kMayHaveHappened:
      return "may-have-happened";
  }
  std::unreachable();
}

double truth_number(api::Truth truth) {
  return truth == api::Truth::kTrue ? 1 : truth == api::Truth::kFalse ? 0 : -1;
}

double since_epoch(base::Instant at) {
  return std::chrono::duration<double>(at.time_since_epoch()).count();
}

void fill_members(metrics::Registry& registry, const base::ClusterKey& key,
                  const api::ClusterStatus& status) {
  int healthy = 0, unhealthy = 0, learner = 0;
  for (const auto& member : status.members) {
    if (member.role == api::Role::kLearner)
      ++learner;
    else if (member.healthy == api::Truth::kTrue)
      ++healthy;
    else
      ++unhealthy;
  }
  const auto set = [&](std::string_view state, int count) {
    registry.set(metrics::kClusterMembers, {key.ns, key.name, state}, count);
  };
  set("wanted", status.phase == api::Phase::kHibernated ? 0 : status.desired_size);
  set("healthy", healthy);
  set("unhealthy", unhealthy);
  set("learner", learner);
}

// 0: switched off, or it is not known.
std::int64_t quota_of(const std::string& member, const plan::EtcdStatus& status,
                      const plan::Intent& intent, const engine::Report& report) {
  plan::Seat seat;
  seat.status = &status;
  const auto& record = report.plan.record.members;
  if (const auto at = record.find(member); at != record.end()) seat.record = &at->second;
  const auto& facts = report.seen.members;
  if (const auto at = facts.find(member); at != facts.end()) seat.facts = &at->second;
  return plan::quota_of(intent, seat).value_or(0);
}

void fill_storage(metrics::Registry& registry, const base::ClusterKey& key,
                  const plan::Intent& intent, const api::ClusterStatus& status,
                  const engine::Report& report) {
  const auto& seen = report.seen;
  for (const auto& member : status.members) {
    const auto found = seen.statuses.find(member.id);
    if (found == seen.statuses.end() || !found->second.known()) continue;
    const auto& s = *found->second;
    const auto set = [&](const metrics::Declaration& what, std::int64_t bytes) {
      if (bytes > 0)
        registry.set(what, {key.ns, key.name, member.name}, static_cast<double>(bytes));
    };
    set(metrics::kMemberDbSize, s.db_size);
    set(metrics::kMemberDbInUse, s.db_in_use);
    set(metrics::kMemberDbQuota, quota_of(member.name, s, intent, report));
  }
  std::optional<base::Instant> first;
  for (const auto& [name, facts] : seen.members)
    if (facts.certificate_expires.known() && (!first || *facts.certificate_expires < *first))
      first = *facts.certificate_expires;
  if (first)
    registry.set(metrics::kCertificateExpiry, {key.ns, key.name, "member"}, since_epoch(*first));
}

void fill_backups(metrics::Registry& registry, const base::ClusterKey& key,
                  const plan::Record& record, const plan::Observation& seen) {
  if (record.backup.last_success)
    registry.set(metrics::kClusterBackup, {key.ns, key.name},
                 since_epoch(*record.backup.last_success));
  if (record.drill.proven_at)
    registry.set(metrics::kClusterBackupProven, {key.ns, key.name},
                 since_epoch(*record.drill.proven_at));
  // Without the backup that it follows a log restores nothing.
  const plan::Follower* follower = seen.follower.get();
  if (follower != nullptr && follower->running && !follower->base.empty() && follower->lag.known())
    registry.set(metrics::kClusterBackupLag, {key.ns, key.name},
                 std::chrono::duration<double>(*follower->lag).count());
}

}  // namespace

void fill(metrics::Registry& registry, const base::ClusterKey& key, const plan::Intent& intent,
          const api::ClusterStatus& status, const engine::Report* report) {
  registry.forget_cluster(key.ns, key.name);
  fill_members(registry, key, status);
  for (const auto& condition : status.conditions)
    registry.set(metrics::kClusterCondition, {key.ns, key.name, api::name_of(condition.type)},
                 truth_number(condition.status));
  if (status.operation)
    registry.set(metrics::kClusterOperation, {key.ns, key.name, status.operation->kind}, 1);
  if (status.observed_at)
    registry.set(metrics::kClusterObserved, {key.ns, key.name}, since_epoch(*status.observed_at));
  const auto* available = api::find_condition(status, api::ConditionType::kAvailable);
  if (available != nullptr && available->status != api::Truth::kUnknown)
    registry.set(metrics::kClusterHasLeader, {key.ns, key.name}, truth_number(available->status));
  if (report == nullptr) return;
  fill_storage(registry, key, intent, status, *report);
  fill_backups(registry, key, report->plan.record, report->seen);
}

void fill(metrics::Registry& registry, const ProcessSample& process) {
  registry.set(metrics::kBuildInfo, {process.version}, 1);
  registry.set(metrics::kProcessMemory, {}, process.rss_bytes);
  registry.set(metrics::kProcessCpu, {}, process.cpu_seconds);
  registry.set(metrics::kClusters, {}, static_cast<double>(process.clusters));
  registry.set(metrics::kQueueLength, {}, static_cast<double>(process.queue));
}

base::Result<base::Duration> run_pass(engine::Reconciler& reconciler, const plan::Intent& intent,
                                      const base::Clock& clock, metrics::Registry& registry,
                                      const std::stop_token& stop) {
  const auto begin = clock.tick();
  auto again = reconciler.pass(intent, stop);
  const auto report = reconciler.last();
  registry.observe(metrics::kPassSeconds, {},
                   std::chrono::duration<double>(clock.tick() - begin).count());
  if (!again)
    registry.add(metrics::kPassErrors, {base::name_of(again.error().code)});
  else if (report != nullptr && report->act)
    for (const auto& step : report->plan.steps)
      registry.add(metrics::kActions, {plan::name_of(step.reason), name_of(report->act->outcome)});
  return again;
}

}  // namespace manager
