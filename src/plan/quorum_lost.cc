// Fewer than a quorum of voters are up. What can start is started before this; here it is decided
// what the loss is and what follows. Nothing is stopped or given up before the decision is stored.
//
// Questions to a person are operations of kRecovery: step "approve survivor" or "approve empty".
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/mutants.h"
#include "base/text.h"
#include "plan/concern.h"
#include "plan/loss.h"
#include "plan/members.h"
#include "plan/question.h"
#include "plan/recovery.h"
#include "plan/restore.h"

namespace plan {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kQuestionLook = 2s;

// Nothing is asked any longer.
void take_back_question(Context& c) {
  if (running(c.record, OperationKind::kRecovery) && !c.record.recovery) c.record.operation.reset();
}

Answer wait_for_approval(const Context& c, Reason why, const std::string& text) {
  return Answer::wait(why, with_command(c, text), kQuestionLook);
}

Answer recover_from(Context& c, const Loss& loss) {
  const std::string& survivor = loss.best->record->name;
  const std::string facts = facts_in_words(c.record, loss);
  const bool proven = loss.kind == Loss::Kind::kSurvivor;
  const auto policy = c.intent.cluster.spec.recovery.on_quorum_loss;
  if (policy == api::OnQuorumLoss::kNever) {
    take_back_question(c);
    return Answer::wait(Reason::kRecoveryForbidden,
                        fmt::format("{} ({}), and recovery.onQuorumLoss is Never. {}hange the "
                                    "policy",
                                    loss.unaware ? "the voters that are left find no quorum"
                                                 : "fewer than a quorum of voters still have data",
                                    facts, loss.unaware ? "C" : "Bring their data back, or c"),
                        kQuestionLook);
  }
  const bool again = is_declared_again(c);
  const bool automatic = proven && policy == api::OnQuorumLoss::kAutomatic && !again;
  const std::vector<std::string> hidden = unseen(c.view, c.record.incarnation);
  if (!automatic) {
    const std::string text = fmt::format(
        "{} ({}){}. Approval recovers the cluster from {} under a new incarnation; what only the "
        "others hold is given up{}",
        loss.unaware ? "the voters that are left find no quorum"
        : proven     ? "fewer than a quorum of voters still have data"
                     : "fewer than a quorum of voters are seen to have data",
        facts, proven ? "" : "; " + base::join(loss.doubts, "; "), survivor,
        again ? fmt::format(". To begin from {} instead, delete the cluster and what is left of "
                            "its volumes, and declare it once more",
                            restore_source(c.intent.cluster.spec))
              : "");
    const std::string step =
        step_of(proven ? "approve survivor" : "approve survivor without proof", hidden);
    if (!ask(c, {step, survivor, Reason::kApprovalNeeded, text}))
      return wait_for_approval(c, Reason::kApprovalNeeded, text);
  }
  warn(c, Reason::kQuorumLostForGood, facts);
  return begin_recovery(c, survivor, automatic ? Basis{} : Basis{true, hidden});
}

// The store is looked into first: what is left of the old cluster is put aside only when a backup
// is at hand.
Answer restore_after_loss(Context& c, const std::string& lost) {
  const std::string source = after_loss_source(c.record, c.intent.cluster.spec);
  const bool nowhere = c.seen.fetch_job.is_absent() || source.empty();
  if (nowhere)
    return Answer::wait(
        Reason::kDataLossTotal,
        fmt::format("{}. recovery.onDataLoss is Restore, and {}: it waits. Restore "
                    "by hand, or set the policy to Approve",
                    lost,
                    source.empty() ? "there is no backup block"
                                   : "backup stores cannot be looked into on this platform"),
        kQuestionLook);
  if (auto answer = look_after_loss(c, source)) {
    answer->reason = Reason::kDataLossTotal;
    answer->message = fmt::format("{}. {}", lost, answer->message);
    return *std::move(answer);
  }
  if (c.record.restore.found == Found::kEmpty)
    return Answer::wait(Reason::kDataLossTotal,
                        fmt::format("{}. recovery.onDataLoss is Restore, and {} holds no backup of "
                                    "this cluster: it is looked into again. Bring a volume or a "
                                    "backup back, or set the policy to Approve",
                                    lost, source),
                        kQuestionLook);
  warn(c, Reason::kDataLossTotal,
       fmt::format("{}. The cluster begins again from {}; what was written after it is lost", lost,
                   brought_back(c)));
  return begin_recovery(c, "", Basis{true, {}});
}

Answer start_empty(Context& c, const Loss& loss) {
  const std::string facts = facts_in_words(c.record, loss);
  const bool proven = loss.kind == Loss::Kind::kTotal;
  const std::string lost =
      proven ? fmt::format("no member has data ({})", facts)
             : fmt::format(
                   "no member is seen to have data, and that it is lost is not proven ({}); {}",
                   facts, base::join(loss.doubts, "; "));
  const Reason why = proven ? Reason::kDataLossTotal : Reason::kApprovalNeeded;
  switch (c.intent.cluster.spec.recovery.on_data_loss) {
    case api::OnDataLoss::kNever:
      take_back_question(c);
      return Answer::wait(Reason::kRecoveryForbidden,
                          fmt::format("{}, and recovery.onDataLoss is Never. Bring a volume back, "
                                      "or change the policy",
                                      lost),
                          kQuestionLook);
    case api::OnDataLoss::kRestore:
      if (!proven) break;
      take_back_question(c);
      return restore_after_loss(c, lost);
    case api::OnDataLoss::kApprove:
      break;
  }
  const std::string text = fmt::format("{}. {}", lost, kEmptyWords);
  const std::string step = proven ? "approve empty" : "approve empty without proof";
  if (!ask(c, {step, "", why, text})) return wait_for_approval(c, why, text);
  // What they chose is an empty cluster, whatever was looked for before.
  c.record.restore.after_loss = false;
  forget_lookup(c.record);
  return begin_recovery(c, "", Basis{true, {}});
}

// Declared again, and by proof nothing is left: as with a name that was never used.
bool begins_as_declared(const Context& c, const Loss& loss) {
  return loss.kind == Loss::Kind::kTotal && is_declared_again(c) &&
         c.intent.cluster.spec.recovery.on_data_loss == api::OnDataLoss::kApprove;
}

Answer begin_as_declared(Context& c, const std::string& facts) {
  take_back_question(c);
  tell(c, Reason::kDataLossTotal,
       fmt::format("the cluster was deleted and declared again, and no member has data ({}): it "
                   "begins as it is declared, from {}",
                   facts, restore_source(c.intent.cluster.spec)));
  c.record.restore.after_loss = false;
  forget_lookup(c.record);
  return begin_recovery(c, "", Basis{true, {}});
}

}  // namespace

// Whatever else is done in this pass: an approval that comes later was given for facts that do not
// hold any more.
Answer withdraw_question(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery ||
      !running(c.record, OperationKind::kRecovery))
    return Answer::nothing();
  if (!c.view.quorum && assess_loss(c.view, c.record).kind != Loss::Kind::kMayReturn)
    return Answer::nothing();
  take_back_question(c);
  if (c.view.quorum)
    tell(c, Reason::kQuorumLost, "the quorum is back: nothing is asked any longer");
  return Answer::noted();
}

Answer quorum_lost(Context& c) {
  if (c.record.formation != Formation::kLatched || c.record.recovery) return Answer::nothing();
  if (mutant(base::Mutant::kQuorumLossInSilence)) return Answer::nothing();
  if (c.view.quorum) return Answer::nothing();
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
  if (begins_as_declared(c, loss)) return begin_as_declared(c, facts);
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
