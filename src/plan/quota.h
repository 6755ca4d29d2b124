// The size at which etcd refuses writes, and how full a member is.
#pragma once

#include <cstdint>

#include "plan/plan.h"
#include "plan/view.h"

namespace plan {

inline constexpr std::int64_t kDefaultQuota = 2LL * 1024 * 1024 * 1024;  // etcd's own
inline constexpr std::int64_t kFullPercent = 90;

// What the member tells (3.6 on), else --quota-backend-bytes of the spec, else etcd's default.
// 0: the user has switched the quota off.
std::int64_t quota_of(const api::ClusterSpec& spec, const EtcdStatus& status);
// It runs with a smaller quota than the spec gives, by its own word.
bool raises_quota(const api::ClusterSpec& spec, const Seat& seat);

}  // namespace plan
