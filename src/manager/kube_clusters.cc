#include "manager/kube_clusters.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "api/annotations.h"
#include "api/status_json.h"
#include "drivers/kube/status.h"
#include "json/json.h"
#include "manager/cluster_metrics.h"
#include "manager/restore_request.h"
#include "manager/views.h"

namespace manager {
namespace {

// A deletion that this process could not finish in this time lets the object go; volumes stay then.
// While nobody ran, nobody tried.
constexpr base::Duration kFinalizerLimit{std::chrono::minutes(15)};
constexpr base::Duration kCall{8'000}, kTendAgain{5'000};
// A lease that lapsed and is had again in the same term wakes nobody.
constexpr base::Duration kLookForTerm{5'000};

// Everything is stopped and, where the policy says so, removed.
bool is_deleted(const engine::Report& report) {
  if (report.intent.wish != plan::Wish::kDeleted || !report.problem.empty()) return false;
  return report.act && report.act->action == "DeleteCluster" &&
         report.act->outcome == plan::Outcome::kDone;
}

struct Looked {
  k8s::ClusterDriver& driver;
  const engine::Reconciler& reconciler;
};

// An EtcdRestore says from what its cluster begins, which has begun when it is latched. False: what
// is declared was not all seen yet, and must not come too late.
base::Result<bool> add_restore(const k8s::Requests& requests, const Looked& of,
                               plan::Intent& intent) {
  if (intent.wish == plan::Wish::kDeleted) return true;
  const auto last = of.reconciler.last();
  const auto declared = requests.declared();
  intent.in_place = in_place_for(intent.cluster.key, declared);
  if (last != nullptr && last->plan.record.formation == plan::Formation::kLatched)
    return requests.ready() || !last->plan.record.in_place.goes_on();
  auto restore = restore_for(intent.cluster.key, declared);
  if (requests.ready() && !restore) return true;
  const api::Restore any = requests.ready() ? *restore : api::Restore();
  if (last == nullptr) {
    TRY(const auto loaded, of.driver.load_record());
    const auto& record = loaded.record;
    if (!decides(any, record)) return requests.ready() || !record.in_place.goes_on();
  } else if (!decides(any, last->plan.record)) {
    return true;
  }
  if (!requests.ready()) return false;
  intent.cluster.spec.restore = std::move(restore);
  return true;
}

std::unexpected<base::Error> error_of(const kube::Failure& failure) {
  return std::unexpected(static_cast<const base::Error&>(failure));
}

}  // namespace

std::set<base::ClusterKey> KubeClusters::take() {
  const auto declared = parts_.platform.declared();
  const std::lock_guard lock(mutex_);
  const auto changed =
      intents_.take(declared, [this](const base::ClusterKey& key, const std::string& uid) {
        return parts_.platform.is_held_by(key, uid);
      });
  std::set<std::string> uids;
  for (const auto& one : declared)
    uids.insert(json::get_string(*one.object, "metadata.uid").value_or(""));
  std::erase_if(told_, [&](const auto& entry) { return !uids.contains(entry.first); });
  std::erase_if(cells_, [&](const auto& entry) { return !uids.contains(entry.second->uid); });
  for (const auto& key : changed) {
    const auto* holder = intents_.holder(key);
    const std::string problem = holder == nullptr ? "" : holder->problem;
    parts_.log.write(problem.empty() ? base::Level::kInfo : base::Level::kWarning, "IntentChanged",
                     {{"cluster", key.text()},
                      {"generation", std::to_string(holder == nullptr ? 0 : holder->generation)},
                      {"problem", problem}});
  }
  return changed;
}

KubeClusters::Found KubeClusters::find(const base::ClusterKey& key) const {
  const std::lock_guard lock(mutex_);
  Found out;
  if (const auto* holder = intents_.holder(key)) out.first = *holder;
  for (const auto* loser : intents_.losers(key)) out.second.push_back(*loser);
  return out;
}

std::shared_ptr<KubeClusters::Cell> KubeClusters::cell(const Declaration& of, std::int64_t term) {
  const std::lock_guard lock(mutex_);
  auto& place = cells_[of.key];
  if (place == nullptr || place->uid != of.uid || place->term != term) {
    auto made = std::make_shared<Cell>();
    made->uid = of.uid;
    made->term = term;
    made->driver = parts_.platform.driver(of.key);
    engine::ReconcilerOptions options;
    options.store_marks_every = options.tell_again_every = std::chrono::minutes(5);  // each a write
    made->reconciler = std::make_unique<engine::Reconciler>(
        engine::Reconciler::Parts{of.key, *made->driver, parts_.clock, parts_.random, parts_.log,
                                  parts_.planner, parts_.faults},
        options);
    place = std::move(made);
  }
  return place;
}

// What is said of an object that is not acted on: another has its name, or it was never valid.
base::Status KubeClusters::tell(const Declaration& about, const std::stop_token& stop) {
  const auto now = parts_.clock.now();
  auto status = current_status(about.view(now), nullptr, now);
  status.phase = api::Phase::kFailed;
  status.observed_generation = about.generation;
  const auto text = json::print(api::to_json(status));
  {
    const std::lock_guard lock(mutex_);
    if (const auto told = told_.find(about.uid); told != told_.end() && told->second == text)
      return {};
  }
  for (auto& condition : status.conditions) condition.last_transition = now;
  TRY_OK(parts_.platform.tell(about.about(), status, stop));
  const std::lock_guard lock(mutex_);
  told_[about.uid] = text;
  return {};
}

base::Status KubeClusters::keep_finalizer(const Declaration& of, bool wanted,
                                          const std::stop_token& stop) {
  if (of.has_finalizer() == wanted) return {};
  const auto& resource = k8s::resource_of(of.group);
  const kube::Name name{of.key.ns, of.key.name};
  const auto object = parts_.client.call(kube::get(resource, name), kCall, stop);
  if (!object && object.error().code == base::Code::kNotFound) return {};
  if (!object) return error_of(object.error());
  if (json::get_string(*object, "metadata.uid").value_or("") != of.uid) return {};
  json::Array left;
  if (const auto* names = object->at("metadata.finalizers"); names != nullptr && names->is_array())
    for (const auto& one : *names->if_array())
      if (one != json::Value(kFinalizer)) left.push_back(one);
  if (wanted) left.emplace_back(kFinalizer);
  const json::Value patch =
      json::Object{{"metadata", json::Object{{"finalizers", std::move(left)}}}};
  const kube::Expected same{
      .uid = of.uid,
      .resource_version = json::get_string(*object, "metadata.resourceVersion").value_or("")};
  const auto sent = parts_.client.call(kube::merge_patch(resource, name, patch, same), kCall, stop);
  if (!sent && sent.error().code != base::Code::kNotFound) return error_of(sent.error());
  return {};
}

base::Status KubeClusters::finish(const Declaration& of, Cell& cell, const std::stop_token& stop) {
  TRY_OK(keep_finalizer(of, false, stop));
  cell.finished = true;
  parts_.log.info("ClusterDeleted", {{"cluster", of.key.text()}});
  return {};
}

base::Result<std::optional<base::Duration>> KubeClusters::pass(const Declaration& of, Cell& cell,
                                                               const std::stop_token& stop) {
  auto intent = of.view(parts_.clock.now()).intent;
  TRY(const bool known,
      add_restore(parts_.platform.requests(), {*cell.driver, *cell.reconciler}, intent));
  if (!known) return std::optional(kLookForTerm);
  TRY(const auto again, run_pass(*cell.reconciler, intent, parts_.clock, parts_.metrics, stop));
  const auto report = cell.reconciler->last();
  if (report == nullptr) return std::optional(again);
  if (is_deleted(*report)) {
    TRY_OK(finish(of, cell, stop));
    return std::optional<base::Duration>();
  }
  if (report->plan.record.incarnation.empty()) return std::optional(again);
  const auto tended = cell.driver->tend({intent, report->plan.record}, stop);
  if (tended) return std::optional(again);
  // It holds up nothing: the members are looked after all the same.
  parts_.log.warning("ObjectsNotKept",
                     {{"cluster", of.key.text()}, {"why", tended.error().text()}});
  return std::optional(std::max(again, kTendAgain));
}

bool KubeClusters::is_given_up(const Declaration& of, Cell& cell) {
  const auto now = parts_.clock.tick();
  if (!cell.deleting_since) cell.deleting_since = now;
  if (now - *cell.deleting_since <= kFinalizerLimit) return false;
  if (of.good->spec.when_deleted != api::ClaimPolicy::kDelete || api::is_protected(*of.good))
    return false;
  const std::string why = "its deletion was not finished in " + base::to_text(kFinalizerLimit) +
                          ": its volumes and its record are kept";
  parts_.log.warning("DeletionGivenUp", {{"cluster", of.key.text()}, {"why", why}});
  cell.driver->tell(true, "DeletionGivenUp", why);
  return true;
}

base::Result<std::optional<base::Duration>> KubeClusters::work(const base::ClusterKey& key,
                                                               const std::stop_token& stop) {
  const auto [holder, losers] = find(key);
  if (!holder && losers.empty()) return std::optional<base::Duration>();
  const auto term = parts_.term();
  if (!term || !parts_.platform.ready())
    return has_led_ ? std::optional(kLookForTerm) : std::nullopt;
  has_led_ = true;
  for (const auto& loser : losers) {
    TRY_OK(tell(loser, stop));
    // It was never acted on, so nothing of it waits to be finished.
    if (loser.deleted_at && !parts_.platform.is_held_by(loser.key, loser.uid))
      TRY_OK(keep_finalizer(loser, false, stop));
  }
  if (!holder) return std::optional<base::Duration>();
  if (!holder->good) {
    TRY_OK(tell(*holder, stop));
    // Nothing is known of it that could be finished.
    if (holder->deleted_at) TRY_OK(keep_finalizer(*holder, false, stop));
    return std::optional<base::Duration>();
  }
  const auto at = cell(*holder, *term);
  if (at->finished) return std::optional<base::Duration>();
  if (!holder->deleted_at) {
    TRY_OK(keep_finalizer(*holder, holder->needs_finalizer(), stop));
  } else if (holder->has_finalizer() && is_given_up(*holder, *at)) {
    TRY_OK(keep_finalizer(*holder, false, stop));
    return std::optional<base::Duration>();
  }
  return pass(*holder, *at, stop);
}

std::set<base::ClusterKey> KubeClusters::keys() const {
  const std::lock_guard lock(mutex_);
  return intents_.keys();
}

base::Result<IntentView> KubeClusters::view(const base::ClusterKey& key) const {
  const auto [holder, losers] = find(key);
  if (holder) return holder->view(parts_.clock.now());
  if (!losers.empty()) return losers.front().view(parts_.clock.now());
  return base::fail(base::Code::kNotFound, "there is no cluster " + key.text());
}

std::shared_ptr<const engine::Report> KubeClusters::last(const base::ClusterKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto at = cells_.find(key);
  return at == cells_.end() ? nullptr : at->second->reconciler->last();
}

}  // namespace manager
