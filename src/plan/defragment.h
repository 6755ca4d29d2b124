// Which member gives its free pages back next. Defragmentation blocks its own member for its whole
// time, so it counts as a planned stop: one at a time, followers first, the leader last.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "plan/concern.h"

namespace plan {

// By rule: more than half of a database above this size is free pages.
inline constexpr std::int64_t kDefragmentAbove = 100LL * 1024 * 1024;
inline constexpr std::int64_t kDefragmentFreePercent = 50;
// By rule, a member is not defragmented again before.
inline constexpr base::Duration kDefragmentInterval = std::chrono::hours(1);

bool much_is_free(const EtcdStatus& status);

// Why etcd's version forbids to defragment now.
struct DefragmentHazard {
  std::string why;        // empty: nothing forbids it
  bool for_good = false;  // until an upgrade; else until a member has caught up
};
DefragmentHazard defragment_hazard(const View& view);

// The next action for the members that `need` it: Defragment a follower, MoveLeader, or Defragment
// the leader. The time is noted in the record. No value: no member needs it.
std::optional<Answer> defragment_next(Context& c, Reason why,
                                      const std::function<bool(const Seat&)>& need);

}  // namespace plan
