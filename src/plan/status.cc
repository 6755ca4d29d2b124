#include "plan/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/hazards.h"
#include "base/mutants.h"
#include "base/text.h"
#include "plan/backup.h"
#include "plan/drill.h"
#include "plan/follow.h"
#include "plan/members.h"

namespace plan {
namespace {

using api::ConditionType;
using api::Truth;

constexpr base::Duration kStale{30'000};  // older quorum reads prove nothing about now
constexpr std::string_view kPlain = "AsWanted";

struct Story {
  const Intent& intent;
  const Observation& seen;
  const std::vector<Answer>& answers;
  const View& view;
  base::Instant now;
  const Record& record;
  api::ClusterStatus& out;

  void say(ConditionType type, Truth truth, std::string_view reason, std::string message) const {
    api::set_condition(out, {type, truth, std::string(reason), std::move(message), {}}, now);
  }
  [[nodiscard]] bool is(ConditionType type, Truth truth) const {
    const api::Condition* condition = api::find_condition(out, type);
    return condition != nullptr && condition->status == truth;
  }
  // The first answer of one of these reasons; null: there is none.
  template <class... R>
  [[nodiscard]] const Answer* answer_of(R... reasons) const {
    const auto at = std::ranges::find_if(
        answers, [&](const Answer& a) { return ((a.reason == reasons) || ...); });
    return at == answers.end() ? nullptr : &*at;
  }
  [[nodiscard]] bool rests() const { return record.hibernated || intent.stop; }
};

// A quorum is out of reach by what was seen: too few voters have a process that could answer.
bool proven_down(const Story& s) {
  std::size_t voters = 0, possible = 0;
  for (const Seat& seat : s.view.seats) {
    if (seat.record == nullptr || seat.record->phase != Phase::kVoter) continue;
    voters += 1;
    possible += is_stopped(seat) || seat.process_is(Process::kBackoff) ? 0U : 1U;
  }
  return voters > 0 && possible < voters / 2 + 1;
}

std::string last_read(const Story& s) {
  const std::string why = s.seen.membership.why();
  const std::string at =
      s.record.last_quorum_read == base::Instant{}
          ? std::string("no quorum read ever succeeded")
          : "the last quorum read was at " + base::to_rfc3339(s.record.last_quorum_read);
  return at + (why.empty() ? "; another cluster answers" : "; now: " + why);
}

bool read_is_fresh(const Story& s) {
  return s.now - s.record.last_quorum_read <= kStale;
}

// Some looks failed, and nothing that was seen says that a quorum is out of reach.
bool only_unseen(const Story& s, const Answer& answer) {
  return answer.reason == Reason::kQuorumLost && !s.view.quorum && read_is_fresh(s) &&
         !proven_down(s);
}

std::string not_healthy(const View& view) {
  std::vector<std::string> names;
  for (const Seat& seat : view.seats)
    if (seat.voter && !seat.healthy) names.push_back(seat.name());
  return names.empty() ? std::string() : "; not healthy: " + base::join(names, ", ");
}

void say_available(const Story& s) {
  const Answer* first = s.answers.empty() ? nullptr : &s.answers.front();
  if (s.rests())
    return s.say(ConditionType::kAvailable, Truth::kFalse,
                 name_of(s.intent.stop ? Reason::kStoppedByUser : Reason::kHibernateStop),
                 "every member is stopped on purpose; the data is kept");
  if (s.record.formation != Formation::kLatched)
    return s.say(ConditionType::kAvailable, Truth::kFalse,
                 name_of(first == nullptr ? Reason::kBootstrap : first->reason),
                 first == nullptr ? "the cluster is not formed yet" : first->message);
  // A new cluster serves nobody before its users' certificate was seen.
  if (s.view.quorum && running(s.record, OperationKind::kBootstrap) &&
      !open_to_clients(s.seen, s.record))
    return s.say(ConditionType::kAvailable, Truth::kFalse, name_of(Reason::kBootstrap),
                 "the cluster is formed; it is not open to clients yet");
  if (s.view.quorum || (mutant(base::Mutant::kAvailableByProcesses) && !proven_down(s)))
    return s.say(ConditionType::kAvailable, Truth::kTrue, kPlain,
                 fmt::format("a quorum read succeeded; {} of {} voters are healthy{}",
                             s.view.healthy_voters, s.view.voters, not_healthy(s.view)));
  if (s.record.recovery)
    return s.say(ConditionType::kAvailable, Truth::kFalse, name_of(Reason::kRecovering),
                 s.record.in_place.stage == InPlace::kBegin
                     ? "the cluster begins again from a backup"
                     : "the cluster is recovered from a survivor");
  if (proven_down(s)) {
    const Answer* why =
        s.answer_of(Reason::kQuorumLost, Reason::kWaitWindow, Reason::kApprovalNeeded,
                    Reason::kRecoveryForbidden, Reason::kDataLossTotal, Reason::kQuorumLostForGood);
    return s.say(ConditionType::kAvailable, Truth::kFalse, name_of(Reason::kQuorumLost),
                 why == nullptr ? "fewer than a quorum of voters run" : why->message);
  }
  const bool fresh = read_is_fresh(s) || mutant(base::Mutant::kStatusFreezes);
  s.say(ConditionType::kAvailable, fresh ? Truth::kTrue : Truth::kUnknown,
        fresh ? kPlain : "NoQuorumRead", last_read(s));
}

void say_stale(const Story& s) {
  const bool applies = s.record.formation == Formation::kLatched && !s.rests();
  const bool stale = applies && !read_is_fresh(s);
  s.say(ConditionType::kStale, stale ? Truth::kTrue : Truth::kFalse,
        stale ? "NoQuorumRead" : kPlain,
        stale ? "what is said of the cluster is older than 30 s, or was never seen" : "");
}

// Gates that hold everything up until a person, or time, opens them.
constexpr std::array kGates{Reason::kPaused,
                            Reason::kIntentUnreadable,
                            Reason::kRecordTorn,
                            Reason::kStrayData,
                            Reason::kStoppedByUser,
                            Reason::kHibernateStop,
                            Reason::kApprovalNeeded,
                            Reason::kRecoveryForbidden,
                            Reason::kDataLossTotal,
                            Reason::kRestoreNotPossible,
                            Reason::kRestoreLookupFailed,
                            Reason::kNoBackupFound,
                            Reason::kDeleteDone,
                            Reason::kDeletionProtected,
                            Reason::kUpgradeRefused,
                            Reason::kDowngradeRefused,
                            Reason::kRolloutHalted,
                            Reason::kNoSpaceStuck,
                            Reason::kCorruptNoMajority,
                            Reason::kUnknownMember,
                            Reason::kOperationTimedOut};

void say_progressing(const Story& s) {
  // What is done now comes before what waits.
  std::vector<Answer> ordered(s.answers.rbegin(), s.answers.rend());
  if (ordered.empty() || ordered.front().kind != Answer::Kind::kAct) ordered = s.answers;
  for (const Answer& answer : ordered) {
    const bool acts = answer.kind == Answer::Kind::kAct;
    const bool gate = !acts && std::ranges::find(kGates, answer.reason) != kGates.end();
    if (answer.kind == Answer::Kind::kNoted && !gate && !s.record.operation) continue;
    if (only_unseen(s, answer))
      return s.say(ConditionType::kProgressing, Truth::kUnknown, "NoQuorumRead", last_read(s));
    const Answer* kept = s.answer_of(Reason::kDeletionProtected);
    const bool also = kept != nullptr && answer.reason != Reason::kDeletionProtected;
    return s.say(ConditionType::kProgressing, gate ? Truth::kFalse : Truth::kTrue,
                 name_of(answer.reason), answer.message + (also ? "; " + kept->message : ""));
  }
  const auto& operation = s.record.operation;
  if (operation && !operation->halted)
    return s.say(ConditionType::kProgressing, Truth::kTrue, name_of(operation->reason),
                 operation->step);
  s.say(ConditionType::kProgressing, Truth::kFalse, kPlain, "");
}

std::string unhealthy_in_words(const Seat& seat, bool list_known) {
  if (list_known && seat.etcd == nullptr) return "not in the membership";
  if (is_stopped(seat))
    return seat.facts->ended ? "stopped: " + seat.facts->ended->text : "stopped";
  if (seat.process_is(Process::kBackoff))
    return seat.facts->ended ? "restarting: " + seat.facts->ended->text : "restarting";
  if (seat.etcd != nullptr && !seat.etcd->started) return "never started";
  if (seat.status == nullptr) return "does not answer";
  return "sees no leader, or another one than the others";
}

void say_degraded(const Story& s) {
  // What a person can change comes before what follows from it; data that is gone does not come
  // back by it.
  const bool lost = s.answer_of(Reason::kRecoveryForbidden, Reason::kDataLossTotal) != nullptr;
  const Answer* halted = s.answer_of(Reason::kRolloutHalted);
  if (halted != nullptr && !lost)
    return s.say(ConditionType::kDegraded, Truth::kTrue, name_of(halted->reason), halted->message);
  const Answer* first = s.answer_of(
      Reason::kRecordTorn, Reason::kStrayData, Reason::kQuorumLost, Reason::kQuorumLostForGood,
      Reason::kWaitWindow, Reason::kApprovalNeeded, Reason::kRecoveryForbidden,
      Reason::kDataLossTotal, Reason::kRecovering, Reason::kCorrupt, Reason::kCorruptReplace,
      Reason::kCorruptNoMajority, Reason::kUnknownMember, Reason::kNoSpace, Reason::kNoSpaceCompact,
      Reason::kNoSpaceDefragment, Reason::kNoSpaceStuck, Reason::kMemberStart,
      Reason::kMemberRestarting, Reason::kMemberUnreachable, Reason::kMemberDataLost,
      Reason::kMemberVolumeGone, Reason::kMemberDataForeign, Reason::kMemberTimedOut,
      Reason::kMemberRemovedElsewhere, Reason::kReplaceMember, Reason::kQuorumUnsafe,
      Reason::kRolloutHalted, Reason::kOperationTimedOut);
  if (first != nullptr && only_unseen(s, *first))
    return s.say(ConditionType::kDegraded, Truth::kUnknown, "NoQuorumRead", last_read(s));
  if (first != nullptr)
    return s.say(ConditionType::kDegraded, Truth::kTrue, name_of(first->reason), first->message);
  // An alarm that is being disarmed is still set: etcd refuses writes.
  const bool alarm = s.seen.alarms.known() && !s.seen.alarms->empty();
  if (const Answer* disarms = s.answer_of(Reason::kNoSpaceDisarm, Reason::kCorruptDisarm);
      alarm && disarms != nullptr)
    return s.say(ConditionType::kDegraded, Truth::kTrue, name_of(disarms->reason),
                 disarms->message);
  if (s.record.formation != Formation::kLatched || s.rests())
    return s.say(ConditionType::kDegraded, Truth::kFalse, kPlain, "");
  if (!s.view.list_known)
    return s.say(ConditionType::kDegraded, Truth::kUnknown, "NoQuorumRead",
                 "without a quorum read it is not known");
  for (const Seat& seat : s.view.seats) {
    if (!seat.voter || seat.healthy) continue;
    return s.say(ConditionType::kDegraded, Truth::kTrue, name_of(Reason::kMemberUnreachable),
                 seat.name() + ": " + unhealthy_in_words(seat, true));
  }
  if (const Seat* ending = find_volume_end(s.view))
    return s.say(ConditionType::kDegraded, Truth::kTrue, name_of(Reason::kMemberVolumeGoing),
                 fmt::format("{}: {}; another member takes its place before that", ending->name(),
                             meaning_of(Reason::kMemberVolumeGoing)));
  // A lost one is out of the list already, and the one in its place does not vote yet.
  if (running(s.record, OperationKind::kReplace) && static_cast<int>(s.view.voters) < s.record.size)
    return s.say(ConditionType::kDegraded, Truth::kTrue, name_of(Reason::kReplaceMember),
                 fmt::format("{} of {} members vote; a lost one is being replaced", s.view.voters,
                             s.record.size));
  for (const Seat& seat : s.view.seats) {
    if (seat.record != nullptr || seat.etcd == nullptr || !seat.etcd->started) continue;
    return s.say(ConditionType::kDegraded, Truth::kTrue, name_of(Reason::kUnknownMember),
                 fmt::format("member {} ({}) at {} is not ours: it is left alone; remove it with "
                             "etcdctl if nobody needs it",
                             seat.name(), base::to_text(seat.etcd->id), seat.etcd->peer_url));
  }
  s.say(ConditionType::kDegraded, Truth::kFalse, kPlain, "");
}

void say_certificates(const Story& s) {
  const bool users = s.intent.cluster.spec.tls.provider == api::TlsProvider::kUserSecrets;
  if (!s.seen.user_certificates_problem.empty())
    return s.say(ConditionType::kCertificatesValid, Truth::kFalse,
                 name_of(users ? Reason::kUserCertificates : Reason::kCertificateRenewal),
                 s.seen.user_certificates_problem);
  if (s.intent.cluster.spec.tls.mode == api::TlsMode::kDisabled || s.record.members.empty()) return;
  std::vector<std::string> expired, late, unseen;
  for (const Seat& seat : s.view.seats) {
    if (seat.record == nullptr || !is_current(*seat.record)) continue;
    const base::Instant* end =
        seat.facts == nullptr ? nullptr : seat.facts->certificate_expires.get();
    const base::Instant* renew =
        seat.facts == nullptr ? nullptr : seat.facts->certificate_renew_at.get();
    const std::string name = seat.record->name;
    if (end == nullptr) {
      unseen.push_back(name);
    } else if (*end <= s.now) {
      expired.push_back(name + " on " + base::to_rfc3339(*end));
    } else if (renew != nullptr && *renew <= s.now) {
      late.push_back(name + " ends on " + base::to_rfc3339(*end));
    }
  }
  const Answer* answer = s.answer_of(Reason::kCertificateRenewal, Reason::kCertificateExpired);
  const Answer* rotation = s.answer_of(Reason::kAuthorityRotation, Reason::kUserCertificates);
  const std::string next = answer == nullptr ? "" : "; " + answer->message;
  if (!expired.empty())
    return s.say(ConditionType::kCertificatesValid, Truth::kFalse,
                 name_of(Reason::kCertificateExpired),
                 "expired: " + base::join(expired, ", ") + next);
  // What is ours is renewed within seconds. What is the user's is valid until its end.
  const api::Tls& tls = s.intent.cluster.spec.tls;
  const auto say_late = [&](Truth truth) {
    s.say(ConditionType::kCertificatesValid, truth, name_of(Reason::kCertificateRenewal),
          "past two thirds of life: " + base::join(late, ", ") + next);
  };
  if (!late.empty() && !users) return say_late(Truth::kFalse);
  if (!unseen.empty())
    return s.say(ConditionType::kCertificatesValid, Truth::kUnknown, "NotSeen",
                 "not seen yet: " + base::join(unseen, ", "));
  if (!late.empty()) return say_late(Truth::kTrue);
  if (rotation != nullptr)
    return s.say(ConditionType::kCertificatesValid, Truth::kTrue, name_of(rotation->reason),
                 rotation->message);
  const bool theirs = users && !tls.peer_secret.empty();
  s.say(ConditionType::kCertificatesValid, Truth::kTrue,
        theirs ? name_of(Reason::kUserCertificates) : kPlain,
        theirs ? "peers trust an authority of yours, so a recovery is fenced off by its token and "
                 "the proof alone"
               : "");
}

void say_asked_for(const Story& s) {
  const Answer* blocked =
      s.answer_of(Reason::kUpgradeRefused, Reason::kDowngradeRefused, Reason::kUpgradePreflight,
                  Reason::kBackupBeforeUpgrade, Reason::kBackupFailed);
  // The wanted version cannot be had: members go on with what they run.
  const bool latched = s.record.formation == Formation::kLatched;
  if (blocked == nullptr && latched && s.record.version != s.intent.cluster.spec.version)
    blocked = s.answer_of(Reason::kBinaryMissing);
  s.say(ConditionType::kUpgradeBlocked, blocked == nullptr ? Truth::kFalse : Truth::kTrue,
        blocked == nullptr ? kPlain : name_of(blocked->reason),
        blocked == nullptr ? "" : blocked->message);
  const bool question = running(s.record, OperationKind::kRecovery) &&
                        s.record.operation->step.starts_with("approve");
  const Answer* asks =
      question ? s.answer_of(Reason::kApprovalNeeded, Reason::kDataLossTotal) : nullptr;
  // All is lost, and so is the backup: that an empty cluster begins is for a person to say.
  if (s.record.formation == Formation::kNone && s.record.restore.after_loss)
    asks = s.answer_of(Reason::kNoBackupFound);
  s.say(ConditionType::kNeedsApproval, asks == nullptr ? Truth::kFalse : Truth::kTrue,
        asks == nullptr ? kPlain : name_of(asks->reason), asks == nullptr ? "" : asks->message);
}

void say_restored(const Story& s) {
  const std::string& source = s.record.bootstrap_source;
  if (const Answer* waits = s.answer_of(Reason::kRestoreNotPossible, Reason::kRestoreLookup,
                                        Reason::kRestoreLookupFailed, Reason::kNoBackupFound))
    return s.say(ConditionType::kRestored, Truth::kFalse, name_of(waits->reason), waits->message);
  if (source.starts_with("Survivor"))
    return s.say(ConditionType::kRestored, Truth::kTrue, name_of(Reason::kRecovered), source);
  if (source.starts_with("Restore"))
    return s.say(ConditionType::kRestored, Truth::kTrue, name_of(Reason::kRestoredFromBackup),
                 source);
  if (s.record.restore.found == Found::kEmpty && !s.record.restore.after_loss)
    s.say(
        ConditionType::kRestored, Truth::kFalse, name_of(Reason::kNoBackupFound),
        fmt::format("{} held no backup of this cluster: it began empty", s.record.restore.source));
}

// Only while they are so: elsewhere than on Kubernetes they mean nothing.
void say_surroundings(const Story& s) {
  if (!s.seen.foreign_objects.empty())
    s.say(ConditionType::kForeignObjects, Truth::kTrue, "NotOurs",
          base::join(s.seen.foreign_objects, "; ") +
              ". Nothing of it is changed: remove it, give this cluster another name, or make this "
              "cluster its owner");
  if (s.seen.ephemeral_storage)
    s.say(ConditionType::kEphemeralStorage, Truth::kTrue, "EmptyDir",
          "a member's data end with its pod; claims keep them: declare storage");
}

void say_spec(const Story& s) {
  const api::Cluster& cluster = s.intent.cluster;
  if (!s.intent.problem.empty()) {
    s.say(ConditionType::kSpecValid, Truth::kFalse, "Invalid",
          s.intent.problem + "; the last good manifest stays in force");
  } else if (s.intent.wish == Wish::kStale) {
    s.say(ConditionType::kSpecValid, Truth::kUnknown, name_of(Reason::kIntentUnreadable),
          "the manifest cannot be read now; the last good one stays in force");
  } else {
    s.say(ConditionType::kSpecValid, Truth::kTrue, kPlain, "");
  }
  const auto& idle = cluster.fields_not_acted_on;
  s.say(
      ConditionType::kFieldsNotActedOn, idle.empty() ? Truth::kFalse : Truth::kTrue,
      idle.empty() ? kPlain : "NotActedOn",
      idle.empty() ? "" : "without effect on this platform or version: " + base::join(idle, ", "));
  const bool even = cluster.spec.size % 2 == 0;
  s.say(ConditionType::kEvenSize, even ? Truth::kTrue : Truth::kFalse, even ? "EvenSize" : kPlain,
        even ? fmt::format("{} members survive no more failures than {} would; set an odd size",
                           cluster.spec.size, cluster.spec.size - 1)
             : "");
  say_restored(s);
}

void say_backups(const Story& s) {
  const BackupWords words{s.intent, s.seen, s.record, s.now, s.rests()};
  for (auto said : {judge_backups(words), judge_proof(words), judge_history(words)})
    if (said) api::set_condition(s.out, *std::move(said), s.now);
  s.out.last_backup = last_backup(s.record);
}

void say_hazards(const Story& s) {
  const auto hazards = s.out.current_version ? api::hazards_of(*s.out.current_version)
                                             : std::vector<const api::Hazard*>{};
  s.say(ConditionType::kVersionHazard, hazards.empty() ? Truth::kFalse : Truth::kTrue,
        hazards.empty() ? kPlain : "KnownFaults",
        hazards.empty()
            ? ""
            : fmt::format("etcd {}: {}", s.out.current_version->text(), hazards.front()->what));
}

api::MemberStatus member_status(const Story& s, const Seat& seat) {
  api::MemberStatus m;
  m.name = seat.name();
  m.id = seat.id();
  const bool learner =
      seat.etcd != nullptr ? seat.etcd->learner : seat.status != nullptr && seat.status->learner;
  if (learner) {
    m.role = api::Role::kLearner;
  } else if (&seat == s.view.leader) {
    m.role = api::Role::kLeader;
  } else if (seat.voter && seat.healthy) {
    m.role = api::Role::kFollower;
  }
  if (seat.status != nullptr) {
    if (const auto version = api::parse_version(seat.status->version)) m.version = *version;
    m.db_size = seat.status->db_size;
    m.db_in_use = seat.status->db_in_use;
  }
  const bool down = is_stopped(seat) || seat.process_is(Process::kBackoff);
  m.healthy = seat.healthy                ? Truth::kTrue
              : s.view.list_known || down ? Truth::kFalse
                                          : Truth::kUnknown;
  if (!seat.healthy)
    m.note = m.healthy == Truth::kUnknown ? "not known without a quorum read"
                                          : unhealthy_in_words(seat, s.view.list_known);
  return m;
}

void tell_members(const Story& s) {
  api::ClusterStatus& out = s.out;
  for (const Seat& seat : s.view.seats) {
    if (seat.record != nullptr && !is_current(*seat.record)) continue;
    out.members.push_back(member_status(s, seat));
    const auto& version = out.members.back().version;
    if (version && (!out.current_version || *version < *out.current_version))
      out.current_version = version;
    const bool serves = seat.record != nullptr && seat.record->phase == Phase::kVoter;
    if (serves && s.record.open_to_clients)
      out.endpoints.push_back(seat.record->addresses.client_url);
    if (!s.view.list_known && serves) out.current_size += 1;  // as it was last known
  }
  if (s.view.list_known) out.current_size = static_cast<int>(s.view.voters);
  out.ready_size = s.view.quorum ? static_cast<int>(s.view.healthy_voters) : 0;
  if (s.view.leader != nullptr && s.view.quorum) out.leader = s.view.leader->id();
}

void tell_operation(const Story& s) {
  if (const auto& o = s.record.operation) {
    const bool upgrade = o->kind == OperationKind::kRollout && o->reason == Reason::kUpgrade;
    api::OperationStatus to;
    to.id = o->id;
    to.kind = upgrade ? "Upgrade" : std::string(name_of(o->kind));
    to.step = o->member.empty() ? o->step : fmt::format("{} {}", o->step, o->member);
    to.started_at = o->started_at;
    to.deadline = o->deadline;
    to.reason = std::string(name_of(o->reason));
    s.out.operation = std::move(to);
  }
  if (!s.record.bootstrap_source.empty()) {
    const auto end = s.record.bootstrap_source.find(' ');
    const std::string source = s.record.bootstrap_source.substr(0, end);
    s.out.bootstrap = api::BootstrapStatus{
        source, source == "Restore" ? s.record.restore.revision : 0, s.record.bootstrapped_at};
  }
}

api::Phase word_for(const Story& s) {
  if (s.intent.wish == Wish::kDeleted && running(s.record, OperationKind::kDelete))
    return api::Phase::kDeleting;
  if (s.answer_of(Reason::kPaused) != nullptr) return api::Phase::kPaused;
  if (s.rests()) return api::Phase::kHibernated;
  if (s.is(ConditionType::kNeedsApproval, Truth::kTrue)) return api::Phase::kNeedsApproval;
  if (s.record.recovery) return api::Phase::kRecovering;
  if (s.record.formation == Formation::kNone) return api::Phase::kPending;
  if (s.record.formation == Formation::kForming) return api::Phase::kCreating;
  if (s.is(ConditionType::kAvailable, Truth::kUnknown)) return api::Phase::kUnknown;
  if (s.is(ConditionType::kDegraded, Truth::kTrue)) return api::Phase::kDegraded;
  if (s.record.operation && !s.record.open_to_clients) return api::Phase::kCreating;
  if (s.record.operation) return api::Phase::kUpdating;
  return api::Phase::kRunning;
}

}  // namespace

void describe(const Intent& intent, const Observation& seen, const std::vector<Answer>& answers,
              base::Instant now, Plan& plan) {
  const View view = look(intent, plan.record, seen, now);
  api::ClusterStatus& out = plan.status;
  const Story s{intent, seen, answers, view, now, plan.record, out};
  out.observed_generation = intent.cluster.generation;
  if (view.quorum) {
    out.observed_at = now;
  } else if (plan.record.last_quorum_read != base::Instant{}) {
    out.observed_at = plan.record.last_quorum_read;
  }
  out.desired_size = intent.cluster.spec.size;
  out.target_version = intent.cluster.spec.version;
  out.cluster_id = plan.record.cluster_id;
  tell_members(s);
  tell_operation(s);
  say_available(s);
  say_stale(s);
  say_progressing(s);
  say_degraded(s);
  say_certificates(s);
  say_asked_for(s);
  say_spec(s);
  say_surroundings(s);
  say_backups(s);
  say_hazards(s);
  out.phase = word_for(s);
}

}  // namespace plan
