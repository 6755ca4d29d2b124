#include "sim/run/kube_simulation.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/annotations.h"
#include "engine/record_codec.h"
#include "json/json.h"
#include "sim/run/kube_worker.h"

namespace sim {
namespace {

const kube::Name kObject{"default", "c"};
constexpr base::Duration kSlice{250};

Settings settings_of(const Schedule& schedule) {
  Settings settings;
  settings.seed = schedule.seed;
  return settings;
}

}  // namespace

KubeSimulation::KubeSimulation(const Schedule& schedule, Say say)
    : Course(schedule, std::move(say)),
      node_(settings_of(schedule), [this](const std::string& what) { fail("the node: " + what); }),
      operator_(node_) {
  node_.restarts_containers = true;
  node_.world.binaries = {versions_.begin(), versions_.end()};
  operator_.fuse().on_look([this] { oracles_.looked(node_.world); });
  declare();
}

bool KubeSimulation::is_declared() const {
  return node_.server.find(kube::kEtcdClusters, kObject) != nullptr;
}

// What is wanted becomes what is declared. (Of an object that is being deleted nothing does.)
void KubeSimulation::declare() {
  auto wanted = object_of(wanted_);
  const auto* there = node_.server.find(kube::kEtcdClusters, kObject);
  if (there == nullptr) {
    node_.must(kube::create(kube::kEtcdClusters, kObject.ns, wanted));
  } else if (there->at("metadata.deletionTimestamp") == nullptr) {
    json::Value next = *there;
    next["spec"] = *wanted.find("spec");
    node_.must(kube::replace(kube::kEtcdClusters, kObject, next));
  }
  let_happen();
}

void KubeSimulation::edit() {
  Course::edit();
  if (!wanted_.deleted) declare();
}

std::optional<Client> KubeSimulation::user() const {
  if (node_.server.find(kube::kServices, {kObject.ns, kObject.name + "-client"}) == nullptr)
    return std::nullopt;
  Client client;
  client.tls = {wanted_.tls, world().operator_leaf, {1}};
  return client;
}

void KubeSimulation::approve(const std::string& operation) {
  json::Object notes;
  notes[std::string(api::kApproveAnnotation)] = operation;
  node_.must(kube::merge_patch(
      kube::kEtcdClusters, kObject,
      json::Object{{"metadata", json::Object{{"annotations", std::move(notes)}}}}));
  wake();
}

std::string KubeSimulation::scene() const {
  std::string out;
  for (const auto& pod : node_.all(kube::kPods)) {
    const auto name = json::get_string(pod, "metadata.name").value_or("");
    const auto* status = pod.find("status");
    out += fmt::format("\n    pod {}{}: {}", name,
                       pod.at("metadata.deletionTimestamp") == nullptr ? "" : ", being deleted",
                       status == nullptr ? "" : json::print(*status));
  }
  for (const auto& claim : node_.all(kube::kClaims))
    out += fmt::format("\n    claim {}{}", json::get_string(claim, "metadata.name").value_or(""),
                       claim.at("metadata.deletionTimestamp") == nullptr ? "" : ", being deleted");
  for (const auto& [name, place] : node_.world.places)
    if (place.verdict)
      out += fmt::format("\n    {} ended: {}", name, guard::encode(*place.verdict));
  return out;
}

void KubeSimulation::see_record() {
  const auto* map = node_.server.find(kube::kConfigMaps, {kObject.ns, kObject.name + "-record"});
  auto& record = node_.world.record;
  if (map == nullptr)
    record.bytes = nullptr;
  else
    record.bytes = file(json::get_string(*map, "data.record").value_or(""));
}

void KubeSimulation::let_happen() {
  node_.turn_if_due();
  see_record();
  if (std::exchange(seen_, node_.server.changes()) != node_.server.changes()) wake();
}

void KubeSimulation::pass_time(base::Duration by) {
  while (by.count() > 0) {
    const auto slice = std::min(by, kSlice);
    node_.world.advance(slice);
    let_happen();
    by -= slice;
  }
}

bool KubeSimulation::work(Work kind) {
  const bool did = KubeWorker(*this).work(kind);
  let_happen();
  return did;
}

Allowed KubeSimulation::allowed_now() const {
  auto out = allowed();
  if (hurting_) out.small = 1'000;
  out.doomed = doomed_;
  return out;
}

void KubeSimulation::judge() {
  see_record();
  fail(oracles_.after_step(node_.world, allowed()));
}

void KubeSimulation::operate_until(unsigned crash_after) {
  oracles_.before_pass(node_.world);
  const auto pods = node_.all(kube::kPods);
  std::erase_if(doomed_, [&](const auto& member) { return !world().places.contains(member); });
  hurting_ = std::ranges::any_of(
      pods, [](const auto& pod) { return pod.at("metadata.deletionTimestamp") != nullptr; });
  const auto turned = operator_.turn(crash_after);
  see_record();
  ++result_.passes;
  if (!turned.crashed_at.empty()) {
    count("crash");
    note("operator: crashed at " + turned.crashed_at);
  }
  if (!turned.problem.empty()) note("operator: " + turned.problem);
  if (turned.report) {
    last_ = turned.report;
    if (!last_->plan.steps.empty()) {
      note("operator:");
      tell(*last_);
    }
    hear(*last_);
  }
  fail(oracles_.after_pass(node_.world, turned.report.get(), allowed_now()));
  if (turned.acted_on && turned.report &&
      *turned.acted_on != engine::encode_record(turned.report->plan.record))
    fail("R: a step was begun, and the stored record does not say so");
  if (operator_.log().went_on) fail("R: a step was begun although the last was refused");
  look_at_ = world().now() + std::max(base::Duration{1}, operator_.next());
  for (const auto& line : std::exchange(operator_.log().errors, {}))
    fail("logged an error: " + line);
  operator_.log().lines.clear();
  let_happen();
}

void KubeSimulation::heal() {
  heal_world();
  operator_.wire().weather = {};
  node_.server.lag(0);
  wanted_.paused = wanted_.hibernate =
      false;  // one that is being deleted is declared when it is gone
  note("all is well again");
  edit();
}

Result simulate_kubernetes(const Schedule& schedule,
                           const std::function<void(const std::string&)>& say) {
  return KubeSimulation(schedule, say).run();
}

}  // namespace sim
