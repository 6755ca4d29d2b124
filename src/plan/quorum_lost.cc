// Fewer than a quorum of voters are up. What can start is started before this; here it is decided
// what the loss is and what follows. Nothing is stopped or given up before the decision is stored.
//
// Questions to a person are operations of kRecovery: step "approve survivor" or "approve empty".
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "plan/concern.h"
#include "plan/loss.h"
#include "plan/members.h"
#include "plan/recovery.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kQuestionLook = 2s;

constexpr std::string_view kEmptyWords =
    "Approval begins a NEW EMPTY cluster under a new incarnation: every key that the old one held "
    "is given up, and what is left of its volumes is put aside";

// The same question keeps its id; another one asks anew, so that no approval is taken for what it
// was not given for.
void ask(Context& c, std::string_view step, const std::string& member, Reason why,
         const std::string& text) {
  if (running(c.record, OperationKind::kRecovery) && c.record.operation->step == step &&
      c.record.operation->member == member)
    return;
  c.record.operation.reset();
  Operation& op = begin(c, OperationKind::kRecovery, why, member, base::Duration(0));
  op.step = step;
  op.halted = true;
  op.note = text;
  warn(c, why, fmt::format("{}. Approve by {}", text, approve_command(c.record, op.id)));
}

bool answered(const Context& c) {
  return is_approved(c.intent, c.record.operation->id, c.now);
}

Answer waits_for_approval(const Context& c, Reason why, const std::string& text) {
  return Answer::wait(
      why,
      fmt::format("{}. Approve by {}", text, approve_command(c.record, c.record.operation->id)),
      kQuestionLook);
}

Answer recover_from(Context& c, const Loss& loss) {
  const std::string& survivor = loss.best->record->name;
  const std::string facts = facts_in_words(c.record, loss);
  const bool proven = loss.kind == Loss::Kind::kSurvivor;
  const auto policy = c.intent.cluster.spec.recovery.on_quorum_loss;
  if (policy == api::OnQuorumLoss::kNever) {
    return Answer::wait(Reason::kRecoveryForbidden,
                        fmt::format("fewer than a quorum of voters still have data ({}), and "
                                    "recovery.onQuorumLoss is Never. Bring their data back, or "
                                    "change the policy",
                                    facts),
                        kQuestionLook);
  }
  const bool automatic = proven && policy == api::OnQuorumLoss::kAutomatic;
  if (!automatic) {
    const std::string text = fmt::format(
        "{} ({}). Approval recovers the cluster from {} under a new incarnation; what only the "
        "others hold is given up",
        proven ? "fewer than a quorum of voters still have data"
               : "fewer than a quorum of voters are seen to have data, and that the others can "
                 "never come back is not proven",
        facts, survivor);
    ask(c, "approve survivor", survivor, Reason::kApprovalNeeded, text);
    if (!answered(c)) return waits_for_approval(c, Reason::kApprovalNeeded, text);
  }
  warn(c, Reason::kQuorumLostForGood, facts);
  return begin_recovery(c, survivor, !automatic);
}

Answer start_empty(Context& c, const Loss& loss) {
  const std::string facts = facts_in_words(c.record, loss);
  const bool proven = loss.kind == Loss::Kind::kTotal;
  const std::string lost =
      proven ? fmt::format("no member has data ({})", facts)
             : fmt::format("no member is seen to have data, and that it is lost is not proven ({})",
                           facts);
  const Reason why = proven ? Reason::kDataLossTotal : Reason::kApprovalNeeded;
  switch (c.intent.cluster.spec.recovery.on_data_loss) {
    case api::OnDataLoss::kNever:
      return Answer::wait(Reason::kRecoveryForbidden,
                          fmt::format("{}, and recovery.onDataLoss is Never. Bring a volume back, "
                                      "or change the policy",
                                      lost),
                          kQuestionLook);
    case api::OnDataLoss::kRestore:
      if (!proven) break;
      return Answer::wait(why,
                          fmt::format("{}. recovery.onDataLoss is Restore, and this version cannot "
                                      "look into a backup store: it waits. Restore by hand, or set "
                                      "the policy to Approve",
                                      lost),
                          kQuestionLook);
    case api::OnDataLoss::kApprove:
      break;
  }
  const std::string text = fmt::format("{}. {}", lost, kEmptyWords);
  ask(c, "approve empty", "", why, text);
  if (!answered(c)) return waits_for_approval(c, why, text);
  return begin_recovery(c, "", true);
}

// Nothing is asked any longer.
void take_back_question(Context& c) {
  if (running(c.record, OperationKind::kRecovery) && !c.record.recovery) c.record.operation.reset();
}

}  // namespace

Answer quorum_lost(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery) return Answer::nothing();
  if (c.view.quorum) {
    if (!running(c.record, OperationKind::kRecovery)) return Answer::nothing();
    take_back_question(c);
    return Answer::note(Reason::kQuorumLost, "the quorum is back");
  }
  const Loss loss = assess_loss(c.view, c.record);
  const std::string facts = facts_in_words(c.record, loss);
  if (loss.kind == Loss::Kind::kMayReturn) {
    take_back_question(c);
    return Answer::wait(Reason::kQuorumLost,
                        fmt::format("no quorum serves; enough voters have their data and only have "
                                    "to come up ({})",
                                    facts),
                        1s);
  }
  const base::Instant since = c.record.quorum_lost_since.value_or(c.now);
  const base::Duration left = since + c.intent.cluster.spec.recovery.wait - c.now;
  if (left.count() > 0) {
    return Answer::wait(
        Reason::kWaitWindow,
        fmt::format("no quorum since {} ({}); lost members may come back for {} more",
                    base::to_rfc3339(since), facts, base::to_text(left)),
        std::min(left, base::Duration(2s)));
  }
  return loss.best != nullptr ? recover_from(c, loss) : start_empty(c, loss);
}

}  // namespace plan
