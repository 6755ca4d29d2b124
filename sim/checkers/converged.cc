#include "sim/checkers/converged.h"

#include <fmt/format.h>

#include <algorithm>

namespace sim {
namespace {

const Process* process_of(const World& world, base::ClusterId cluster, base::MemberId id) {
  for (const Process& p : world.etcd().processes())
    if (p.id() == id && p.dir.cluster == cluster && p.is_up()) return &p;
  return nullptr;
}

// What runs, in one line.
std::string processes(const World& world) {
  std::string out;
  for (const Process& p : world.etcd().processes()) {
    if (p.phase == Process::Phase::kEnded) continue;
    std::string members;
    if (p.state().membership)
      for (const auto& m : p.state().membership->members)
        members += (members.empty() ? "" : " ") + base::to_text(m.id);
    out += fmt::format("; {} {} at {} of {}{}{}, members {}", p.args->name, base::to_text(p.id()),
                       index_of(p.applied), index_of(p.dir.tip), p.ready ? " ready" : "",
                       p.leads ? " leads" : "", members);
  }
  return out;
}

}  // namespace

std::string missing(const World& world, const Goal& goal) {
  const Process* leader = server(world);
  if (leader == nullptr) return "nobody serves" + processes(world);
  const State& state = leader->state();
  const auto& members = state.membership->members;
  if (static_cast<int>(members.size()) != goal.size)
    return fmt::format("{} members instead of {}", members.size(), goal.size);
  for (const auto& m : members) {
    const std::string who = base::to_text(m.id);
    if (m.learner) return who + " is a learner";
    const Process* p = process_of(world, leader->dir.cluster, m.id);
    if (p == nullptr || !p->ready) return who + " does not run";
    if (p->args->version != goal.version)
      return fmt::format("{} runs {}", who, p->args->version.text());
    if (p->pid != leader->pid && !world.etcd().linked(*leader, *p)) return who + " is cut off";
  }
  if (!state.alarms.empty()) return "an alarm is raised";
  if (state.cluster_minor != goal.version.minor) return "the cluster version has not followed";
  const auto running = std::ranges::count_if(
      world.etcd().processes(), [](const Process& p) { return p.phase != Process::Phase::kEnded; });
  if (running != goal.size) return fmt::format("{} processes run", running);
  return {};
}

}  // namespace sim
