#include "sim/run/watched.h"

#include "engine/record_codec.h"

namespace sim {

void Watched::before_pass(const World& world) {
  there_.clear();
  for (const auto& [name, place] : world.places) {
    const auto& marker = place.volume.marker;
    if (marker && !place.volume.marker_torn && world.reaches(place.machine))
      there_[name] = {marker->origin, marker->commit};
  }
}

void Watched::after_pass(const World& world, const engine::Report& report) {
  if (!report.problem.empty() || !world.record.bytes ||
      *world.record.bytes != engine::encode_record(report.plan.record))
    return;
  for (const auto& [name, member] : report.plan.record.members) {
    const auto found = there_.find(name);
    if (member.permit == plan::Permit::kData && found != there_.end() &&
        found->second.origin == member.origin)
      noted_[name] = found->second;
  }
}

bool Watched::knows_more(const std::string& member, const Volume& copy) const {
  const auto found = noted_.find(member);
  if (found == noted_.end()) return false;
  // Not the same volume at all: that is another thing to find out.
  if (!copy.marker || copy.marker->origin != found->second.origin) return true;
  return index_of(copy.data.tip) < found->second.committed;
}

}  // namespace sim
