// Acts on what a cluster leaves behind, on certificates and on who may reach it.
#include <fmt/format.h>

#include "drivers/kube/driver.h"

namespace k8s {
namespace {

std::string selector(const base::ClusterKey& key) {
  return fmt::format("{}={}", render::kClusterLabel, key.name);
}

const json::Array& items_of(const json::Value& list) {
  static const json::Array kNone;
  const auto* items = list.find("items");
  return items != nullptr && items->is_array() ? *items->if_array() : kNone;
}

// An empty volume: nobody knows of which it should be.
bool is_of(const json::Value& claim, const std::string& volume) {
  return volume.empty() || annotation(claim, render::kVolumeAnnotation) == volume;
}

// No volume was ever bound to it: it holds nothing, and each try of a member that no node can take
// would leave one more.
bool is_unbound(const json::Value& claim) {
  return text_at(claim, "status.phase") == "Pending" && text_at(claim, "spec.volumeName").empty();
}

struct ClaimOf {
  kube::Name name;
  std::string volume;
};

base::Status remove_claim(Objects& objects, const ClaimOf& of, bool with_data,
                          const std::stop_token& stop) {
  TRY(const auto present, objects.read_ours(kube::kClaims, of.name.name, "", stop));
  if (!present || is_going(*present) || !is_of(*present, of.volume)) return {};
  if (!with_data && !is_unbound(*present)) return {};
  kube::Expected same{.uid = text_at(*present, "metadata.uid")};
  if (!with_data) same.resource_version = text_at(*present, "metadata.resourceVersion");
  const auto gone = objects.send(kube::remove(kube::kClaims, of.name, {.expected = same}), stop);
  if (!gone && gone.error().code != base::Code::kNotFound) return std::unexpected(gone.error());
  return {};
}

}  // namespace

// A claim of another volume is not the member's: it is left as it is, and is never taken for data.
base::Status KubeDriver::mark_claim(const std::string& member, const std::string& volume,
                                    render::VolumeState state, const std::stop_token& stop) {
  const auto claim = api::claim_of_member(member);
  TRY(const auto present, objects_.read_ours(kube::kClaims, claim, "", stop));
  if (present && !is_of(*present, volume)) {
    if (state != render::VolumeState::kMember) return {};
    return base::fail(base::Code::kFailedPrecondition,
                      fmt::format("claim {} is there and is of another volume", claim));
  }
  if (!present || label(*present, render::kVolumeStateLabel) == name_of(state)) return {};
  json::Object labels;
  labels[render::kVolumeStateLabel] = name_of(state);
  const Value patch = json::Object{{"metadata", json::Object{{"labels", std::move(labels)}}}};
  TRY_OK(objects_.send(kube::merge_patch(kube::kClaims, name(claim), patch,
                                         {.uid = text_at(*present, "metadata.uid")}),
                       stop));
  return {};
}

// Its volume says so first: a volume of a member that was removed must never count as data.
KubeDriver::Done KubeDriver::remove_member(const plan::RemoveMember& a, const Call& call,
                                           const Call& at) {
  const auto* member = find(call.job.record, a.member);
  if (member == nullptr) return etcd_.act(a, at);
  if (const auto kept = keep_budget(call, count_voters(call.job.record)); !kept)
    return result_of(kept);
  if (const auto marked =
          mark_claim(a.member, member->volume, render::VolumeState::kRemoved, call.stop);
      !marked)
    return result_of(marked);
  auto result = etcd_.act(a, at);
  if (result.outcome == plan::Outcome::kRefused)
    if (const auto back = mark_claim(a.member, member->volume, volume_state(*member), call.stop);
        !back)
      result.text += "; its claim still says that it was removed: " + back.error().message;
  return result;
}

KubeDriver::Done KubeDriver::act(const plan::IssueCertificates& a, const Call& call) {
  if (!a.members.empty()) {
    const auto* member = find(call.job.record, a.members.front());
    if (member == nullptr) return refused("the record does not know " + a.members.front());
    // One leaf for all of them.
    if (const auto made = certificates_.renew_members(scope(call), member->incarnation); !made)
      return result_of(made);
  }
  return a.client ? result_of(certificates_.renew_clients(scope(call))) : done();
}

KubeDriver::Done KubeDriver::act(const plan::OpenToClients& /*a*/, const Call& call) {
  const auto& cluster = call.job.intent.cluster;
  if (const auto published = certificates_.publish(scope(call)); !published)
    return result_of(published);
  plan::Record open = call.job.record;
  open.open_to_clients = true;
  const engine::Job job{call.job.intent, open, call.job.deadline};
  const Call opened{job, call.stop};
  for (const auto& [member_name, member] : open.members) {
    if (member.phase != plan::Phase::kVoter) continue;
    if (const auto put = put_set(member, /*start=*/false, opened); !put) return result_of(put);
    if (const auto kept = keep_labels(member, true, opened); !kept) return result_of(kept);
  }
  return result_of(
      keep_service(render::client_service(cluster, call.job.record.incarnation), opened));
}

KubeDriver::Done KubeDriver::act(const plan::FetchBinary& /*a*/, const Call& /*call*/) {
  return done("nodes fetch images by themselves");
}

KubeDriver::Done KubeDriver::act(const plan::NewPeerAuthority& /*a*/, const Call& call) {
  return result_of(certificates_.prepare_peer_authority(scope(call)));
}

KubeDriver::Done KubeDriver::act(const plan::SnapshotSurvivor& /*a*/, const Call& /*call*/) {
  return refused("there is no place for a snapshot before the member that restores it is there");
}

// What a member is restored from is at rest, and is the volume that the record means.
base::Status KubeDriver::check_survivor(const Call& call) {
  const auto fail = [](std::string why) {
    return base::fail(base::Code::kFailedPrecondition, std::move(why));
  };
  const auto& record = call.job.record;
  const auto* member = record.recovery ? find(record, record.recovery->survivor) : nullptr;
  if (member == nullptr) return fail("the record knows no survivor");
  if (!render::has_claims(call.job.intent.cluster.spec, shared_.options.objects))
    return fail("its data lives in a pod, and nobody else can read it");
  TRY(const auto pod, objects_.read(kube::kPods, api::pod_of_member(member->name), call.stop));
  if (pod) return fail(member->name + " is not proven to be stopped");
  const auto name = api::claim_of_member(member->name);
  TRY(const auto claim, objects_.read_ours(kube::kClaims, name, "", call.stop));
  if (!claim || is_going(*claim) || text_at(*claim, "status.phase") != "Bound")
    return fail(name + " has no volume that could be read");
  if (annotation(*claim, render::kVolumeAnnotation) != member->volume)
    return fail(name + " is of another volume");
  return {};
}

base::Status KubeDriver::check_source(const Call& call) {
  if (call.job.record.recovery) return check_survivor(call);
  TRY_OK(store_jobs_.fetched_backup(call.job));
  return {};
}

// Its volume is read, and never written, by the pod of the member that is restored from it.
KubeDriver::Done KubeDriver::act(const plan::ExportSurvivor& /*a*/, const Call& call) {
  return result_of(check_survivor(call));
}

base::Status KubeDriver::put_away(const std::string& member, bool delete_data, const Call& call) {
  TRY(const auto pod, objects_.read(kube::kPods, api::pod_of_member(member), call.stop));
  // One that has no node has never begun, and goes with its set.
  if (pod && !text_at(*pod, "spec.nodeName").empty())
    return base::fail(base::Code::kFailedPrecondition, member + " still runs");
  // The claim first: a set that is gone says that all is done.
  std::string volume;
  if (const auto* known = find(call.job.record, member)) {
    volume = known->volume;
  } else {
    const auto& owner = call.job.intent.cluster.uid;
    TRY(const auto set, objects_.read_ours(kube::kStatefulSets, member, owner, call.stop));
    if (set) volume = annotation(*set, render::kVolumeAnnotation);
  }
  TRY_OK(mark_claim(member, volume, render::VolumeState::kRemoved, call.stop));
  TRY_OK(
      remove_claim(objects_, {name(api::claim_of_member(member)), volume}, delete_data, call.stop));
  return objects_.remove(kube::kStatefulSets, member, call.job.intent.cluster.uid, call.stop);
}

KubeDriver::Done KubeDriver::act(const plan::PutAside& a, const Call& call) {
  const auto* member = find(call.job.record, a.member);
  if (member != nullptr && member->phase != plan::Phase::kRetired &&
      member->phase != plan::Phase::kSurvivor)
    return refused(a.member + " is not retired");
  return result_of(put_away(a.member, a.delete_data, call));
}

KubeDriver::Done KubeDriver::act(const plan::DeleteCluster& a, const Call& call) {
  const auto& owner = call.job.intent.cluster.uid;
  const auto pods = objects_.list(kube::kPods, selector(key_), call.stop);
  if (!pods) return refused(pods.error().message);
  if (!items_of(*pods).empty())
    return refused(text_at(items_of(*pods).front(), "metadata.name") + " still runs");
  // Sets, Services and Secrets go with the object that owns them.
  if (!a.delete_data) return done("its volumes and its record are kept");
  const auto sets = objects_.list(kube::kStatefulSets, selector(key_), call.stop);
  if (!sets) return refused(sets.error().message);
  for (const auto& set : items_of(*sets))
    if (const auto gone =
            objects_.remove(kube::kStatefulSets, text_at(set, "metadata.name"), owner, call.stop);
        !gone)
      return result_of(gone);
  const auto claims = objects_.list(kube::kClaims, selector(key_), call.stop);
  if (!claims) return refused(claims.error().message);
  for (const auto& claim : items_of(*claims)) {
    // Made by us for a member; a claim that only carries the label is somebody's own.
    if (annotation(claim, render::kVolumeAnnotation).empty()) continue;
    if (const auto gone =
            objects_.remove(kube::kClaims, text_at(claim, "metadata.name"), "", call.stop);
        !gone)
      return result_of(gone);
  }
  // The record last: it explains what is still there.
  return result_of(objects_.remove(kube::kConfigMaps, names_.record(), "", call.stop));
}

KubeDriver::Done KubeDriver::act(const plan::DiscardFormation& /*a*/, const Call& call) {
  if (call.job.record.formation == plan::Formation::kLatched)
    return refused("the cluster was formed: its data is kept");
  const auto claims = objects_.list(kube::kClaims, selector(key_), call.stop);
  if (!claims) return refused(claims.error().message);
  for (const auto& claim : items_of(*claims))
    if (label(claim, render::kVolumeStateLabel) == name_of(render::VolumeState::kMember))
      return refused(text_at(claim, "metadata.name") +
                     " may hold data of a cluster that was formed");
  const auto sets = objects_.list(kube::kStatefulSets, selector(key_), call.stop);
  if (!sets) return refused(sets.error().message);
  for (const auto& set : items_of(*sets)) {
    const auto member = text_at(set, "metadata.name");
    const auto ticket = guard::decode_ticket(template_annotation(set, render::kTicketAnnotation));
    // What begins from a backup holds nothing else, as long as it was not latched.
    const bool fetched = ticket && ticket->permit == guard::Permit::kRestore &&
                         !call.job.record.recovery &&
                         ticket->restore_operation == call.job.record.restore.operation;
    if (ticket && !fetched && ticket->permit != guard::Permit::kBootstrap)
      return refused(member + " may hold data of a cluster that was formed");
    if (const auto stopped = stop_pod(member, false, call); !stopped) return result_of(stopped);
    // Nothing of it was ever promised to anybody (S4).
    if (const auto put = put_away(member, true, call); !put) return result_of(put);
  }
  for (const auto& claim : items_of(*claims)) {
    const auto state = label(claim, render::kVolumeStateLabel);
    if (state != name_of(render::VolumeState::kForming)) continue;
    if (const auto gone =
            objects_.remove(kube::kClaims, text_at(claim, "metadata.name"), "", call.stop);
        !gone)
      return result_of(gone);
  }
  return done();
}

}  // namespace k8s
