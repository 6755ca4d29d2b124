#include "e2e/host/wait.h"

#include <poll.h>

namespace e2e {
namespace {

constexpr int kPollMs = 50;
using Steady = std::chrono::steady_clock;

}  // namespace

bool eventually(std::chrono::seconds limit, const std::function<bool()>& condition) {
  const auto end = Steady::now() + limit;
  for (;;) {
    if (condition()) return true;
    if (Steady::now() >= end) return false;
    poll(nullptr, 0, kPollMs);
  }
}

bool always(std::chrono::milliseconds span, const std::function<bool()>& condition) {
  const auto end = Steady::now() + span;
  while (Steady::now() < end) {
    if (!condition()) return false;
    poll(nullptr, 0, kPollMs);
  }
  return true;
}

void measure_for(std::chrono::milliseconds span) {
  always(span, [] { return true; });
}

}  // namespace e2e
