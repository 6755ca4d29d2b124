// What doctor looks for, each with what mends it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "adm/cluster.h"
#include "adm/context.h"
#include "adm/gauges.h"

namespace adm {

struct Finding {
  bool bad = true;  // else a note
  std::string what, mend;
};
using Findings = std::vector<Finding>;

// This host: what was begun, its guard, its files and whose they are, its disk, its ports, its
// certificates, its version.
void look_at_host(const Context& context, const Host& host, Findings& out);
// Its cluster, by what every member says.
void look_at_cluster(const Context& context, const Host& host, Findings& out);

// Judgements on values alone.
std::optional<Finding> judge_fsync(const std::string& where, double p99_s);
std::optional<Finding> judge_clock(const std::string& member, base::Duration ahead);

// In what way a member is silent, by a connection to its client port.
std::string why_silent(const etcd::Member& member, const std::stop_token& stop);
// This host's own member serves, but not under its guard.
bool is_unguarded(const Context& context, const Host& host, const Sight& sight);
inline constexpr const char* kUnguarded =
    "Unguarded: etcd runs here without etcd-guard until its next start";

}  // namespace adm
