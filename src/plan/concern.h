// What every concern of the planner shares: the context it reads and the answer it gives.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/plan.h"
#include "plan/view.h"

namespace plan {

// A concern may change `record`; the change counts only if its answer is taken.
struct Context {
  const Intent& intent;
  const Observation& seen;
  const View& view;
  base::Instant now;
  Record record;
  std::vector<Event> events;
};

struct Answer {
  enum class Kind {
    kNothing,  // this concern has nothing to do: ask the next
    kNoted,    // the same, but its change of the record, its events and what it tells count
    kAct,      // these steps
    kWait,     // nothing can be done but wait: later concerns may act if they do not disrupt
    kStop      // wait, and no later concern may act at all (a gate)
  };
  Kind kind = Kind::kNothing;
  std::vector<Step> steps;
  Reason reason = Reason::kConverged;
  std::string message;  // for status and people: what is going on, and the next step if theirs
  base::Duration look_again{2'000};
  // Allowed although an earlier concern waits: the removal of a member proven lost, or a new
  // template for the very member that is down.
  bool overtakes = false;
  bool want_hashes = false;  // see Plan
  bool sooner = false;       // look_again counts although nothing is told

  static Answer nothing() { return {}; }
  static Answer noted() {
    Answer answer;
    answer.kind = Kind::kNoted;
    return answer;
  }
  // Told in the status; holds nothing up.
  static Answer note(Reason why, std::string message) {
    return {Kind::kNoted, {}, why, std::move(message), base::Duration(10'000)};
  }
  static Answer act(Reason why, Action action, std::string message) {
    return {Kind::kAct, {Step{std::move(action), why}}, why, std::move(message)};
  }
  static Answer wait(Reason why, std::string message, base::Duration look_again) {
    return {Kind::kWait, {}, why, std::move(message), look_again};
  }
  static Answer stop(Reason why, std::string message, base::Duration look_again) {
    return {Kind::kStop, {}, why, std::move(message), look_again};
  }
};

// The operation of this kind and member goes on, or begins now under a fresh id; one of another
// kind or member is given up for it. Its deadline is counted from its own start.
Operation& begin(Context& c, OperationKind kind, Reason why, const std::string& member,
                 base::Duration limit);
// Ends the operation if it is of this kind.
void end(Context& c, OperationKind kind);
[[nodiscard]] bool running(const Record& record, OperationKind kind);
// The members take clients, and what clients need was seen where they look for it.
[[nodiscard]] bool open_to_clients(const Observation& seen, const Record& record);
// The last act was this one, was not done, and is too young to be tried again.
[[nodiscard]] bool too_soon(const Context& c, std::string_view action,
                            base::Duration longest = std::chrono::minutes(1));
[[nodiscard]] bool just_done(const Context& c, std::string_view action);  // as the last act
// The minor that the cluster version has reached, as far as it was seen; 0: not known. etcd below
// it does not start.
[[nodiscard]] int minor_reached(const Context& c);
// What a new member shall run: the wanted version, or, where the cluster has moved past that, the
// lowest that its voters run.
[[nodiscard]] api::Version version_for_new(const Context& c);
// The next free ordinals with addresses and volumes, as records of members that shall run that
// version; fewer than `count` when the observation offers fewer. Takes their ordinals.
std::vector<MemberRecord> offers(Context& c, int count);
// What a person asks to be rotated; each new text once. Empty: nothing.
[[nodiscard]] std::string rotation_wish(const Intent& intent);
void tell(Context& c, Reason why, std::string message);  // an event
void warn(Context& c, Reason why, std::string message);  // an event that is a warning

// In the order of a pass; each in a file of its own name group.
Answer check_record(Context& c);        // gate.cc: torn record, stray data
Answer settle_backup(Context& c);       // backup.cc: how a job ended
Answer settle_drill(Context& c);        // drill.cc: the same of a drill
Answer settle_follower(Context& c);     // follow.cc: the same of who writes the log, or its end
Answer delete_cluster(Context& c);      // lifecycle.cc
Answer stop_or_pause(Context& c);       // lifecycle.cc: paused, stop by command, hibernate, wake
Answer bootstrap(Context& c);           // bootstrap.cc: gate, formation, latch, opening
Answer continue_recovery(Context& c);   // recovery.cc
Answer start_members(Context& c);       // repair.cc: what shall run and does not, is started
Answer quorum_lost(Context& c);         // recovery.cc
Answer alarms(Context& c);              // alarms.cc: CORRUPT, then NOSPACE
Answer settle_membership(Context& c);   // membership.cc: half-done joins and removals, orphans
Answer repair_member(Context& c);       // repair.cc
Answer promote_learner(Context& c);     // membership.cc
Answer rotate_authorities(Context& c);  // rotation.cc
Answer renew_certificates(Context& c);  // certificates.cc
Answer restore_in_place(Context& c);    // in_place.cc: a person brings a point back
Answer scale(Context& c);               // membership.cc
Answer roll_out(Context& c);            // rollout.cc: template changes and version steps
Answer maintain(Context& c);            // maintenance.cc: put aside, defragment by rule
Answer follow_history(Context& c);      // follow.cc: what happens is kept between backups
Answer back_up(Context& c);             // backup.cc: a backup that is due
Answer prove_backup(Context& c);        // drill.cc: the newest one is restored for proof

}  // namespace plan
