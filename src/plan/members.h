// Questions about members that several concerns ask, beyond what a View answers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "plan/concern.h"

namespace plan {

// Proven: no process of it runs. Unknown is not stopped.
bool is_stopped(const Seat& seat);
bool is_stopped(const Observation& seen, const std::string& member);

// Of the present cluster: neither retired nor a survivor of an older incarnation.
bool is_current(const MemberRecord& member);

// Its applied log is at most this far behind the leader's.
inline constexpr std::uint64_t kCaughtUpEntries = 1000;
bool caught_up(const View& view, const Seat& seat);

// Every listed member is a healthy voter that caught up, and a quorum read succeeded. Empty: so it
// is; otherwise what is in the way, for people.
std::string not_all_healthy(const View& view);

// The most caught-up healthy voter beside the leader that `fits`; null: none.
const Seat* best_transferee(const View& view, const std::function<bool(const Seat&)>& fits);

// The same step failed or had no clear end that often in a row just before.
std::uint32_t failures_of(const Observation& seen, std::string_view action);

// "; not done yet: TEXT", when that step just failed; else empty.
std::string why_not_done(const Observation& seen, std::string_view action);

// Its token is never used again. As many of the newest as could still meet a member of theirs are
// remembered: what follows the cluster's name in a token begins with its time, so that they sort by
// age.
inline constexpr std::size_t kOldTokens = 64;
void give_up_token(Record& record);

bool is_approved(const Intent& intent, const std::string& operation, base::Instant now);
// What a person types to approve the operation in the record, or another one.
std::string approve_command(const Context& c);
std::string approve_command(const Context& c, const std::string& id);

// Of steps StopMember: who is out of sight goes last. A step that is not done ends a plan, and must
// not keep those from stopping that can.
void hidden_last(const View& view, std::vector<Step>& stops);
// A step for each current or old member that is not proven stopped, the leader after the others.
std::vector<Step> stop_all(const View& view, Reason why);

}  // namespace plan
