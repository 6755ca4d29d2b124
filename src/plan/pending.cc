// Concerns that are not written yet, so that the planner links. Each entry goes away with the file
// that brings the concern; this file goes away with the last one.
#include "plan/concern.h"

namespace plan {

// lifecycle.cc, recovery.cc, alarms.cc, certificates.cc, rollout.cc,
// maintenance.cc.
Answer delete_cluster(Context& /*c*/) {
  return Answer::nothing();
}
Answer stop_or_pause(Context& /*c*/) {
  return Answer::nothing();
}
Answer continue_recovery(Context& /*c*/) {
  return Answer::nothing();
}
Answer quorum_lost(Context& /*c*/) {
  return Answer::nothing();
}
Answer alarms(Context& /*c*/) {
  return Answer::nothing();
}
Answer renew_certificates(Context& /*c*/) {
  return Answer::nothing();
}
Answer roll_out(Context& /*c*/) {
  return Answer::nothing();
}
Answer maintain(Context& /*c*/) {
  return Answer::nothing();
}

}  // namespace plan
