// The planner: a pure function from what is wanted, remembered and seen to at most one step.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/cluster.h"
#include "api/status.h"
#include "api/support.h"
#include "base/time.h"
#include "plan/action.h"
#include "plan/observation.h"
#include "plan/reason.h"
#include "plan/record.h"

namespace plan {

struct Approval {
  std::string operation;  // the id that the condition NeedsApproval names
  base::Instant expires{};
};

enum class Wish {
  kPresent,
  kStale,   // the source cannot be read now: the last good wish is kept, nothing new is begun
  kDeleted  // the user removed it (and the grace is over)
};

struct Intent {
  api::Cluster cluster;                           // defaulted and valid; the last good one
  api::Platform platform = api::Platform::kHost;  // for what a person is told to type
  Wish wish = Wish::kPresent;
  std::string problem;        // what is wrong with the newest text, if it was refused
  std::string template_hash;  // of the spec's fields that need a restart, without the version
  bool paused = false;        // by command, beside spec.paused
  bool stop = false;          // by command: every member down, data kept
  std::vector<Approval> approvals;
  std::string backup_now;  // a person's wish; each new text asks for one backup
  // The same: a cluster that has begun goes back to this; each new `request` asks once.
  std::optional<api::Restore> in_place;
};

struct Step {
  Action action;
  Reason reason = Reason::kConverged;
};

struct Event {
  Reason reason = Reason::kConverged;
  bool warning = false;
  std::string message;
};

// No steps means: converged, or waiting; status says which. The record is to be stored before the
// first step is applied; steps are applied in order, and the first that is not done ends the plan.
// At most one step is disruptive, and then it is the only one.
struct Plan {
  std::vector<Step> steps;
  Record record;
  std::vector<Event> events;
  api::ClusterStatus status;
  base::Duration requeue_after{10'000};
  bool want_hashes = false;  // the next observation shall hold HashKV of every member
};

Plan plan(const Intent& intent, const Record& record, const Observation& observation,
          base::Instant now);

}  // namespace plan
