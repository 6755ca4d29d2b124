#include "sim/world/etcd_process.h"

#include <fmt/format.h>

#include <algorithm>

namespace sim {

using Wal = guard::WalSeen::State;

bool Process::is_learner() const {
  const etcd::Member* m = state().membership->find(id());
  return m != nullptr && m->learner;
}

guard::WalSeen wal_seen(const Dir& dir) {
  guard::WalSeen seen;
  if (dir.blank()) return seen;
  seen.state = Wal::kSound;
  if (dir.damage == Damage::kTorn) {
    seen.state = Wal::kTorn;
    seen.why = "the last record is cut";
  } else if (dir.damage == Damage::kCrc || dir.damage == Damage::kEmptyFile) {
    seen.state = Wal::kCorrupt;
    seen.why = "a record does not match its check sum";
  }
  seen.member_id = dir.member;
  seen.cluster_id = dir.cluster;
  seen.end = {term_of(dir.tip), index_of(dir.tip)};
  seen.hard_term = dir.hard_term;
  seen.commit = index_of(dir.commit);
  return seen;
}

Dir rolled_back(const Dir& dir, std::uint64_t index) {
  Dir older = dir;
  older.tip = at(dir.tip, index);
  older.commit = at(dir.commit, index);
  older.hard_term = std::min(dir.hard_term, std::max<std::uint64_t>(term_of(older.tip), 1));
  older.vote = {};
  older.db_minor = 0;
  if (older.snapshot > index_of(older.tip)) older.snapshot = 0;
  return older;
}

}  // namespace sim
