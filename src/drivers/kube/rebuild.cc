// A record that is torn, put together from what Kubernetes keeps of every member.
#include "drivers/live/rebuild.h"

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

// The claim stands in for the marker of its volume, which only the guard can read: the guard
// compares the two before etcd starts.
base::Result<live::Kept> read_kept(const json::Value& set, const json::Value* claim) {
  live::Kept kept;
  TRY(kept.ticket, guard::decode_ticket(template_annotation(set, render::kTicketAnnotation)));
  if (claim == nullptr) return base::fail(base::Code::kFailedPrecondition, "it has no claim");
  auto& marker = kept.marker;
  marker.member_name = label(*claim, render::kMemberLabel);
  marker.incarnation = label(*claim, render::kIncarnationLabel);
  marker.volume_id = annotation(*claim, render::kVolumeAnnotation);
  marker.member_id = kept.ticket.member_id;
  marker.cluster_id = kept.ticket.cluster_id;
  const auto id = annotation(*claim, render::kClusterIdAnnotation);
  if (!id.empty() && id != base::to_text(kept.ticket.cluster_id))
    return base::fail(base::Code::kFailedPrecondition, "its claim is of another cluster");
  return kept;
}

}  // namespace

base::Result<plan::Record> KubeDriver::rebuild_record() {
  TRY(const auto sets, objects_.list(kube::kStatefulSets, selector(key_), stop_));
  TRY(const auto claims, objects_.list(kube::kClaims, selector(key_), stop_));
  std::map<std::string, const Value*> claim_of;
  for (const auto& claim : items_of(claims)) {
    if (label(claim, render::kMemberLabel).empty()) continue;  // the one with the backups
    const auto state = label(claim, render::kVolumeStateLabel);
    if (state == name_of(render::VolumeState::kMember))
      claim_of[label(claim, render::kMemberLabel)] = &claim;
    else if (state != name_of(render::VolumeState::kRemoved))
      return base::fail(base::Code::kFailedPrecondition,
                        text_at(claim, "metadata.name") + " is of a member that is only joining");
  }
  std::map<std::string, base::Result<live::Kept>> members;
  bool open = false;
  for (const auto& set : items_of(sets)) {
    const auto member = text_at(set, "metadata.name");
    const auto claim = claim_of.find(member);
    members.emplace(member, read_kept(set, claim == claim_of.end() ? nullptr : claim->second));
    const auto* labels = set.at("spec.template.metadata.labels");
    const auto* serving = labels == nullptr ? nullptr : labels->find(render::kServingLabel);
    open = open || (serving != nullptr && *serving == Value("true"));
  }
  for (const auto& [member, claim] : claim_of)
    if (!members.contains(member))
      return base::fail(base::Code::kFailedPrecondition,
                        member + " has data and no StatefulSet, so its ticket is not known");
  return live::rebuild_record(key_, members, open);
}

}  // namespace k8s
