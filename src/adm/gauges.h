// What the members' metrics pages say and their Status does not, or not in every version: how long
// the disk and the network take, the quota, and which minor the cluster has reached.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string_view>

#include "adm/cluster.h"
#include "api/version.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace adm {

// Times are of all since the member's start, as etcd counts them. No value: the page has none.
struct Gauges {
  std::optional<api::Version> cluster_version;
  std::optional<double> fsync_p99_s;  // of the write-ahead log
  std::optional<double> rtt_p99_s;    // to the peer that is furthest away
  std::optional<std::int64_t> quota;  // of the database, in bytes
  // The member's clock less ours, when it answered; it tells whole seconds.
  std::optional<base::Duration> clock_ahead;
};

Gauges read_gauges(std::string_view page);

// Of each member that answered its Status, by its client URL, all at the same time.
using GaugesOf = std::map<base::MemberId, base::Result<Gauges>>;
GaugesOf ask_gauges(const Cluster& cluster, const Sight& sight, const std::stop_token& stop);
// "Sun, 06 Nov 1994 08:49:37 GMT", as HTTP has it.
std::optional<base::Instant> parse_http_date(std::string_view text);
// The first that is told by anyone.
std::optional<api::Version> cluster_version_of(const GaugesOf& gauges);

}  // namespace adm
