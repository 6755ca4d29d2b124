#include "sim/world/etcd_offline.h"

#include <algorithm>

#include "etcd/identity.h"
#include "sim/world/etcd_raft.h"

namespace sim {

Snapshot snapshot_of(const Process& process) {
  return {std::make_shared<const State>(process.state()),
          term_of(process.applied),
          index_of(process.applied),
          process.minor(),
          process.dir.wrong_bytes,
          true};
}

std::optional<Snapshot> export_of(const Dir& dir, bool whole_log) {
  const bool readable = dir.damage == Damage::kNone || dir.damage == Damage::kTorn ||
                        (dir.damage == Damage::kNoDb && dir.snapshot == 0);
  if (dir.blank() || !readable) return std::nullopt;
  const Log& end = whole_log ? dir.tip : dir.commit;
  if (!end) return std::nullopt;
  return Snapshot{end->state, end->term, end->index, 0, dir.wrong_bytes, true};
}

bool may_elect(const std::vector<Dir>& dirs) {
  const auto knows = [](const Dir& dir) -> const Membership* {
    const auto& known = state_of(dir.commit).membership;
    return !known || known->was_removed(dir.member) ? nullptr : known.get();
  };
  return std::ranges::any_of(dirs, [&](const Dir& candidate) {
    const Membership* known = knows(candidate);
    if (known == nullptr) return false;
    const auto votes = std::ranges::count_if(dirs, [&](const Dir& dir) {
      const etcd::Member* m = known->find(dir.member);
      const Membership* its = knows(dir);
      return m != nullptr && !m->learner && its != nullptr && !its->was_removed(candidate.member);
    });
    return static_cast<std::size_t>(votes) >= known->voters() / 2 + 1;
  });
}

Dir restore(const Snapshot& snapshot, const std::string& name,
            const std::vector<std::pair<std::string, std::string>>& initial,
            const std::string& token, std::int64_t bump) {
  Dir dir;
  if (!snapshot.sound || !snapshot.state) return dir;
  std::vector<etcd::Member> founders;
  std::vector<base::MemberId> ids;
  for (const auto& [each, url] : initial) {
    founders.push_back({etcd::member_id({url}, token), each, {url}, {}, false});
    ids.push_back(founders.back().id);
    if (each == name) dir.member = founders.back().id;
  }
  if (dir.blank()) return dir;
  State state = *snapshot.state;
  if (bump > 0) {
    state.revision += bump;
    state.compacted = state.revision;
  }
  dir.cluster = etcd::cluster_id(ids);
  dir.tip = dir.commit =
      boot(std::move(founders), dir.cluster, std::make_shared<const State>(std::move(state)));
  dir.hard_term = 1;
  dir.snapshot = index_of(dir.tip);
  dir.db_size = kEmptyDb + snapshot.state->live_bytes;
  dir.wrong_bytes = snapshot.wrong_bytes;
  return dir;
}

}  // namespace sim
