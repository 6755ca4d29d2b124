#include "sim/world/faults.h"

namespace sim {

CallFault Faults::next(std::string_view call, const Rates& rates, unsigned long long draw) {
  if (const auto found = once.find(call); found != once.end()) {
    const CallFault fault = found->second;
    once.erase(found);
    return fault;
  }
  const auto at = static_cast<unsigned>(draw % 1'000);
  if (at < rates.refused) return CallFault::kRefused;
  if (at < rates.refused + rates.lost_answer) return CallFault::kLostAnswer;
  if (at < rates.refused + rates.lost_answer + rates.lost_request) return CallFault::kLostRequest;
  return CallFault::kNone;
}

}  // namespace sim
