// The cluster's own authorities are replaced by phases, each of which ends before the next begins:
// the new ones are made and clients get both; every member trusts both, by a restart; every leaf is
// of the new ones; the old ones are dropped, by a restart. Whoever speaks to whom at any of these
// times, each trusts what the other has.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/annotations.h"
#include "plan/concern.h"
#include "plan/members.h"
#include "plan/template.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kLook = 2s, kSlowLook = 30s;
// Clients read their files again within this time, or within a third of a leaf's life.
constexpr base::Duration kClients = 24h;

constexpr std::string_view kDue = "an authority is due for renewal since ";

// The person's wish that was carried out last. Records of earlier versions tell only what the last
// rotation was for.
const std::string& wish_done(const Rotation& rotation) {
  const bool told = rotation.wish.empty() && !rotation.request.starts_with(kDue);
  return told ? rotation.request : rotation.wish;
}

bool has_new_wish(const Context& c) {
  const std::string wish = rotation_wish(c.intent);
  return !wish.empty() && wish != wish_done(c.record.rotation);
}

// What asks for a rotation; empty: nothing does.
std::string request_of(const Context& c) {
  if (has_new_wish(c)) return rotation_wish(c.intent);
  const base::Instant* due = c.seen.authority_renew_at.get();
  if (due == nullptr || c.now < *due) return {};
  return std::string(kDue) + base::to_rfc3339(*due);
}

// Why the next phase cannot begin; empty: every member is well and runs what is recorded.
std::string in_the_way(const Context& c) {
  if (c.record.operation) return fmt::format("{} is under way", name_of(c.record.operation->kind));
  if (std::string problem = not_all_healthy(c.view); !problem.empty()) return problem;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || !is_current(*seat.record)) continue;
    if (seat.facts == nullptr || seat.facts->template_hash != seat.record->template_hash ||
        parse_template(seat.record->template_hash).trust != c.record.rotation.trust)
      return seat.record->name + " is to be restarted";
  }
  return {};
}

Answer waits(std::string what, base::Duration look_again = kLook) {
  Answer answer = Answer::note(Reason::kAuthorityRotation, std::move(what));
  answer.look_again = look_again;
  return answer;
}

void enter(Context& c, RotationPhase phase) {
  c.record.rotation.phase = phase;
  c.record.rotation.id = c.seen.fresh_operation;
  c.record.rotation.since = c.now;
}

std::vector<std::string> current_members(const Context& c) {
  std::vector<std::string> out;
  for (const auto& [name, member] : c.record.members)
    if (is_current(member)) out.push_back(name);
  return out;
}

Answer issue(const Context& c, std::vector<std::string> members, const std::string& words) {
  if (too_soon(c, "IssueCertificates"))
    return waits(words + why_not_done(c.seen, "IssueCertificates"));
  return Answer::act(Reason::kAuthorityRotation, IssueCertificates{std::move(members), true},
                     words);
}

// Clients need time to read their files again, unless a person says that they did. No value: now.
std::optional<Answer> give_clients_time(const Context& c, std::string_view what) {
  const Rotation& r = c.record.rotation;
  if (c.intent.cluster.spec.tls.mode == api::TlsMode::kDisabled) return std::nullopt;
  const base::Instant until =
      r.since + std::min(kClients, base::Duration(c.intent.cluster.spec.tls.validity / 3));
  if (c.now >= until || is_approved(c.intent, r.id, c.now)) return std::nullopt;
  return waits(fmt::format("{} on {}; sooner, when every client has read its files again: "
                           "{}",
                           what, base::to_rfc3339(until), approve_command(c, r.id)),
               std::min(kSlowLook, base::Duration(until - c.now)));
}

Answer start_rotation(Context& c) {
  std::string request = request_of(c);
  if (request.empty()) return Answer::nothing();
  if (const std::string problem = in_the_way(c); !problem.empty())
    return waits(fmt::format("the authorities are not replaced yet: {}", problem));
  enter(c, RotationPhase::kPrepare);
  c.record.rotation.wish = has_new_wish(c) ? request : wish_done(c.record.rotation);
  c.record.rotation.request = std::move(request);
  tell(c, Reason::kAuthorityRotation, "new authorities are made: " + c.record.rotation.request);
  return issue(c, {}, "new authorities are made, and clients get the old and the new ones");
}

Answer prepared(Context& c) {
  if (!just_done(c, "IssueCertificates"))
    return issue(c, {}, "new authorities are made, and clients get the old and the new ones");
  enter(c, RotationPhase::kTrust);
  c.record.rotation.trust += 1;
  return waits("every member restarts to trust the old and the new authorities");
}

Answer trusted(Context& c) {
  if (const std::string problem = in_the_way(c); !problem.empty())
    return waits("every member is to trust the old and the new authorities: " + problem);
  if (auto answer = give_clients_time(c, "leaves of the new authorities are issued"))
    return *std::move(answer);
  enter(c, RotationPhase::kReissue);
  tell(c, Reason::kAuthorityRotation,
       "every member trusts the old and the new authorities: all leaves are issued anew");
  return issue(c, current_members(c), "every leaf is issued anew by the new authorities");
}

Answer reissued(Context& c) {
  if (!just_done(c, "IssueCertificates"))
    return issue(c, current_members(c), "every leaf is issued anew by the new authorities");
  enter(c, RotationPhase::kReissued);
  return waits("every leaf is of the new authorities");
}

Answer drop_old(Context& c) {
  if (const std::string problem = in_the_way(c); !problem.empty())
    return waits("the old authorities are not dropped yet: " + problem);
  if (auto answer = give_clients_time(c, "the old authorities are dropped"))
    return *std::move(answer);
  enter(c, RotationPhase::kDrop);
  c.record.rotation.trust += 1;
  tell(c, Reason::kAuthorityRotation, "the old authorities are dropped, member by member");
  return waits("the old authorities are dropped, member by member");
}

Answer finish_rotation(Context& c) {
  if (const std::string problem = in_the_way(c); !problem.empty())
    return waits("the old authorities are dropped, member by member: " + problem);
  enter(c, RotationPhase::kNone);
  tell(c, Reason::kAuthorityRotation, "the authorities were replaced");
  return issue(c, {}, "clients get the new authorities alone");
}

// Whom members trust is the user's: a new list comes in by a restart of each.
Answer follow_users(Context& c) {
  const bool changed = std::ranges::any_of(c.view.seats, [](const Seat& seat) {
    return seat.record != nullptr && seat.facts != nullptr && is_current(*seat.record) &&
           seat.facts->trust_replaced;
  });
  if (!changed) return Answer::nothing();
  std::string text = "members restart one by one to trust what your Secrets say now";
  Answer answer = Answer::note(Reason::kUserCertificates, text);
  answer.look_again = kLook;
  if (const std::string problem = in_the_way(c); !problem.empty()) {
    answer.message += ": " + problem;
    return answer;
  }
  c.record.rotation.trust += 1;
  tell(c, Reason::kUserCertificates, std::move(text));
  return answer;
}

}  // namespace

std::string rotation_wish(const Intent& intent) {
  return api::note_of(intent.cluster, api::kRotateAnnotation);
}

Answer rotate_authorities(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery || !c.record.open_to_clients ||
      c.intent.wish != Wish::kPresent)
    return Answer::nothing();
  if (c.intent.cluster.spec.tls.provider == api::TlsProvider::kUserSecrets) return follow_users(c);
  switch (c.record.rotation.phase) {
    case RotationPhase::kNone:
      return start_rotation(c);
    case RotationPhase::kPrepare:
      return prepared(c);
    case RotationPhase::kTrust:
      return trusted(c);
    case RotationPhase::kReissue:
      return reissued(c);
    case RotationPhase::kReissued:
      return drop_old(c);
    case RotationPhase::kDrop:
      return finish_rotation(c);
  }
  return Answer::nothing();
}

}  // namespace plan
