// What is done with data outside of a running process.
#pragma once

#include "sim/world/etcd_process.h"

namespace sim {

struct Snapshot {
  std::shared_ptr<const State> state;
  std::uint64_t term = 0, index = 0;
  int writer_minor = 0;  // 0: not told
  std::uint32_t wrong_bytes = 0;
  bool sound = true;  // false: its check sum does not hold
};

Snapshot snapshot_of(const Process& process);
// As of a copy of the directory that is brought up alone with --force-new-cluster; `whole_log`: its
// commit position was moved to the end of the log before. None: etcd would not start on it.
std::optional<Snapshot> export_of(const Dir& dir, bool whole_log);

// Whether one of these directories, started again, may find a quorum among them: etcd elects by the
// membership of the log as far as the candidate's own disk tells it committed; who finds there that
// it was removed ends at once, and nobody hears whom it knows to be removed.
bool may_elect(const std::vector<Dir>& dirs);

// etcdutl snapshot restore for the member `name` of `initial`; blank if the snapshot is not sound.
// The revision is raised by `bump`, and everything up to there counts as compacted.
Dir restore(const Snapshot& snapshot, const std::string& name,
            const std::vector<std::pair<std::string, std::string>>& initial,
            const std::string& token, std::int64_t bump);

}  // namespace sim
