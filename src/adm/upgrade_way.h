// Where an upgrade of the cluster stands: the step that all members take now, who has taken it, who
// is next, and what forbids it. Which step may follow which is the planner's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adm/cluster.h"
#include "api/version.h"
#include "base/result.h"

namespace adm {

struct Turn {
  base::MemberId id;
  std::string name;
  std::string version;  // empty: it does not say
  bool leads = false, healthy = false, done = false;
};

struct Way {
  api::Version target;             // in the end
  api::Version step;               // what every member runs next
  std::vector<api::Version> then;  // and after that
  std::vector<Turn> turns;         // in their order, who leads last
  std::vector<std::string> advice;
  std::string what;              // "3.5.12 → 3.5.33"
  std::string why_not;           // what forbids the step, or is to be waited for; empty: nothing
  bool later = false;            // `why_not` may pass by itself
  bool finished = false;         // every member runs the target
  std::uint64_t advance_to = 0;  // the log must reach this index before
};

struct WayQuestion {
  std::optional<api::Version> target;  // none: the newest patch, or the next minor
  std::optional<api::Version> cluster_version;
  std::uint64_t log_base = 0;  // entries of 3.5 may be below it; 0: there are none
  std::vector<std::string> options;
  base::MemberId restarting;  // not healthy by our own hand
};

// Unavailable: no quorum. InvalidArgument: the target can never be reached.
base::Result<Way> find_way(const Sight& sight, const WayQuestion& question);
// Why this member may not take the step now; empty: it may.
std::string why_not_now(const Way& way, base::MemberId id);
// Who is next, for a person; empty: all are done.
std::string next_of(const Way& way);

}  // namespace adm
