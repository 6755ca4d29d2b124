// Waiting for a condition with a deadline: the only wait that a battery may use. A bench may also
// let a window of time pass.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace e2e {

// True as soon as `condition` is; false when `limit` has passed. Polls.
bool eventually(std::chrono::seconds limit, const std::function<bool()>& condition);
// True if `condition` held at every look during `span`: for "nothing happens".
bool always(std::chrono::milliseconds span, const std::function<bool()>& condition);
// Lets `span` pass so that a bench can take a figure over it. Not for tests: they wait for
// something.
void measure_for(std::chrono::milliseconds span);

}  // namespace e2e
