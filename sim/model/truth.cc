#include "sim/model/truth.h"

#include <algorithm>

namespace sim::model {
namespace {

bool runs(const Process& p) {
  return p.is_up() && p.id() && p.applied;
}

bool is_newer(const Process& a, const Process& b) {
  return std::pair(index_of(a.applied), term_of(a.applied)) >
         std::pair(index_of(b.applied), term_of(b.applied));
}

Serving of(const World& world, base::ClusterId cluster) {
  Serving out;
  out.cluster = cluster;
  const Process* best = nullptr;
  for (const Process& p : world.etcd().processes()) {
    if (!runs(p) || p.dir.cluster != cluster) continue;
    if (best == nullptr || is_newer(p, *best)) best = &p;
  }
  if (best == nullptr) return out;
  out.state = &best->state();
  out.members = out.state->membership.get();
  if (out.members == nullptr) return out;
  for (const Process& p : world.etcd().processes())
    if (runs(p) && p.leads && p.dir.cluster == cluster && world.etcd().can_read(p.pid))
      out.leader = &p;
  const Process* middle = out.leader != nullptr ? out.leader : best;
  for (const etcd::Member& m : out.members->members) {
    out.learners += m.learner ? 1U : 0U;
    out.unstarted += m.client_urls.empty() ? 1U : 0U;
    const bool reached = std::ranges::any_of(world.etcd().processes(), [&](const Process& p) {
      return runs(p) && p.id() == m.id && p.dir.cluster == cluster &&
             (p.pid == middle->pid || world.etcd().linked(p, *middle));
    });
    if (reached) out.reached.insert(m.id);
    if (m.learner) continue;
    out.voters += 1;
    out.up += reached ? 1U : 0U;
  }
  return out;
}

bool whole(const Dir& dir) {
  return !dir.blank() && (dir.damage == Damage::kNone || dir.damage == Damage::kTorn) &&
         dir.wrong_bytes == 0;
}

}  // namespace

std::vector<Serving> look_at(const World& world) {
  std::vector<base::ClusterId> ids;
  for (const Process& p : world.etcd().processes())
    if (runs(p) && std::ranges::find(ids, p.dir.cluster) == ids.end()) ids.push_back(p.dir.cluster);
  std::vector<Serving> out;
  for (const base::ClusterId id : ids) out.push_back(of(world, id));
  return out;
}

Serving look_at(const World& world, base::ClusterId cluster) {
  return of(world, cluster);
}

bool holds_write(const sim::State& state, std::uint64_t digest) {
  for (const Put* put = state.puts.get(); put != nullptr; put = put->before.get())
    if (put->digest == digest) return true;
  return false;
}

std::size_t copies_of(const World& world, std::uint64_t digest) {
  std::size_t out = 0;
  for (const auto& [name, place] : world.places) {
    const Volume volume = world.volume_of(name);
    if (whole(volume.data) && holds_write(state_of(volume.data.tip), digest)) out += 1;
  }
  return out;
}

}  // namespace sim::model
