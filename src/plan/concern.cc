#include "plan/concern.h"

#include <algorithm>

#include "base/mutants.h"
#include "plan/template.h"

namespace plan {

Operation& begin(Context& c, OperationKind kind, Reason why, const std::string& member,
                 base::Duration limit) {
  auto& operation = c.record.operation;
  if (operation && operation->kind == kind && operation->member == member) return *operation;
  operation = Operation{};
  operation->id = c.seen.fresh_operation;
  operation->kind = kind;
  operation->reason = why;
  operation->member = member;
  operation->started_at = c.now;
  operation->deadline = c.now + limit;
  return *operation;
}

void end(Context& c, OperationKind kind) {
  if (running(c.record, kind)) c.record.operation.reset();
}

bool running(const Record& record, OperationKind kind) {
  return record.operation && record.operation->kind == kind;
}

bool open_to_clients(const Observation& seen, const Record& record) {
  return record.open_to_clients && seen.client_certificate_published;
}

bool too_soon(const Context& c, std::string_view action, base::Duration longest) {
  if (!c.seen.last || c.seen.last->action != action) return false;
  if (c.seen.last->outcome == Outcome::kDone || c.seen.last->failures == 0) return false;
  const auto shift = std::min(c.seen.last->failures - 1, 7U);
  return c.now - c.seen.last->at < std::min(base::Duration(500) * (1 << shift), longest);
}

bool just_done(const Context& c, std::string_view action) {
  return c.seen.last && c.seen.last->action == action && c.seen.last->outcome == Outcome::kDone;
}

int minor_reached(const Context& c) {
  const int now = c.seen.cluster_version.known() ? c.seen.cluster_version->minor : 0;
  return std::max(c.record.highest_minor_seen, now);
}

api::Version version_for_new(const Context& c) {
  const int reached = minor_reached(c);
  if (c.record.version.minor >= reached) return c.record.version;
  std::optional<api::Version> lowest;
  for (const auto& [name, member] : c.record.members)
    if (member.phase == Phase::kVoter && member.version.minor >= reached &&
        (!lowest || member.version < *lowest))
      lowest = member.version;
  return lowest.value_or(c.record.version);
}

std::vector<MemberRecord> offers(Context& c, int count) {
  std::vector<MemberRecord> out;
  std::size_t volume = 0;
  for (const auto& [ordinal, addresses] : c.seen.addresses) {
    if (static_cast<int>(out.size()) == count || volume == c.seen.fresh_volumes.size()) break;
    const std::string name = c.record.key.name + "-" + std::to_string(ordinal);
    if (ordinal < c.record.next_ordinal || c.record.members.contains(name)) continue;
    MemberRecord member;
    member.name = name;
    member.ordinal = ordinal;
    member.addresses = addresses;
    member.volume = c.seen.fresh_volumes[volume++];
    member.incarnation = c.record.incarnation;
    member.version = version_for_new(c);
    give_template(member, c.record.template_hash);
    if (!mutant(base::Mutant::kOrdinalAgain)) c.record.next_ordinal = ordinal + 1;
    out.push_back(std::move(member));
  }
  return out;
}

void tell(Context& c, Reason why, std::string message) {
  c.events.push_back({why, false, std::move(message)});
}

void warn(Context& c, Reason why, std::string message) {
  c.events.push_back({why, true, std::move(message)});
}

}  // namespace plan
