#include "drivers/live/member_facts.h"

#include <algorithm>
#include <optional>

namespace live {
namespace {

base::Fact<plan::Process> process_of(const Found& found, const std::string& boot_id,
                                     plan::MemberFacts& facts) {
  if (found.alive.is_unknown()) return base::Fact<plan::Process>::unknown(found.alive.why());
  if (found.alive.is_absent() || !*found.alive) return plan::Process::kStopped;
  // The lock is held but the file is of an earlier start, or not written yet.
  const guard::State* state = found.state.get();
  if (state == nullptr || state->boot_id != boot_id) return plan::Process::kStarting;
  switch (state->phase) {
    case guard::Phase::kStarting:
      return plan::Process::kStarting;
    case guard::Phase::kBackoff:
      return plan::Process::kBackoff;
    case guard::Phase::kEnded:
      return base::Fact<plan::Process>::unknown("its guard is ending");
    case guard::Phase::kRunning:
      break;
  }
  facts.version = state->version;
  facts.template_hash = state->template_hash;
  return plan::Process::kRunning;
}

// Of a member without a process: the marker says whose the volume is, the log whether there is
// data; what is wrong with the data only a guard can tell.
base::Fact<plan::Data> data_of(const Found& found, const plan::MemberRecord& member,
                               const plan::MemberFacts& facts) {
  using Data = plan::Data;
  if (facts.process.known() && *facts.process == plan::Process::kRunning) return Data::kOwn;
  if (found.directory == base::Fact<bool>(false)) return base::Fact<Data>::absent();
  if (!found.data.known()) return base::Fact<Data>::unknown(found.data.why());
  if (found.marker.is_absent()) return Data::kNoMarker;
  if (found.marker.is_unknown()) return base::Fact<Data>::unknown(found.marker.why());
  const guard::Marker& marker = *found.marker;
  if (marker.volume_id != member.volume || marker.member_name != member.name) return Data::kForeign;
  if (member.permit == plan::Permit::kData && !member.origin.empty() && !marker.origin.empty() &&
      marker.origin != member.origin)
    return Data::kForeign;
  const auto end = facts.ended ? facts.ended->end : plan::End::kNone;
  if (end == plan::End::kForeign) return Data::kForeign;
  if (end == plan::End::kDataCorrupt) return Data::kCorrupt;
  if (!*found.data) return marker.started ? base::Fact<Data>(Data::kBlank) : Data::kNoMarker;
  if (end == plan::End::kDataLost) return Data::kOlder;
  return Data::kOwn;
}

std::optional<plan::Ending> ending_of(const Found& found) {
  const guard::Verdict* verdict = found.verdict.get();
  if (verdict == nullptr || verdict->klass == guard::Class::kNone) return std::nullopt;
  return plan::Ending{to_plan(verdict->klass), verdict->signature, verdict->at, verdict->failures};
}

}  // namespace

plan::MemberFacts judge(const Found& found, const plan::MemberRecord& member,
                        const std::string& boot_id) {
  plan::MemberFacts facts;
  facts.process = process_of(found, boot_id, facts);
  facts.ended = ending_of(found);
  facts.data = data_of(found, member, facts);
  if (found.marker.known() && found.marker->volume_id == member.volume) {
    facts.log_term = found.marker->last_term;
    facts.log_index = found.marker->last_index;
    facts.log_commit = found.marker->commit;
    facts.origin = found.marker->origin;
  }
  judge_ticket(found.ticket, facts);
  return facts;
}

void judge_ticket(const base::Fact<guard::Ticket>& ticket, plan::MemberFacts& facts) {
  if (ticket.known()) {
    facts.ticket = to_plan(ticket->permit);
    // "name=url,…": one '=' each, as neither may hold one.
    facts.ticket_members = static_cast<int>(std::ranges::count(ticket->initial_cluster, '='));
  } else if (ticket.is_absent()) {
    facts.ticket = base::Fact<plan::Permit>::absent();
  } else {
    facts.ticket = base::Fact<plan::Permit>::unknown(ticket.why());
  }
}

plan::End to_plan(guard::Class klass) {
  switch (klass) {
    case guard::Class::kNone:
      return plan::End::kNone;
    case guard::Class::kStopped:
      return plan::End::kStopped;
    case guard::Class::kRetry:
      return plan::End::kRetry;
    case guard::Class::kDataLost:
      return plan::End::kDataLost;
    case guard::Class::kDataCorrupt:
      return plan::End::kDataCorrupt;
    case guard::Class::kForeign:
      return plan::End::kForeign;
    case guard::Class::kRemoved:
      return plan::End::kRemoved;
    case guard::Class::kConfig:
      return plan::End::kConfig;
    case guard::Class::kNode:
      return plan::End::kNode;
    case guard::Class::kNoVolume:
      return plan::End::kNoVolume;
  }
  return plan::End::kNone;
}

plan::Permit to_plan(guard::Permit permit) {
  switch (permit) {
    case guard::Permit::kBootstrap:
      return plan::Permit::kBootstrap;
    case guard::Permit::kJoin:
      return plan::Permit::kJoin;
    case guard::Permit::kData:
      return plan::Permit::kData;
    case guard::Permit::kRestore:
      return plan::Permit::kRestore;
  }
  return plan::Permit::kData;
}

}  // namespace live
