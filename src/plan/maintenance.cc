// What is done when nothing else is: retired members are put away, large free space is given back.
#include <fmt/format.h>

#include <algorithm>

#include "plan/concern.h"
#include "plan/defragment.h"
#include "plan/members.h"

namespace plan {
namespace {

bool is_gone(const Seat& seat) {
  return is_stopped(seat) && seat.facts->data.is_absent();
}

// S4: only data of this incarnation that is proven to be its own may be deleted; all else is moved
// aside, so that a mistake can be taken back.
bool may_delete(const Context& c, const Seat& seat) {
  const base::Fact<Data>& data = seat.facts->data;
  return c.intent.cluster.spec.when_scaled == api::ClaimPolicy::kDelete &&
         seat.record->incarnation == c.record.incarnation && data.known() &&
         (*data == Data::kOwn || *data == Data::kBlank);
}

// It voted in the living membership. A disk tells of a removal when another entry follows it; those
// that are left and are killed before, all of them, are back in the larger membership. As long as
// that may be, the record has to know who is out.
bool voted(const Context& c, const Seat& seat) {
  return c.record.formation == Formation::kLatched && c.view.list_known &&
         seat.record->incarnation == c.record.incarnation && seat.record->permit == Permit::kData;
}

// Retired members: forgotten when gone, else stopped, else put away.
std::optional<Answer> put_away(Context& c) {
  Answer answer;
  std::string names;
  bool forgot = false, advance = false;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || seat.record->phase != Phase::kRetired) continue;
    const std::string name = seat.record->name;
    // S4: out of the live membership, or of an incarnation that is over.
    const bool ours = seat.record->incarnation == c.record.incarnation;
    if (seat.facts == nullptr || seat.etcd != nullptr || (ours && !c.view.list_known)) continue;
    if (is_gone(seat)) {
      advance |= voted(c, seat) && !just_done(c, "PutAside");
      c.record.members.erase(name);
      c.record.last_defragmented.erase(name);
      forgot = true;
    } else if (is_stopped(seat)) {
      answer.steps.push_back({PutAside{name, may_delete(c, seat)}, Reason::kPutAside});
      names += (names.empty() ? "" : ", ") + name;
      advance |= voted(c, seat);
    } else if (seat.facts->process.known()) {
      return Answer::act(Reason::kPutAside, StopMember{name},
                         fmt::format("{} is out of the cluster: its process is stopped", name));
    }
  }
  if (advance && too_soon(c, "AdvanceLog")) return std::nullopt;
  if (advance) answer.steps.insert(answer.steps.begin(), {AdvanceLog{}, Reason::kPutAside});
  if (!answer.steps.empty()) {
    answer.kind = Answer::Kind::kAct;
    answer.reason = Reason::kPutAside;
    answer.message = names.empty() ? "a retired member is put away"
                                   : fmt::format("the volume of {} is put away", names);
    answer.message += why_not_done(c.seen, "PutAside");
    // What is of no use any more holds up nothing that is.
    if (too_soon(c, "PutAside")) return Answer::note(Reason::kPutAside, answer.message);
    return answer;
  }
  if (forgot) return Answer::note(Reason::kPutAside, "a retired member is put away");
  return std::nullopt;
}

std::optional<Answer> defragment_by_rule(Context& c) {
  if (!c.seen.alarms.known() || !c.seen.alarms->empty()) return std::nullopt;
  if (!not_all_healthy(c.view).empty() || !defragment_hazard(c.view).why.empty())
    return std::nullopt;
  const auto need = [&c](const Seat& seat) {
    const auto last = c.record.last_defragmented.find(seat.record->name);
    const bool rested =
        last == c.record.last_defragmented.end() || last->second + kDefragmentInterval <= c.now;
    // S1 in the sense of a stop: for one and two members the whole cluster would stand still.
    return rested && much_is_free(*seat.status) && c.view.may_stop(seat);
  };
  return defragment_next(c, Reason::kDefragmentRule, need);
}

}  // namespace

Answer maintain(Context& c) {
  auto away = put_away(c);
  if (away && away->kind == Answer::Kind::kAct) return *std::move(away);
  if (c.record.formation == Formation::kLatched && c.intent.wish == Wish::kPresent)
    if (auto answer = defragment_by_rule(c)) return *std::move(answer);
  return std::move(away).value_or(Answer::nothing());
}

}  // namespace plan
