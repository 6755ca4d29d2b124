#include "plan/question.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "plan/members.h"

namespace plan {
namespace {

// What was asked of a loss that has passed since was about other facts, however alike it reads.
bool is_of_this_loss(const Record& record) {
  return !record.quorum_lost_since || record.operation->started_at >= *record.quorum_lost_since;
}

}  // namespace

bool ask(Context& c, const Question& question) {
  const bool asked = running(c.record, OperationKind::kRecovery) &&
                     c.record.operation->step == question.step &&
                     c.record.operation->member == question.member && is_of_this_loss(c.record);
  if (asked) return is_approved(c.intent, c.record.operation->id, c.now);
  c.record.operation.reset();
  Operation& op =
      begin(c, OperationKind::kRecovery, question.why, question.member, base::Duration(0));
  op.step = question.step;
  op.halted = true;
  op.note = question.text;
  warn(c, question.why, with_command(c, question.text));
  return is_approved(c.intent, op.id, c.now);
}

std::string with_command(const Context& c, const std::string& text) {
  return fmt::format("{}. Approve by {}", text, approve_command(c));
}

std::string step_of(std::string what, const std::vector<std::string>& unseen) {
  return unseen.empty() ? std::move(what)
                        : fmt::format("{}, {} out of sight", what, base::join(unseen, ", "));
}

}  // namespace plan
