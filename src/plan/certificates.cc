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

}  // namespace

Answer renew_certificates(Context& c) {
  const Due due = find_due(c);
  if (!due.any() || mutant(base::Mutant::kCertificatesForgotten)) return Answer::nothing();
  const Reason why =
      due.expired.empty() ? Reason::kCertificateRenewal : Reason::kCertificateExpired;
  const api::TlsProvider provider = c.intent.cluster.spec.tls.provider;
  if (provider == api::TlsProvider::kUserSecrets) {
    return Answer::note(why, fmt::format("the certificates of {} are yours: put renewed ones into "
                                         "the Secrets that spec.tls names",
                                         words(due)));
  }
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
