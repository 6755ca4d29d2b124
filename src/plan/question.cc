#include "plan/question.h"

#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "plan/members.h"

namespace plan {

bool ask(Context& c, const Question& question) {
  const bool asked = running(c.record, OperationKind::kRecovery) &&
                     c.record.operation->step == question.step &&
                     c.record.operation->member == question.member;
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
  return fmt::format("{}. Approve by {}", text, approve_command(c.record, c.record.operation->id));
}

std::string step_of(std::string what, const std::vector<std::string>& unseen) {
  return unseen.empty() ? std::move(what)
                        : fmt::format("{}, {} out of sight", what, base::join(unseen, ", "));
}

}  // namespace plan
