// What a plan asks for, judged whether or not it came to be: etcd's and the guard's own checks are
// the last line, not the first. Shares no code with the planner.
#pragma once

#include "sim/model/safety.h"

namespace sim::model {

// S1, S3, S4, S5, K, R.
Violation judge_asked(const Before& before, const Passed& passed, const Cluster& after,
                      Counts& counts);

// After minutes in which the operator only waited; `had_quorum`: from their beginning. L2.
Violation judge_patience(bool had_quorum, const Cluster& after, const plan::Plan& plan,
                         Counts& counts);

}  // namespace sim::model
