// From nothing to a cluster that clients may use. Steps of the operation Bootstrap: "prepare" (the
// members' places), "form" (they run), "discard" (thrown away before the latch), "begin again" (the
// pause after that), "open" (latched, not yet open to clients).
#include <fmt/format.h>

#include <algorithm>

#include "base/mutants.h"
#include "base/text.h"
#include "plan/concern.h"
#include "plan/members.h"
#include "plan/quorum.h"
#include "plan/restore.h"
#include "plan/template.h"

namespace plan {
namespace {

constexpr base::Duration kFormationLimit{60'000}, kRestoreLimit{1'800'000}, kSoon{200},
    kSlow{5'000};

// How long founders may be on their way: images and volumes that are fetched or made.
constexpr base::Duration kUnderWayLimit{300'000};

// A large backup takes its time, and so do volumes and images that are made or fetched: each try
// waits twice as long as the one before, so that what is only slow does form.
base::Duration limit_of(const Record& record) {
  if (record.restore.found == Found::kBackup) return kRestoreLimit;
  return std::min(kFormationLimit * (1 << std::min(record.epoch, 5)), kRestoreLimit);
}

std::string first_template(const Intent& intent) {
  return to_text({intent.template_hash, intent.cluster.spec.tls.mode, 0});
}

std::vector<std::string> waiting_for(const Context& c) {
  std::vector<std::string> out;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || (seat.etcd != nullptr && seat.etcd->started)) continue;
    const bool said = seat.facts != nullptr && seat.facts->ended;
    out.push_back(said ? fmt::format("{} ({})", seat.record->name, seat.facts->ended->text)
                       : seat.record->name);
  }
  return out;
}

// --- before the formation -----------------------------------------------------------------------

std::optional<Answer> fetch_binary(Context& c) {
  const std::string version = c.intent.cluster.spec.version.text();
  const auto at = c.seen.binaries.find(version);
  const Binary* binary = at == c.seen.binaries.end() ? nullptr : at->second.get();
  if (binary != nullptr && *binary == Binary::kPresent) return std::nullopt;
  std::string message = fmt::format("etcd {} is not on this machine", version);
  if (binary == nullptr)
    return Answer::stop(Reason::kBinaryMissing,
                        fmt::format("it is not known whether etcd {} is on this machine", version),
                        kSlow);
  if (*binary == Binary::kFetching)
    return Answer::stop(Reason::kBinaryMissing, message + "; it is being fetched", kSlow);
  if (too_soon(c, "FetchBinary"))
    return Answer::stop(Reason::kBinaryMissing,
                        fmt::format("{}, and fetching failed: {}; put it into the etcd directory, "
                                    "or wait for the next try",
                                    message, c.seen.last->text),
                        kSlow);
  return Answer::act(Reason::kBinaryMissing, FetchBinary{version}, message + "; it is fetched now");
}

Answer found(Context& c) {
  const api::ClusterSpec& spec = c.intent.cluster.spec;
  const bool again = mutant(base::Mutant::kTokenAgain);
  const std::string token =
      fmt::format("{}-{}", c.record.key.name, again ? "token" : c.seen.fresh_incarnation);
  if (c.seen.fresh_incarnation.empty() || (!again && c.record.old_tokens.contains(token)))
    return Answer::stop(Reason::kBootstrap, "a fresh name for the cluster is awaited", kSoon);
  const Record before = c.record;
  c.record.incarnation = c.seen.fresh_incarnation;
  c.record.token = token;
  c.record.size = spec.size;
  c.record.version = spec.version;
  c.record.template_hash = first_template(c.intent);
  // The authorities are new as well: what was asked of older ones is done.
  c.record.rotation = {};
  c.record.rotation.wish = rotation_wish(c.intent);
  c.record.operation.reset();
  // A backup becomes the data of one member; the others join it.
  const bool restores = c.record.restore.found == Found::kBackup;
  const int count = restores ? 1 : spec.size;
  auto members = offers(c, count);
  if (static_cast<int>(members.size()) < count) {
    c.record = before;
    return Answer::stop(Reason::kBootstrap, "no free addresses or volumes for all members", kSlow);
  }
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kBootstrap;
  answer.look_again = kSoon;
  answer.message = fmt::format("a new cluster of {} is prepared", spec.size);
  for (MemberRecord& member : members) {
    answer.steps.push_back({PrepareMember{member.name}, Reason::kBootstrap});
    if (restores) member.permit = Permit::kRestore;
    c.record.members[member.name] = std::move(member);
  }
  c.record.formation = Formation::kForming;
  begin(c, OperationKind::kBootstrap, Reason::kBootstrap, "", limit_of(c.record)).step = "prepare";
  tell(c, Reason::kBootstrap,
       fmt::format("a new cluster of {} members, etcd {}{}{}", spec.size, spec.version.text(),
                   restores ? ", from " : "", restores ? c.record.restore.location : ""));
  return answer;
}

// Nothing else is done before it is known what the cluster begins from.
std::optional<Answer> held(std::optional<Answer> answer) {
  if (answer && answer->kind == Answer::Kind::kWait) answer->kind = Answer::Kind::kStop;
  return answer;
}

Answer begin_formation(Context& c) {
  if (c.intent.wish == Wish::kDeleted) return Answer::nothing();
  if (c.intent.wish == Wish::kStale)
    return Answer::stop(Reason::kIntentUnreadable,
                        "the manifest cannot be read now; a new cluster is not begun", kSlow);
  if (c.intent.cluster.spec.restore && c.seen.fetch_job.is_absent()) return *held(restore_first(c));
  if (!c.seen.user_certificates_problem.empty())
    return Answer::stop(Reason::kUserCertificates, c.seen.user_certificates_problem, kSlow);
  const auto& pause = c.record.operation;
  if (pause && pause->step == "begin again" && c.now < pause->deadline)
    return Answer::stop(Reason::kBootstrapRestarted,
                        "the last formation failed (" + pause->note + "); the next begins soon",
                        std::max(kSoon, base::Duration(pause->deadline - c.now)));
  if (auto answer = fetch_binary(c)) return *std::move(answer);
  if (auto answer = held(restore_first(c))) return *std::move(answer);
  return found(c);
}

// --- the formation ------------------------------------------------------------------------------

Answer discard(Context& c, bool failed, const std::string& why) {
  Operation& operation =
      begin(c, OperationKind::kBootstrap, Reason::kBootstrap, "", kFormationLimit);
  operation.step = "discard";
  operation.reason = Reason::kBootstrapRestarted;
  operation.note = why;
  operation.halted = false;
  operation.deadline =
      c.now + (failed ? std::min(base::Duration(1'000) * (1 << std::min(c.record.epoch, 6)),
                                 kFormationLimit)
                      : base::Duration(0));
  for (auto& [name, member] : c.record.members) member.may_start = false;
  warn(c, Reason::kBootstrapRestarted, "the formation is thrown away: " + why);
  return Answer::act(Reason::kBootstrapRestarted, DiscardFormation{},
                     "the formation is thrown away: " + why);
}

// All that is left of the formation is its token, which is never used again.
Answer discarded(Context& c) {
  if (!just_done(c, "DiscardFormation"))
    return Answer::act(Reason::kBootstrapRestarted, DiscardFormation{},
                       "the formation is thrown away: " + c.record.operation->note +
                           why_not_done(c.seen, "DiscardFormation"));
  give_up_token(c.record);
  c.record.incarnation.clear();
  c.record.members.clear();
  forget_lookup(c.record);
  c.record.epoch += 1;
  c.record.formation = Formation::kNone;
  // The next may be of another version, whose rise must be seen.
  c.record.highest_minor_seen = 0;
  c.record.minor_since_index = 0;
  c.record.operation->step = "begin again";
  return Answer::stop(Reason::kBootstrapRestarted,
                      "the formation was thrown away: " + c.record.operation->note, kSoon);
}

// Why a founding member can never be started again under this token; empty: it can.
std::string spoiled(const Seat& seat) {
  if (seat.record == nullptr) return {};
  if (seat.ended_by(End::kNoVolume)) return seat.record->name + ": its volume is gone";
  if (const auto why = never_again(seat))
    return fmt::format("{}: {}", seat.record->name, meaning_of(*why));
  const bool no_volume =
      seat.data_is(Data::kNoMarker) || (seat.facts != nullptr && seat.facts->data.is_absent());
  if (seat.record->ran && seat.process_is(Process::kStopped) && no_volume)
    return seat.record->name + ": its volume is not the one that it ran on";
  return {};
}

std::string edited(const Context& c) {
  const api::ClusterSpec& spec = c.intent.cluster.spec;
  if (c.intent.wish != Wish::kPresent) return {};
  if (spec.size != c.record.size) return "spec.size was changed";
  if (spec.version != c.record.version) return "spec.version was changed";
  if (first_template(c.intent) != c.record.template_hash) return "the specification was changed";
  const RestoreRecord& restore = c.record.restore;
  if (!restore.after_loss && restore_source(spec) != restore.source) {
    const bool asked = spec.restore && !spec.restore->asked_by.empty();
    return (asked ? spec.restore->asked_by : "spec.restore") +
           (restore.source.empty() ? " was added" : " was changed");
  }
  return {};
}

// A quorum serves, and whoever has a certificate from before a total loss may have written: what
// was edited is changed after the latch.
bool may_hold_writes(const Context& c) {
  return c.view.list_known && c.seen.client_certificate_published && !c.intent.cluster.spec.restore;
}

Answer latch(Context& c, bool partly) {
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = partly ? Reason::kFormedPartly : Reason::kFormed;
  answer.look_again = kSoon;
  c.record.cluster_id = c.seen.membership->cluster_id;
  c.record.formation = Formation::kLatched;
  RestoreRecord& restore = c.record.restore;
  const bool restored = restore.found == Found::kBackup;
  c.record.bootstrap_source = restored ? "Restore " + brought_back(c) : "New";
  c.record.bootstrapped_at = c.now;
  restore.after_loss = false;
  const auto& asked = c.intent.cluster.spec.restore;
  if (c.record.in_place.stage == InPlace::kBegin) {
    finish_in_place(c);
  } else if (restored && asked && !asked->request.empty()) {
    c.record.in_place = {};
    c.record.in_place.request = asked->request;  // it is done
  }
  if (restored)
    tell(c, Reason::kRestoredFromBackup, "the cluster began from the backup " + brought_back(c));
  std::vector<std::string> late;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr) continue;
    MemberRecord& member = c.record.members.at(seat.record->name);
    member.id = seat.id();
    member.permit = Permit::kData;
    if (seat.etcd != nullptr && seat.etcd->started) {
      member.phase = Phase::kVoter;
      if (!mutant(base::Mutant::kOpenBeforeTheLatch))
        answer.steps.push_back({WriteTicket{member.name}, answer.reason});
      continue;
    }
    late.push_back(member.name);
    member.phase = Phase::kRemoving;
    member.may_start = false;
  }
  Operation& operation =
      begin(c, OperationKind::kBootstrap, Reason::kBootstrap, "", kFormationLimit);
  operation.step = "open";
  operation.deadline = c.now + kFormationLimit;
  operation.halted = false;
  answer.message =
      partly ? fmt::format("a quorum formed by the deadline; {} will be removed and replaced",
                           base::join(late, ", "))
             : "every founding member was seen; the identity is latched";
  partly ? warn(c, answer.reason, answer.message)
         : tell(c, answer.reason,
                fmt::format("cluster {} formed", base::to_text(c.record.cluster_id)));
  return answer;
}

struct Census {
  std::size_t started = 0, listed = 0, foreign = 0;
};
Census count(const Context& c) {
  Census out;
  for (const Seat& seat : c.view.seats) {
    if (seat.etcd == nullptr) continue;
    out.listed += 1;
    out.foreign += seat.record == nullptr || !seat.voter ? 1U : 0U;
    out.started += seat.record != nullptr && seat.etcd->started ? 1U : 0U;
  }
  return out;
}

// A founder does not run because its preparation or its start was refused.
bool is_refused(const Context& c) {
  const bool failed =
      failures_of(c.seen, "PrepareMember") > 0 || failures_of(c.seen, "StartMember") > 0;
  return failed && c.seen.last->outcome == Outcome::kRefused &&
         std::ranges::any_of(c.view.seats, [](const Seat& s) { return is_stopped(s); });
}

bool serves_or_comes(const Seat& seat) {
  if (seat.record == nullptr || (seat.etcd != nullptr && seat.etcd->started)) return true;
  return seat.process_is(Process::kStarting) && !seat.facts->ended;
}

// Nothing keeps the missing founders from running but that it takes its time: a new beginning
// would have to wait for the same.
bool is_under_way(const Context& c) {
  return c.now - c.record.operation->started_at < kUnderWayLimit &&
         std::ranges::all_of(c.view.seats, serves_or_comes);
}

// No value: it goes on.
std::optional<Answer> past_deadline(Context& c, const Census& census) {
  if (census.foreign > 0) return discard(c, true, "a member that is not ours is in its list");
  const std::string missing = base::join(waiting_for(c), ", ");
  if (c.view.list_known && census.foreign == 0 && census.listed == c.record.members.size() &&
      census.started >= quorum_of(c.record.members.size()))
    return latch(c, true);
  const bool ours_to_mend = std::ranges::any_of(c.view.seats, [](const Seat& s) {
    return s.ended_by(End::kConfig) || s.ended_by(End::kNode);
  });
  Operation& operation = *c.record.operation;
  // Another try would end the same way, until the specification or the machine is mended.
  if (ours_to_mend || is_refused(c)) {
    if (!operation.halted)
      warn(c, Reason::kOperationTimedOut,
           "the cluster does not form: " + (ours_to_mend ? missing : c.seen.last->text));
    operation.halted = true;
    if (!ours_to_mend) return std::nullopt;
    return Answer::stop(Reason::kOperationTimedOut,
                        "the cluster does not form: " + missing +
                            "; mend what etcd names, in the manifest or on the machine",
                        kSlow);
  }
  // Nobody was started yet, so nobody is late: among many clusters this one had to wait for us.
  const bool waited_for_us =
      operation.step == "prepare" && failures_of(c.seen, "PrepareMember") == 0 &&
      std::ranges::none_of(c.record.members, [](const auto& m) { return m.second.may_start; });
  if (!operation.halted && !waited_for_us && !is_under_way(c))
    return discard(c, true, "no quorum by the deadline, missing " + missing);
  // Its time begins anew; if it was halted, it seems to be mended.
  operation.halted = false;
  operation.deadline = c.now + limit_of(c.record);
  return std::nullopt;
}

Answer start_founders(Context& c) {
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kBootstrap;
  answer.look_again = kSoon;
  for (auto& [name, member] : c.record.members) {
    if (!member.may_start && !just_done(c, "PrepareMember"))
      answer.steps.push_back({PrepareMember{name}, Reason::kBootstrap});
  }
  answer.message = "the founding members are prepared";
  if (!answer.steps.empty()) return answer;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr) continue;
    MemberRecord& member = c.record.members.at(seat.record->name);
    if (member.may_start && !seat.process_is(Process::kStopped)) continue;
    member.may_start = true;
    member.started_at = c.now;
    answer.steps.push_back({StartMember{member.name}, Reason::kBootstrap});
  }
  if (answer.steps.empty()) return Answer::nothing();
  Operation& operation = *c.record.operation;
  // The founders' time, without what it took to prepare them.
  if (operation.step == "prepare") {
    operation.started_at = c.now;
    operation.deadline = c.now + limit_of(c.record);
  }
  operation.step = "form";
  answer.message = "the founding members are started together";
  return answer;
}

Answer form(Context& c) {
  if (!running(c.record, OperationKind::kBootstrap))
    begin(c, OperationKind::kBootstrap, Reason::kBootstrap, "", limit_of(c.record)).step =
        "prepare";
  if (c.record.operation->step == "discard") return discarded(c);
  if (const std::string why = edited(c); !why.empty() && !may_hold_writes(c))
    return discard(c, false, why);
  for (const Seat& seat : c.view.seats)
    if (const std::string why = spoiled(seat); !why.empty()) return discard(c, true, why);
  // With an expired certificate it would never be seen to have formed.
  if (Answer renewal = renew_certificates(c); renewal.kind == Answer::Kind::kAct) return renewal;
  const Census census = count(c);
  if (c.view.list_known && census.foreign == 0 && census.listed == c.record.members.size() &&
      census.started == census.listed)
    return latch(c, false);
  if (c.now > c.record.operation->deadline)
    if (auto answer = past_deadline(c, census)) return *std::move(answer);
  if (too_soon(c, "PrepareMember") || too_soon(c, "StartMember"))
    return Answer::stop(
        c.record.operation->halted ? Reason::kOperationTimedOut : Reason::kBootstrap,
        "a founding member cannot be started: " + c.seen.last->text, base::Duration(1'000));
  if (Answer answer = start_founders(c); answer.kind != Answer::Kind::kNothing) return answer;
  if (census.foreign > 0)
    return Answer::stop(Reason::kUnknownMember,
                        "a member that is not ours is in the list of the new cluster", kSoon);
  return Answer::stop(Reason::kBootstrap,
                      "waiting for " + base::join(waiting_for(c), ", ") + " to form the cluster",
                      kSoon);
}

// --- after the latch ----------------------------------------------------------------------------

Answer open(Context& c) {
  if (open_to_clients(c.seen, c.record)) {
    if (!running(c.record, OperationKind::kBootstrap)) return Answer::nothing();
    end(c, OperationKind::kBootstrap);
    return Answer::noted();
  }
  for (const auto* action : {"OpenToClients", "WriteTicket"})
    if (too_soon(c, action))
      return Answer::note(
          Reason::kBootstrap,
          "the cluster is formed; it is not open to clients yet" + why_not_done(c.seen, action));
  Answer answer;
  answer.kind = Answer::Kind::kAct;
  answer.reason = Reason::kOpenedToClients;
  answer.look_again = kSoon;
  answer.message = "the users' client certificate is published";
  bool proven = true;
  for (const Seat& seat : c.view.seats) {
    if (seat.record == nullptr || seat.record->phase != Phase::kVoter) continue;
    if (seat.facts != nullptr && seat.facts->ticket == Permit::kData) continue;
    if (mutant(base::Mutant::kOpenBeforeTheLatch)) continue;
    answer.steps.push_back({WriteTicket{seat.record->name}, Reason::kTicketLatched});
    proven = proven && (seat.facts == nullptr || !seat.facts->ticket.known());
  }
  // A ticket that is known to say otherwise is seen to change first. One that cannot be seen is
  // written right before: a plan ends at its first step that is not done.
  if (!proven) {
    answer.reason = Reason::kTicketLatched;
    answer.message = "the start tickets turn to data before clients are let in";
    return answer;
  }
  answer.steps.push_back({OpenToClients{}, Reason::kOpenedToClients});
  if (!c.record.open_to_clients)
    tell(c, Reason::kOpenedToClients, "the cluster is open to clients");
  c.record.open_to_clients = true;
  return answer;
}

}  // namespace

Answer bootstrap(Context& c) {
  if (c.record.recovery) return Answer::nothing();
  switch (c.record.formation) {
    case Formation::kNone:
      return begin_formation(c);
    case Formation::kForming:
      return form(c);
    case Formation::kLatched:
      return open(c);
  }
  return Answer::nothing();
}

}  // namespace plan
