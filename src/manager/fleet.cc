#include "manager/fleet.h"

#include <utility>
#include <vector>

#include "manager/cluster_metrics.h"

namespace manager {
namespace {

// The newest pass found a cluster that was to be deleted, and is.
bool is_over(const engine::Report& report) {
  if (report.intent.wish != plan::Wish::kDeleted || !report.problem.empty()) return false;
  const auto* progress = api::find_condition(report.plan.status, api::ConditionType::kProgressing);
  return report.plan.steps.empty() && progress != nullptr &&
         progress->reason == plan::name_of(plan::Reason::kDeleteDone);
}

}  // namespace

std::shared_ptr<Fleet::Cell> Fleet::find(const base::ClusterKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = cells_.find(key);
  return at == cells_.end() ? nullptr : at->second;
}

std::shared_ptr<Fleet::Cell> Fleet::make(const base::ClusterKey& key) const {
  auto made = std::make_shared<Cell>();
  made->driver = parts_.platform.driver(key);
  made->reconciler = std::make_unique<engine::Reconciler>(engine::Reconciler::Parts{
      key, *made->driver, parts_.clock, parts_.random, parts_.log, parts_.planner, parts_.faults});
  return made;
}

std::shared_ptr<Fleet::Cell> Fleet::cell(const base::ClusterKey& key) {
  const std::lock_guard lock(mutex_);
  auto& place = cells_[key];
  if (place == nullptr) place = make(key);
  return place;
}

base::Result<std::optional<base::Duration>> Fleet::work(const base::ClusterKey& key,
                                                        const std::stop_token& stop) {
  const auto view = parts_.intents.view(key);
  if (!view || !view->known) return std::nullopt;
  const auto own = cell(key);
  TRY(const auto again,
      run_pass(*own->reconciler, view->intent, parts_.clock, parts_.metrics, stop));
  if (!is_over(*own->reconciler->last()) || !parts_.intents.forget(key)) return again;
  parts_.log.info("DeletionEnded", {{"cluster", key.text()}});
  parts_.platform.forget(key);
  const std::lock_guard lock(mutex_);
  cells_.erase(key);
  return std::nullopt;
}

base::Result<engine::Report> Fleet::dry_run(const base::ClusterKey& key, const plan::Intent& intent,
                                            const std::stop_token& stop) {
  // What nobody looks after is read anew each time.
  const auto asked = parts_.intents.view(key) ? cell(key) : make(key);
  auto report = asked->reconciler->dry_run(intent, stop);
  const auto work = parts_.platform.long_work(key);
  if (!report && report.error().code == base::Code::kUnavailable && !work.empty())
    report.error().message += ": " + work;
  return report;
}

std::shared_ptr<const engine::Report> Fleet::last(const base::ClusterKey& key) const {
  const auto at = find(key);
  return at == nullptr ? nullptr : at->reconciler->last();
}

void Fleet::leave() {
  std::vector<std::pair<base::ClusterKey, std::shared_ptr<Cell>>> all;
  {
    const std::lock_guard lock(mutex_);
    all.assign(cells_.begin(), cells_.end());
  }
  for (const auto& [key, cell] : all) {
    const auto report = cell->reconciler->last();
    if (report == nullptr || !report->problem.empty()) continue;
    if (const auto told = cell->driver->publish(report->plan.status, {}); !told)
      parts_.log.warning("StatusNotStored",
                         {{"cluster", key.text()}, {"why", told.error().text()}});
  }
}

}  // namespace manager
