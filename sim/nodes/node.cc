#include "sim/nodes/node.h"

#include <fmt/format.h>

#include <algorithm>

#include "guard/files.h"
#include "json/json.h"
#include "render/kubernetes.h"
#include "render/store_jobs.h"
#include "sim/world/kube_answers.h"

namespace sim {
namespace {

constexpr const char* kNode = "n1";
// On each claim, until no pod names it any more.
constexpr const char* kProtection = "kubernetes.io/pvc-protection";

bool names_claim(const json::Value& pod, const std::string& claim) {
  const auto* volumes = pod.at("spec.volumes");
  return volumes != nullptr && volumes->is_array() &&
         std::ranges::any_of(*volumes->if_array(), [&](const json::Value& volume) {
           return text_at(volume, "persistentVolumeClaim.claimName") == claim;
         });
}

}  // namespace

KubeNode::KubeNode(const Settings& settings, Wrong wrong)
    : world(settings), wrong_(std::move(wrong)) {
  world.operator_leaf = {1, world.now(), world.now() + std::chrono::hours(24 * 365), "root"};
  must(kube::create(kube::kNodes, "", json::Object{{"metadata", json::Object{{"name", kNode}}}}));
  must(kube::of_part(
      kube::merge_patch(
          kube::kNodes, {"", kNode},
          json::Object{{"status", json::Object{{"conditions",
                                                json::Array{json::Object{{"type", "Ready"},
                                                                         {"status", "True"}}}}}}}),
      "status"));
}

json::Value KubeNode::must(const kube::Request& request) {
  auto answer = client.call(request, base::Duration(5'000), {});
  expect(answer.has_value(), answer ? "" : answer.error().text());
  return answer.value_or(json::Value());
}

bool KubeNode::expect(bool so, std::string_view what) const {
  if (!so) wrong_(std::string(what));
  return so;
}

std::vector<json::Value> KubeNode::all(const kube::Resource& resource) const {
  return server.all(resource);
}

std::string KubeNode::member_at(const std::string& ip) const {
  for (const auto& [member, address] : address_of_)
    if (address == ip) return member;
  return {};
}

// One that is to go goes when no pod names it any more.
void KubeNode::let_go(const json::Value& claim) {
  const auto ns = text_at(claim, "metadata.namespace"), name = text_at(claim, "metadata.name");
  const auto pods = all(kube::kPods);
  if (std::ranges::any_of(pods, [&](const json::Value& pod) {
        return text_at(pod, "metadata.namespace") == ns && !text_at(pod, "spec.nodeName").empty() &&
               names_claim(pod, name);
      }))
    return;
  json::Array left;
  const auto* there = claim.at("metadata.finalizers");
  for (const auto& one : there == nullptr ? json::Array() : *there->if_array())
    if (one != json::Value(kProtection)) left.push_back(one);
  must(
      kube::merge_patch(kube::kClaims, {ns, name},
                        json::Object{{"metadata", json::Object{{"finalizers", std::move(left)}}}}));
}

// Claims get volumes; a volume goes with its claim, and its data with it.
bool KubeNode::provision() {
  const auto before = server.changes();
  for (const auto& claim : all(kube::kClaims)) {
    if (claim.at("metadata.deletionTimestamp") != nullptr) let_go(claim);
    if (text_at(claim, "status.phase") == "Bound" || no_volumes) continue;
    const auto volume = fmt::format("pv-{}", ++volumes_);
    const kube::Name name{text_at(claim, "metadata.namespace"), text_at(claim, "metadata.name")};
    auto kept = claim.at("metadata.finalizers") == nullptr ? json::Value(json::Array())
                                                           : *claim.at("metadata.finalizers");
    kept.push_back(kProtection);
    const json::Value ref = json::Object{{"namespace", name.ns}, {"name", name.name}};
    must(kube::create(kube::kVolumes, "",
                      json::Object{{"metadata", json::Object{{"name", volume}}},
                                   {"spec", json::Object{{"claimRef", ref}}}}));
    must(kube::merge_patch(kube::kClaims, name,
                           json::Object{{"metadata", json::Object{{"finalizers", kept}}},
                                        {"spec", json::Object{{"volumeName", volume}}}}));
    must(
        kube::of_part(kube::merge_patch(kube::kClaims, name,
                                        json::Object{{"status", json::Object{{"phase", "Bound"}}}}),
                      "status"));
  }
  for (const auto& volume : all(kube::kVolumes)) {
    const kube::Name claim{text_at(volume, "spec.claimRef.namespace"),
                           text_at(volume, "spec.claimRef.name")};
    if (server.find(kube::kClaims, claim) != nullptr) continue;
    must(kube::remove(kube::kVolumes, {"", text_at(volume, "metadata.name")}));
    if (!claim.name.starts_with("data-")) continue;
    const auto member = claim.name.substr(std::string_view("data-").size());
    if (world.places.contains(member)) world.destroy(member);
  }
  return server.changes() != before;
}

bool KubeNode::say(const kube::Name& pod, json::Value status) {
  const auto before = server.changes();
  const auto* there = server.find(kube::kPods, pod);
  if (there != nullptr && says(*there, status)) return false;
  must(kube::of_part(
      kube::merge_patch(kube::kPods, pod, json::Object{{"status", std::move(status)}}), "status"));
  return server.changes() != before;
}

// What the init containers do: the claim of the survivor is mounted beside the pod's own.
bool KubeNode::export_survivor(const json::Value& pod, const guard::Ticket& ticket) {
  const auto* volumes = pod.at("spec.volumes");
  for (const auto& volume : volumes == nullptr ? json::Array() : *volumes->if_array()) {
    if (text_at(volume, "name") != "survivor") continue;
    expect(json::get_bool(volume, "persistentVolumeClaim.readOnly") == true,
           "a survivor's claim is mounted to be written to");
    const auto claim = text_at(volume, "persistentVolumeClaim.claimName");
    const auto member = claim.substr(std::string_view("data-").size());
    expect(!world.is_alive(member), "two would write to the volume of " + member);
    auto snapshot = export_of(world.volume_of(member).data, true);
    if (!snapshot || !snapshot->sound) return false;
    world.saved[ticket.restore_operation].snapshot = file(*std::move(snapshot));
    return true;
  }
  return expect(false, "no survivor is mounted");
}

bool KubeNode::is_node_up(const std::string& member) const {
  const auto place = world.places.find(member);
  return place == world.places.end() || world.is_up(place->second.machine);
}

// Of a container that has ended: at first at once, then after waits that double.
bool KubeNode::is_restart_due(const std::string& uid) {
  if (!restarts_containers) return false;
  constexpr base::Duration kFirst{10'000}, kLast{300'000}, kForgotten{600'000};
  auto& restart = restarts_[uid];
  if (world.now() < restart.next) return false;
  const bool anew = world.now() - restart.next > kForgotten;
  restart.wait = anew ? kFirst : std::min(restart.wait * 2, kLast);
  restart.next = world.now() + restart.wait;
  return true;
}

bool KubeNode::run_pod(const json::Value& pod) {
  const kube::Name name{text_at(pod, "metadata.namespace"), text_at(pod, "metadata.name")};
  const auto member = keyed(pod, "metadata.labels", render::kMemberLabel);
  const auto uid = text_at(pod, "metadata.uid");
  if (text_at(pod, "spec.nodeName") != kNode) return false;
  if (!keyed(pod, "metadata.labels", render::kJobOfLabel).empty()) return run_job_pod(pod);
  if (member.empty()) return false;
  const bool mine = pod_of_[member].uid == uid;
  if (!is_node_up(member)) return false;
  const auto before = server.changes();
  if (pod.at("metadata.deletionTimestamp") != nullptr) {
    if (mine && world.is_alive(member)) {
      world.stop_guard(member);
      world.settle();
      if (world.is_alive(member)) return false;
    }
    server.pod_ended(name);
    return true;
  }
  const auto text = keyed(pod, "metadata.annotations", render::kTicketAnnotation);
  const auto ticket = guard::decode_ticket(text);
  if (!expect(ticket.has_value(), text)) return false;
  auto& place = world.place(member);
  place.ticket = file(*ticket);  // a file that follows the annotation
  const bool fetches = !keyed(pod, "metadata.annotations", render::kFetchAnnotation).empty();
  if (!mine && fetches && !fetch_backup(pod, *ticket)) return server.changes() != before;
  if (!mine && !fetches && ticket->permit == guard::Permit::kRestore &&
      !export_survivor(pod, *ticket))
    return say(name, json::Object{{"phase", "Pending"}});
  if (!mine) {
    const auto from = world.now(), until = from + std::chrono::hours(24 * 365);
    world.set_leaves(member, {1, from, until, member},
                     {world.peer_authority(ticket->incarnation), from, until, member});
    world.start_guard(member);
    pod_of_[member] = {uid, name};
    address_of_[member] = fmt::format("10.0.0.{}", address_of_.size() + 1);
  }
  if (mine && !world.is_alive(member) && is_restart_due(uid)) world.start_guard(member);
  const auto* etcd = world.process_of(member);
  const bool up = etcd != nullptr && etcd->is_up();
  json::Value container = json::Object{{"name", "etcd"}, {"started", up}};
  if (world.is_alive(member)) {
    container["state"]["running"] = json::Object();
  } else {
    container["state"]["waiting"]["reason"] = "CrashLoopBackOff";
    if (place.verdict)
      container["lastState"]["terminated"]["message"] = guard::encode(*place.verdict);
  }
  return say(
      name, json::Object{{"phase", "Running"},
                         {"podIP", address_of_.at(member)},
                         {"conditions", json::Array{json::Object{
                                            {"type", "Ready"}, {"status", up ? "True" : "False"}}}},
                         {"containerStatuses", json::Array{container}}});
}

bool KubeNode::run_pods() {
  bool any = false;
  for (const auto& pod : all(kube::kPods)) any = run_pod(pod) || any;
  return any;
}

void KubeNode::turn() {
  constexpr int kEnough = 100;
  for (int i = 0; i < kEnough; ++i) {
    bool any = !pods_are_refused && controllers.stateful_sets();
    any = controllers.budgets() || any;
    any = (!pods_are_refused && controllers.jobs()) || any;
    any = controllers.schedule(kNode) || any;
    any = provision() || any;
    if (!kubelet_is_silent) any = run_pods() || any;
    any = server.collect_garbage() || any;
    if (!any) return;
  }
  expect(false, "it does not come to rest");
}

std::string KubeNode::containers() const {
  std::string out;
  for (const auto& [member, place] : world.places) {
    const auto* etcd = world.process_of(member);
    const auto run = pod_of_.find(member);
    const bool waits = restarts_containers && !world.is_alive(member) && run != pod_of_.end() &&
                       server.find(kube::kPods, run->second.pod) != nullptr;
    out += fmt::format("{} {} {} {} {} {};", member, static_cast<int>(place.guard.phase),
                       place.guard.etcd, etcd != nullptr && etcd->is_up(), is_node_up(member),
                       waits ? world.now().time_since_epoch().count() : 0);
  }
  return out;
}

void KubeNode::turn_if_due() {
  if (rested_at_ == server.changes() && rested_with_ == containers()) return;
  turn();
  rested_at_ = server.changes();
  rested_with_ = containers();
}

void KubeNode::let_pass(base::Duration d) {
  world.advance(d);
  turn();
}

}  // namespace sim
