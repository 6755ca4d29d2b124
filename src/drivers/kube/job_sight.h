// What a job and its pod say of it. Pure: the objects are found elsewhere.
#pragma once

#include <string>

#include "json/value.h"

namespace k8s {

struct JobSight {
  bool running = true;
  std::string file, report;  // what it was told, and what it said at its end
  std::string ended;         // why it said nothing, in Kubernetes' words
  bool started = false;      // its program has begun, or its end is known
  // Why it cannot begin, in Kubernetes' words; empty: nobody says so.
  std::string held_up;
  bool needs_node = false;  // that is why: one may have to be made first
};

// `pod`: the newest of it; null: it has none.
JobSight judge_job(const json::Value& job, const json::Value* pod);

}  // namespace k8s
