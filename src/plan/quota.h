// The size at which etcd refuses writes, and how full a member is.
#pragma once

#include <cstdint>
#include <optional>

#include "plan/plan.h"
#include "plan/view.h"

namespace plan {

inline constexpr std::int64_t kDefaultQuota = 2LL * 1024 * 1024 * 1024;  // etcd's own
inline constexpr std::int64_t kFullPercent = 90;

// Of a member that answers: what it tells (3.6 on), else what it was started with, by the spec or
// by etcd's default. 0: the user has switched the quota off. No value: it does not tell, and was
// started with flags that the spec does not hold any more.
std::optional<std::int64_t> quota_of(const Intent& intent, const Seat& seat);
// The flags of the spec give it a larger quota than it runs with, or may.
bool raises_quota(const Intent& intent, const Seat& seat);

}  // namespace plan
