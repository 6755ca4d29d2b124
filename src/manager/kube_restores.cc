#include "manager/kube_restores.h"

#include <set>
#include <utility>

#include "json/json.h"
#include "manager/request_text.h"
#include "manager/restore_request.h"

namespace manager {
namespace {

constexpr base::Duration kAgain{10'000};  // after a status that could not be written

}  // namespace

void KubeRestores::work(const k8s::DeclaredRequest& declared, Told& told,
                        const std::stop_token& stop) {
  const auto generation = json::get_int(*declared.object, "metadata.generation").value_or(0);
  if (told.over && told.generation == generation) return;
  const auto text = read_request(declared);
  if (text.deleted) return;
  api::RestoreRequestStatus status;
  if (told.text.empty())
    if (const auto* there = declared.object->find("status")) {
      status = api::parse_restore_status(*there);
      told.text = json::print(api::to_json(status));
      told.generation = generation;
      told.over = status.succeeded &&
                  (status.observed_generation == generation || status.observed_generation == 0);
      if (told.over) return;
    }
  if (const auto* wish = std::get_if<api::RestoreRequest>(&text.object)) {
    const base::ClusterKey key{text.id.key.ns, wish->cluster_name};
    const auto view = parts_.clusters.view(key);
    const auto report = parts_.clusters.last(key);
    RestoredCluster cluster{.declared = view.has_value(), .problem = {}, .report = report.get()};
    if (view && !view->conflict.empty()) cluster.problem = view->conflict;
    if (view && !view->known) cluster.problem = view->intent.problem;
    if (view && view->intent.wish == plan::Wish::kDeleted) cluster.problem = "it is being deleted";
    status = judge_restore(text.id, *wish, text.created, cluster);
  } else {
    status = judge_invalid(text);
  }
  auto value = api::to_json(status);
  auto printed = json::print(value);
  if (printed != told.text) {
    if (told.again && parts_.clock.now() < *told.again) return;
    const auto sent = parts_.platform.requests().tell(text.id, std::move(value), stop);
    if (!sent) {
      parts_.log.warning("StatusNotTold",
                         {{"object", text.id.key.text()}, {"why", sent.error().text()}});
      told.again = parts_.clock.now() + kAgain;
      return;
    }
    told.again.reset();
    told.text = std::move(printed);
  }
  told.generation = generation;
  told.over = status.succeeded.has_value();
}

void KubeRestores::turn(const std::stop_token& stop) {
  const auto term = parts_.term();
  if (!term || !parts_.platform.ready() || !parts_.platform.requests().ready()) return;
  if (term_ != *term) told_.clear();
  term_ = *term;
  std::set<std::string> there;
  for (const auto& declared : parts_.platform.requests().declared()) {
    if (declared.kind != k8s::RequestKind::kRestore) continue;
    if (stop.stop_requested()) return;
    auto uid = json::get_string(*declared.object, "metadata.uid").value_or("");
    work(declared, told_[uid], stop);
    there.insert(std::move(uid));
  }
  std::erase_if(told_, [&](const auto& entry) { return !there.contains(entry.first); });
}

}  // namespace manager
