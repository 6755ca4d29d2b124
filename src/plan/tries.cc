#include "plan/tries.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "plan/loss.h"
#include "plan/members.h"
#include "plan/question.h"
#include "plan/restore.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

// An export that fails so often, and for so long, is not waited for until the deadline.
constexpr std::uint32_t kExportTries = 4;
constexpr base::Duration kExportLimit = 2min;
// A try from this one is not repeated while another has data.
constexpr int kTriesEach = 2;
// So often all that have data are gone through before their data is given up; a person who is
// asked in between may have mended what was wrong.
constexpr int kRounds = 2;

// A new try under a new id: the present incarnation, if it was begun, is left as the old one was.
void try_again(Context& c, const std::string& survivor, const std::vector<std::string>& hidden) {
  Recovery& recovery = *c.record.recovery;
  Operation& op = *c.record.operation;
  if (survivor != recovery.survivor && !survivor.empty())
    tell(c, Reason::kSurvivorChosen, fmt::format("the next try is made from {}", survivor));
  recovery.operation = op.id;
  recovery.survivor = survivor;
  recovery.bound.clear();
  recovery.failure.clear();
  recovery.chosen_at = c.now;
  recovery.old_incarnation = c.record.incarnation;
  recovery.approved = true;
  recovery.vouched = {hidden.begin(), hidden.end()};
  op.step = "save";
  op.member = survivor;
  op.halted = false;
  op.reason = Reason::kRecovering;
  op.note.clear();
  op.started_at = c.now;
  op.deadline = c.now + kTryDeadline;
}

bool export_failed(const Context& c) {
  return is_exporting(c) && failures_of(c.seen, "ExportSurvivor") > 0;
}

struct Failure {
  std::string why;        // empty: this try may still succeed
  bool by_data = false;   // the survivor's data may be to blame
  bool for_good = false;  // it surely is: waiting for the deadline would change nothing
};

Failure failure_of(const Context& c) {
  const Operation& op = *c.record.operation;
  const Recovery& recovery = *c.record.recovery;
  const auto words = [](const Seat& seat) {
    const bool said =
        seat.facts != nullptr && seat.facts->ended && !seat.facts->ended->text.empty();
    return said ? ": " + seat.facts->ended->text : std::string();
  };
  const Seat* seat = c.view.by_name(is_fenced(c.record) ? op.member : recovery.survivor);
  const bool ended =
      seat != nullptr && (seat->ended_by(End::kDataLost) || seat->ended_by(End::kDataCorrupt) ||
                          seat->ended_by(End::kForeign) || seat->ended_by(End::kRemoved));
  const bool gone =
      seat != nullptr && seat->ended_by(End::kNoVolume) && seat->data_is(Data::kBlank);
  if (is_fenced(c.record) && (ended || gone))
    return {"what was restored cannot run" + words(*seat), true, true};
  if (!is_fenced(c.record) && !saved(c) && is_export_damaged(c))
    return {"its data is damaged: " + c.seen.last->text, true, true};
  // In a further try the driver may have what an earlier one read: it is asked first.
  if (!is_fenced(c.record) && is_survivor_gone(c) && (recovery.failed.empty() || export_failed(c)))
    return {"its data is gone, or was refused" + words(*seat), true, true};
  if (!is_fenced(c.record) && !saved(c) && export_failed(c) &&
      c.seen.last->failures >= kExportTries && c.now - op.started_at >= kExportLimit)
    return {"its data cannot be read: " + c.seen.last->text, true, false};
  if (c.now < op.deadline) return {};
  const bool failing = c.seen.last && failures_of(c.seen, c.seen.last->action) > 0;
  const auto hidden = unseen(c.view, recovery.old_incarnation);
  return {fmt::format("it is not done by its deadline{}{}",
                      hidden.empty() ? "" : ", and out of sight is " + base::join(hidden, ", "),
                      failing ? ": " + c.seen.last->text : ""),
          op.step == "export" || op.step == "restore", false};
}

void fail(Context& c, const Failure& failure) {
  Recovery& recovery = *c.record.recovery;
  const std::string& survivor = recovery.survivor;
  if (failure.by_data) recovery.failed[survivor] += failure.for_good ? kTriesEach : 1;
  recovery.failure = fmt::format("{} failed in step '{}': {}",
                                 c.record.in_place.stage == InPlace::kBegin ? "the restore in place"
                                 : survivor.empty() ? "beginning again empty"
                                                    : "the recovery from " + survivor,
                                 c.record.operation->step, failure.why);
  if (!failure.for_good) warn(c, Reason::kOperationTimedOut, recovery.failure);
}

// It never voted, and its guard noted no entry in its log.
bool is_empty_learner(const Seat& seat) {
  return seat.record->permit == Permit::kJoin && seat.status == nullptr && seat.facts != nullptr &&
         seat.facts->log_index == 0 && seat.facts->log_commit == 0;
}

bool may_begin_again(const Context& c) {
  return c.intent.cluster.spec.recovery.on_data_loss != api::OnDataLoss::kNever &&
         !c.seen.survivor_snapshot.is_unknown() && !saved(c);
}

// Whose data the next try takes; the same member's when no other has any that did not fail too.
// Empty: what could be read was tried often enough, and there is nothing to try but to begin again.
std::string next_survivor(const Context& c) {
  const Recovery& recovery = *c.record.recovery;
  const auto present = c.record.members.find(recovery.survivor);
  if (present == c.record.members.end()) return recovery.survivor;
  const std::string& from = present->second.incarnation;
  const Seat* next = nullptr;
  for (int round = 1; round <= kRounds && next == nullptr; ++round)
    next = choose_survivor(c.view, c.record, from, {recovery.failed, round * kTriesEach});
  if (next != nullptr && !is_empty_learner(*next)) return next->record->name;
  const auto tries = recovery.failed.find(recovery.survivor);
  const bool spent = tries != recovery.failed.end() && tries->second >= kTriesEach;
  if (spent && may_begin_again(c)) return {};
  if (next == nullptr) next = choose_survivor(c.view, c.record, from);
  return next == nullptr ? recovery.survivor : next->record->name;
}

// With recovery.onDataLoss: Restore a person is asked about a backup that is there: it is looked
// for first. No value: Record::restore says whether there is one, or there is nowhere to look.
std::optional<Answer> look_for_another_way(Context& c) {
  const api::ClusterSpec& spec = c.intent.cluster.spec;
  const std::string source = after_loss_source(c.record, spec);
  if (spec.recovery.on_data_loss != api::OnDataLoss::kRestore || source.empty() ||
      c.seen.fetch_job.is_absent())
    return std::nullopt;
  auto answer = look_after_loss(c, source);
  if (!answer) return std::nullopt;
  if (answer->kind == Answer::Kind::kWait) answer->kind = Answer::Kind::kStop;
  answer->reason = Reason::kRecovering;
  answer->message = fmt::format("{}; {}", c.record.recovery->failure, answer->message);
  return answer;
}

bool has_backup(const Context& c) {
  return c.record.restore.after_loss && c.record.restore.found == Found::kBackup;
}

bool looked_in_vain(const Context& c) {
  return c.record.restore.after_loss && c.record.restore.found == Found::kEmpty;
}

// Nothing that can be read is left of the old incarnation.
Question begin_instead(const Context& c) {
  const Recovery& recovery = *c.record.recovery;
  const Seat* seat = c.view.by_name(recovery.survivor);
  const bool has = seat != nullptr && has_data(c.record, *seat) && !is_empty_learner(*seat);
  std::string text = fmt::format(
      "{}; {}", recovery.failure,
      has ? "no other member is seen to have data that can be read, and further tries were in vain"
          : "no other member is seen to have data");
  if (has_backup(c))
    text += fmt::format(
        ". Approval puts what is left of the volumes aside and begins again from "
        "{} under a new incarnation; what was written after it is given up",
        brought_back(c));
  else
    text += fmt::format(
        "{}. {}",
        looked_in_vain(c) ? ", and " + c.record.restore.source + " holds no backup of this cluster"
                          : "",
        kEmptyWords);
  if (has)
    text += fmt::format(". To try {} once more instead, set recovery.onDataLoss to Never first",
                        recovery.survivor);
  return {has_backup(c) ? "approve backup" : "approve empty without proof", "",
          Reason::kApprovalNeeded, std::move(text)};
}

Question next_try(const Context& c, const std::string& next,
                  const std::vector<std::string>& hidden) {
  const Recovery& recovery = *c.record.recovery;
  if (next.empty() && !recovery.survivor.empty()) return begin_instead(c);
  std::string out = recovery.failure, step = "approve again";
  if (!next.empty() && !is_fenced(c.record)) {
    Loss loss = assess_loss(c.view, c.record);
    const Seat* seat = c.view.by_name(next);
    if (std::string doubt = seat == nullptr ? "" : doubt_of(*seat);
        !doubt.empty() && seat != loss.best)
      loss.doubts.push_back(std::move(doubt));
    const bool proven = loss.doubts.empty() && loss.kind == Loss::Kind::kSurvivor;
    if (!proven) step += " without proof";
    const std::string facts = facts_in_words(c.record, loss);
    if (!facts.empty()) out += fmt::format(" ({})", facts);
    if (!proven) out += "; " + base::join(loss.doubts, "; ");
  }
  out += ". Approval tries again";
  if (next != recovery.survivor)
    out += fmt::format(" from {}, and gives up what only {} holds", next, recovery.survivor);
  else if (!next.empty())
    out += " from " + next;
  if (!hidden.empty())
    out += fmt::format(", and vouches that {} cannot run any more, which cannot be seen",
                       base::join(hidden, ", "));
  return {step_of(std::move(step), hidden), next, Reason::kApprovalNeeded, std::move(out)};
}

}  // namespace

bool is_fenced(const Record& record) {
  return record.incarnation != record.recovery->old_incarnation;
}

bool saved(const Context& c) {
  return c.seen.survivor_snapshot.known() && *c.seen.survivor_snapshot;
}

bool is_exporting(const Context& c) {
  return c.record.operation->step == "export";
}

bool is_export_damaged(const Context& c) {
  return is_exporting(c) && failures_of(c.seen, "ExportSurvivor") > 0 && c.seen.last->damaged;
}

bool is_survivor_gone(const Context& c) {
  const Seat* seat = c.view.by_name(c.record.recovery->survivor);
  return seat != nullptr && seat->status == nullptr && seat->facts != nullptr &&
         seat->facts->data.known() && !seat->data_is(Data::kNoMarker) &&
         !has_data(c.record, *seat) && !saved(c);
}

std::optional<Answer> hold_if_failed(Context& c) {
  Recovery& recovery = *c.record.recovery;
  if (recovery.failure.empty()) {
    const Failure failure = failure_of(c);
    if (failure.why.empty()) return std::nullopt;
    fail(c, failure);
  }
  const std::string next = next_survivor(c);
  const bool gives_up = next.empty() && !recovery.survivor.empty();
  if (gives_up)
    if (auto answer = look_for_another_way(c)) return answer;
  // Beginning again empty waits until everything old is seen to have stopped, whoever vouches.
  const std::vector<std::string> hidden =
      next.empty() ? std::vector<std::string>{} : unseen(c.view, c.record.incarnation);
  const Question question = next_try(c, next, hidden);
  if (!ask(c, question))
    return Answer::stop(Reason::kApprovalNeeded, with_command(c, question.text), 2s);
  const auto spent = recovery.failed.find(next);
  if (spent != recovery.failed.end() && spent->second >= kRounds * kTriesEach)
    recovery.failed.clear();
  // What they chose is an empty cluster, whatever was looked for before.
  if (gives_up && !has_backup(c)) {
    c.record.restore.after_loss = false;
    forget_lookup(c.record);
  }
  try_again(c, next, hidden);
  // What was seen is of the try before.
  return Answer::stop(Reason::kRecovering, "another try begins", 250ms);
}

}  // namespace plan
