#include "manager/kube_backups.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "json/json.h"
#include "manager/request_text.h"
#include "metrics/catalog.h"
#include "plan/reason.h"

namespace manager {
namespace {

// After an answer that we could not work with.
constexpr base::Duration kAgain{5'000}, kAgainLatest{600'000};
constexpr int kToldAfter = 3;  // such answers
constexpr base::Duration kTheirTurn{60'000};
// CoreOS's operator puts it on periodic ones.
constexpr std::string_view kTheirFinalizer = "backup-operator-periodic";

std::string version_of(const engine::Report* report) {
  if (report == nullptr || !report->plan.status.current_version) return {};
  return report->plan.status.current_version->text();
}

// Its retention would be that of the cluster's own backups, too.
bool counts_those_of(const api::ClusterSpec& spec, const api::BackupRequest& wish) {
  if (wish.max_backups == 0 || wish.interval.count() == 0 || !spec.backup ||
      !spec.backup->destination)
    return false;
  const auto& own = *spec.backup->destination;
  const auto& at = *wish.destination;
  return own.kind == at.kind && own.path == at.path && own.endpoint == at.endpoint;
}

}  // namespace

void KubeBackups::read(const k8s::DeclaredRequest& from, Cell& into) {
  const auto& object = *from.object;
  const auto version = json::get_string(object, "metadata.resourceVersion").value_or("");
  if (into.version == version) return;
  const bool first = into.version.empty();
  const auto generation = into.id.generation;
  const bool deleted = into.deleted;
  into.version = version;
  auto text = read_request(from);
  into.id = std::move(text.id);
  into.created = text.created;
  into.deleted = text.deleted;
  into.deleted_at = text.deleted_at;
  into.held = std::ranges::find(text.finalizers, kTheirFinalizer) != text.finalizers.end();
  into.problem = std::move(text.problem);
  into.wish.reset();
  if (auto* wish = std::get_if<api::BackupRequest>(&text.object)) into.wish = std::move(*wish);
  if (first) {
    if (const auto* status = object.find("status")) {
      into.status = api::parse_backup_status(*status);
      into.told = json::print(api::to_json(into.status));
      into.noted = into.status.succeeded;
      into.noted_reason = into.status.reason;
    }
  }
  // A status that we wrote changes the object's version and nothing else.
  if (first || generation != into.id.generation || deleted != into.deleted)
    into.at = base::Instant{};
  if (!first && generation != into.id.generation) into.noted.reset();
}

// Endpoints of a cluster that we run are its members, by our own certificate.
KubeBackups::Target KubeBackups::target_of(const api::BackupRequest& wish) const {
  Target out;
  const auto declared = parts_.clusters.keys();
  std::set<base::ClusterKey> ours;
  size_t foreign = 0;
  const base::ClusterKey named{wish.key.ns, wish.cluster_name};
  if (!wish.cluster_name.empty()) ours.insert(named);
  for (const auto& url : wish.cluster_name.empty() ? wish.endpoints : std::vector<std::string>()) {
    const auto may_be = clusters_at(url, wish.key.ns);
    const auto found = std::ranges::find_if(
        may_be, [&](const auto& key) { return key.ns == wish.key.ns && declared.contains(key); });
    if (found == may_be.end())
      ++foreign;
    else
      ours.insert(*found);
  }
  if (ours.empty()) {
    const auto needs_tls = std::ranges::any_of(
        wish.endpoints, [](const auto& url) { return url.starts_with("https://"); });
    if (needs_tls && wish.client_tls_secret.empty())
      out.refused =
          "https endpoints of a cluster that this operator does not run need "
          "spec.clientTLSSecret (etcd-client.crt, etcd-client.key, etcd-client-ca.crt)";
    return out;
  }
  if (ours.size() > 1 || foreign > 0) {
    out.refused = fmt::format(
        "spec.etcdEndpoints are of several clusters, one of them {}: one object is for one cluster",
        ours.begin()->text());
    return out;
  }
  const auto& key = *ours.begin();
  const auto view = parts_.clusters.view(key);
  if (!view) {
    out.waits = view.error().message;
    return out;
  }
  out.cluster = parts_.clusters.last(key);
  if (out.cluster == nullptr || !view->conflict.empty() || !view->known)
    out.waits = fmt::format("the cluster {} is not looked after: {}", key.text(),
                            view->conflict.empty() ? view->intent.problem : view->conflict);
  else if (out.cluster->plan.record.recovery)
    out.waits = fmt::format("the cluster {} is being recovered", key.text());
  else if (!out.cluster->plan.record.open_to_clients)
    out.waits = fmt::format("the cluster {} is not open to clients yet", key.text());
  else if (counts_those_of(out.cluster->intent.cluster.spec, wish))
    out.refused = fmt::format(
        "spec.backupPolicy.maxBackups would count, and remove, the backups that EtcdCluster {} "
        "takes "
        "into the same place: give another path, or leave maxBackups out",
        key.text());
  return out;
}

void KubeBackups::try_later(Cell& cell) const {
  cell.failures = std::min(cell.failures + 1, 10);
  cell.at = parts_.clock.now() + std::min(kAgain * (1 << (cell.failures - 1)), kAgainLatest);
}

void KubeBackups::start(Cell& cell, const BackupStep& step, const std::stop_token& stop) {
  const auto& wish = *cell.wish;
  const auto target = target_of(wish);
  if (!target.refused.empty()) {
    cell.status.succeeded = false;
    cell.status.reason = target.refused;
    return;
  }
  if (!target.waits.empty()) {
    cell.status.reason = target.waits;
    return;
  }
  const auto* of = target.cluster.get();
  const k8s::BackupOrder order{.id = cell.id,
                               .wish = wish,
                               .cluster = of == nullptr ? nullptr : &of->intent.cluster,
                               .record = of == nullptr ? nullptr : &of->plan.record,
                               .created = cell.created,
                               .etcd_version = version_of(of),
                               .next = *step.start,
                               .last_revision = step.last_revision};
  const auto started = parts_.platform.requests().start(order, stop);
  if (started) {
    cell.failures = 0;
    parts_.log.info("BackupStarted",
                    {{"object", cell.id.key.text()}, {"try", std::to_string(step.start->tries)}});
    if (cell.status.succeeded != false) cell.status.reason.clear();
    return;
  }
  parts_.log.warning("BackupNotStarted",
                     {{"object", cell.id.key.text()}, {"why", started.error().text()}});
  try_later(cell);
  cell.status.succeeded = false;
  cell.status.reason = "its Job could not be made: " + started.error().message;
}

void KubeBackups::tell(Cell& cell, const std::stop_token& stop) {
  auto status = api::to_json(cell.status);
  auto text = json::print(status);
  if (text == cell.told) return;
  const auto told = parts_.platform.requests().tell(cell.id, std::move(status), stop);
  if (told) {
    cell.told = std::move(text);
    return;
  }
  parts_.log.warning("StatusNotTold",
                     {{"object", cell.id.key.text()}, {"why", told.error().text()}});
  try_later(cell);
}

// Where CoreOS's operator still runs it does so at once; where it is gone nobody else would.
void KubeBackups::let_go(Cell& cell, const std::stop_token& stop) {
  cell.at.reset();
  if (!cell.held) return;
  cell.at = cell.deleted_at + kTheirTurn;
  if (parts_.clock.now() < *cell.at) return;
  const auto released = parts_.platform.requests().release(cell.id, kTheirFinalizer, stop);
  cell.at = parts_.clock.now() + kAgain;  // until it is gone
  if (!released)
    parts_.log.warning("FinalizerNotRemoved",
                       {{"object", cell.id.key.text()}, {"why", released.error().text()}});
}

void KubeBackups::work(Cell& cell, const std::stop_token& stop) {
  if (cell.deleted) return let_go(cell, stop);
  if (!cell.wish) {
    cell.at.reset();
    cell.status = {};
    cell.status.succeeded = false;
    cell.status.reason = cell.problem;
    cell.status.observed_generation = cell.id.generation;
    note(cell, {}, stop);
    return tell(cell, stop);
  }
  if (is_finished(*cell.wish, cell.id.generation, cell.status)) {
    cell.at.reset();
    return;
  }
  const auto newest = parts_.platform.requests().newest(cell.id, stop);
  if (newest.is_unknown()) {
    try_later(cell);
    parts_.log.warning("JobNotSeen", {{"object", cell.id.key.text()}, {"why", newest.why()}});
    if (cell.failures < kToldAfter) return;
    cell.status.reason = "it is not known how its Job stands: " + newest.why();
    return tell(cell, stop);
  }
  const auto step =
      next_step(*cell.wish, cell.id.generation, cell.status, newest.get(), parts_.clock.now());
  cell.status = step.status;
  cell.at = step.at;
  if (step.start) start(cell, step, stop);
  const auto* last = newest.get();
  note(cell, last != nullptr && !last->running ? std::optional(last->epoch) : std::nullopt, stop);
  tell(cell, stop);
}

// Of the first success, of each try that fails, and of a success after one.
void KubeBackups::note(Cell& cell, std::optional<int> ended, const std::stop_token& stop) {
  const auto& now = cell.status;
  const bool another_try = ended && cell.noted_try && *ended != *cell.noted_try;
  if (ended) cell.noted_try = ended;
  if (!now.succeeded) return;
  const bool failed_before = cell.noted == false;
  if (cell.noted == now.succeeded &&
      (*now.succeeded || (cell.noted_reason == now.reason && !another_try)))
    return;
  cell.noted = now.succeeded;
  cell.noted_reason = now.reason;
  parts_.platform.requests().note(
      cell.id,
      *now.succeeded
          ? k8s::Requests::Note{false, std::string(plan::name_of(plan::Reason::kBackupTaken)),
                                fmt::format("{}revision {} is at {}",
                                            failed_before ? "again: " : "", now.etcd_revision,
                                            now.location)}
          : k8s::Requests::Note{true, std::string(plan::name_of(plan::Reason::kBackupFailed)),
                                now.reason},
      stop);
}

void KubeBackups::measure(Cell& cell) {
  const auto healthy = cell.wish
                           ? is_healthy(*cell.wish, cell.status, cell.created, parts_.clock.now())
                           : cell.status.succeeded;
  if (!healthy || cell.deleted) return forget(cell);
  parts_.registry.set(
      metrics::kBackupRequestHealthy,
      {cell.id.key.ns, cell.id.key.name, k8s::resource_of(cell.id.kind, cell.id.group).group},
      *healthy ? 1 : 0);
  cell.measured = true;
}

void KubeBackups::forget(Cell& cell) {
  if (!std::exchange(cell.measured, false)) return;
  parts_.registry.forget(
      metrics::kBackupRequestHealthy,
      {cell.id.key.ns, cell.id.key.name, k8s::resource_of(cell.id.kind, cell.id.group).group});
}

void KubeBackups::turn(const std::stop_token& stop) {
  const auto term = parts_.term();
  // Who does not lead knows nothing of them.
  if (term_ != term.value_or(0)) {
    for (auto& [uid, cell] : cells_) forget(cell);
    cells_.clear();
  }
  term_ = term.value_or(0);
  if (!term || !parts_.platform.ready() || !parts_.platform.requests().ready()) return;
  std::set<std::string> there;
  for (const auto& declared : parts_.platform.requests().declared()) {
    if (declared.kind != k8s::RequestKind::kBackup) continue;
    auto uid = json::get_string(*declared.object, "metadata.uid").value_or("");
    auto& cell = cells_[uid];
    there.insert(std::move(uid));
    read(declared, cell);
    if (stop.stop_requested()) return;
    if (cell.at && *cell.at <= parts_.clock.now()) work(cell, stop);
    measure(cell);
  }
  for (auto& [uid, cell] : cells_)
    if (!there.contains(uid)) forget(cell);
  std::erase_if(cells_, [&](const auto& entry) { return !there.contains(entry.first); });
  parts_.platform.requests().flush_notes(stop);
}

}  // namespace manager
