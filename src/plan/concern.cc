#include "plan/concern.h"

namespace plan {

Operation& begin(Context& c, OperationKind kind, Reason why, const std::string& member,
                 base::Duration limit) {
  auto& operation = c.record.operation;
  if (operation && operation->kind == kind && operation->member == member) return *operation;
  operation = Operation{};
  operation->id = c.seen.fresh_operation;
  operation->kind = kind;
  operation->reason = why;
  operation->member = member;
  operation->started_at = c.now;
  operation->deadline = c.now + limit;
  return *operation;
}

void end(Context& c, OperationKind kind) {
  if (running(c.record, kind)) c.record.operation.reset();
}

bool running(const Record& record, OperationKind kind) {
  return record.operation && record.operation->kind == kind;
}

void tell(Context& c, Reason why, std::string message) {
  c.events.push_back({why, false, std::move(message)});
}

void warn(Context& c, Reason why, std::string message) {
  c.events.push_back({why, true, std::move(message)});
}

}  // namespace plan
