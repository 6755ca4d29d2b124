#include "plan/clock.h"

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <optional>

namespace plan {
namespace {

using namespace std::chrono_literals;

// What has ended lies before what begins now.
void past(std::initializer_list<base::Instant*> times, base::Instant now) {
  for (base::Instant* at : times)
    if (*at > now) *at = now - 1ms;
}

// What a wait is counted from.
void at_most_now(std::initializer_list<base::Instant*> times, base::Instant now) {
  for (base::Instant* at : times) *at = std::min(*at, now);
}

void at_most_now(std::optional<base::Instant>& at, base::Instant now) {
  if (at) at = std::min(*at, now);
}

void forget_of_jobs(Record& record, base::Instant now) {
  BackupRecord& b = record.backup;
  DrillRecord& d = record.drill;
  RestoreRecord& r = record.restore;
  past({&b.started_at, &b.taken, &d.started_at, &r.started_at}, now);
  if (b.last_success) past({&*b.last_success}, now);
  if (d.proven_at) past({&*d.proven_at}, now);
  at_most_now({&b.since, &b.failed_at, &b.upgrade_since, &d.since, &d.failed_at, &r.failed_at},
              now);
  at_most_now(b.requested_at, now);
  FollowRecord& f = record.follow;
  past({&f.started_at}, now);
  at_most_now({&f.failed_at}, now);
  at_most_now(f.behind_since, now);
}

// Its deadline keeps its distance.
void forget_of_operation(Operation& operation, base::Instant now) {
  if (operation.started_at <= now) return;
  operation.deadline -= operation.started_at - now;
  operation.started_at = now;
}

}  // namespace

void forget_the_future(Record& record, base::Instant now) {
  forget_of_jobs(record, now);
  for (auto& [name, member] : record.members) {
    at_most_now({&member.started_at}, now);
    at_most_now(member.unreachable_since, now);
  }
  for (auto& [name, at] : record.last_defragmented) at_most_now({&at}, now);
  at_most_now(record.quorum_lost_since, now);
  at_most_now({&record.rotation.since}, now);
  if (record.operation) forget_of_operation(*record.operation, now);
  if (record.recovery) at_most_now({&record.recovery->chosen_at, &record.recovery->looked_at}, now);
  // When it was is not known; that there was one when the cluster formed is.
  if (record.last_quorum_read > now)
    record.last_quorum_read =
        record.bootstrapped_at <= now ? record.bootstrapped_at : base::Instant{};
}

std::optional<Observation> without_the_future(const Observation& seen, base::Instant now) {
  if (!seen.last || seen.last->at <= now) return std::nullopt;
  Observation out = seen;
  out.last->at = {};
  return out;
}

}  // namespace plan
