// Leaf certificates are renewed at two thirds of life; etcd reads them at each handshake, so this
// disturbs nobody.
#include <fmt/format.h>

#include <chrono>

#include "base/mutants.h"
#include "plan/concern.h"
#include "plan/members.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

// How long the rest of the pass has precedence after a renewal failed.
constexpr base::Duration kRetry = 15s;

bool is_past(const base::Fact<base::Instant>& at, base::Instant now) {
  return at.known() && *at <= now;
}

struct Due {
  std::vector<std::string> members, expired;
  bool client = false;
  [[nodiscard]] bool any() const { return client || !members.empty() || !expired.empty(); }
};

Due find_due(const Context& c) {
  Due due;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || seat.facts == nullptr || !is_current(*seat.record)) continue;
    const bool expired = is_past(seat.facts->certificate_expires, c.now);
    if (expired) due.expired.push_back(seat.record->name);
    if (expired || is_past(seat.facts->certificate_renew_at, c.now))
      due.members.push_back(seat.record->name);
  }
  due.client = is_past(c.seen.client_certificate_renew_at, c.now);
  return due;
}

std::string words(const Due& due) {
  std::string out;
  for (const std::string& name : due.members) out += (out.empty() ? "" : ", ") + name;
  if (due.client) out += out.empty() ? "clients" : " and clients";
  return out;
}

// The user's own: new ones come in as soon as everybody gets on with them.
Answer take_users(Context& c, Due due) {
  std::vector<std::string> members;
  for (const Seat& seat : c.view.seats)
    if (seat.record != nullptr && seat.facts != nullptr && is_current(*seat.record) &&
        seat.facts->certificate_replaced)
      members.push_back(seat.record->name);
  const bool client = c.seen.client_certificate_replaced;
  if (!members.empty() || client) {
    const std::string text = "certificates of the user's own come in";
    if (!too_soon(c, "IssueCertificates"))
      return Answer::act(Reason::kUserCertificates, IssueCertificates{std::move(members), client},
                         text);
    return Answer::note(Reason::kUserCertificates,
                        text + why_not_done(c.seen, "IssueCertificates"));
  }
  if (!c.seen.user_certificates_problem.empty())
    return Answer::note(Reason::kUserCertificates, c.seen.user_certificates_problem);
  due.client = false;  // told by who holds it
  if (!due.any()) return Answer::nothing();
  return Answer::note(
      due.expired.empty() ? Reason::kCertificateRenewal : Reason::kCertificateExpired,
      fmt::format("the certificates of {} are yours: put renewed ones into the Secrets that "
                  "spec.tls names",
                  words(due)));
}

}  // namespace

Answer renew_certificates(Context& c) {
  // A rotation issues all leaves itself, and goes on only when exactly that was done.
  if (c.record.rotation.phase == RotationPhase::kPrepare ||
      c.record.rotation.phase == RotationPhase::kReissue)
    return Answer::nothing();
  const Due due = find_due(c);
  if (c.intent.cluster.spec.tls.provider == api::TlsProvider::kUserSecrets)
    return take_users(c, due);
  if (!due.any() || mutant(base::Mutant::kCertificatesForgotten)) return Answer::nothing();
  const Reason why =
      due.expired.empty() ? Reason::kCertificateRenewal : Reason::kCertificateExpired;
  const bool failed = failures_of(c.seen, "IssueCertificates") > 0;
  if (failed && c.now < c.seen.last->at + kRetry) {
    Answer answer = Answer::note(why, fmt::format("renewing the certificates of {} failed: {}",
                                                  words(due), c.seen.last->text));
    answer.look_again = kRetry;
    return answer;
  }
  if (!due.expired.empty() && !failed) {
    c.events.push_back(
        {why, true, fmt::format("the certificate of {} has expired", due.expired.front())});
  }
  return Answer::act(why, IssueCertificates{due.members, due.client},
                     fmt::format("renewing the certificates of {}", words(due)));
}

}  // namespace plan
