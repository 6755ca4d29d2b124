#include "sim/checkers/truth.h"

namespace sim {

std::vector<const Process*> serving(const World& world) {
  std::vector<const Process*> out;
  for (const Process& p : world.etcd().processes())
    if (p.leads && p.is_up() && p.ready && world.etcd().can_read(p.pid)) out.push_back(&p);
  return out;
}

const Process* server(const World& world) {
  const Process* best = nullptr;
  for (const Process* p : serving(world))
    if (best == nullptr || p->dir.hard_term > best->dir.hard_term) best = p;
  return best;
}

Strength strength(const World& world, const Process& leader) {
  Strength out;
  const auto& membership = leader.state().membership;
  if (!membership) return out;
  for (const auto& m : membership->members) {
    if (m.learner) continue;
    ++out.voters;
    for (const Process& p : world.etcd().processes()) {
      if (p.id() != m.id || p.dir.cluster != leader.dir.cluster || !p.is_up()) continue;
      if (p.pid != leader.pid && !world.etcd().linked(leader, p)) continue;
      ++out.up;
      break;
    }
  }
  return out;
}

std::optional<Dir> data_of(const World& world, base::ClusterId cluster, base::MemberId member) {
  for (const auto& [name, place] : world.places) {
    const Volume volume = world.volume_of(name);
    // In another member's place it is of no use until a person puts it back.
    if (volume.marker && volume.marker->member_name != name) continue;
    if (volume.data.cluster == cluster && volume.data.member == member) return volume.data;
  }
  return std::nullopt;
}

std::map<std::string, std::string> contents(const State& state) {
  std::map<std::string, std::string> out;
  for (Puts put = state.puts; put; put = put->before) out.try_emplace(put->key, put->value);
  return out;
}

}  // namespace sim
