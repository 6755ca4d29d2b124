#include "sim/model/shrink.h"

#include <deque>
#include <set>

namespace sim::model {
namespace {

constexpr std::size_t kLook = 20'000;

// The trace up to where the rule is broken; no value: it is not.
std::optional<Trace> play(const Model& model, const Trace& trace) {
  auto state = model.root(trace.root);
  Counts scrap = model.no_counts();
  Trace out{trace.root, {}, {}};
  for (const Step step : trace.steps) {
    Violation violation;
    if (!model.take(*state, step, violation, scrap)) return std::nullopt;
    out.steps.push_back(step);
    if (violation.rule != trace.violation.rule) continue;
    out.violation = violation;
    return out;
  }
  if (trace.violation.rule != "L" || can_reach_goal(model, *state, kLook)) return std::nullopt;
  out.violation = trace.violation;
  return out;
}

}  // namespace

bool can_reach_goal(const Model& model, const State& from, std::size_t limit) {
  std::set<Hash128> seen{model.key(from)};
  std::deque<std::unique_ptr<State>> open;
  open.push_back(from.copy());
  Counts scrap = model.no_counts();
  while (!open.empty()) {
    const auto state = std::move(open.front());
    open.pop_front();
    if (seen.size() > limit) return true;
    Expansion expansion = model.expand(*state, false, false, scrap);
    if (expansion.goal) return true;
    for (Follower& follower : expansion.followers)
      if (follower.price == Price::kFree && seen.insert(model.key(*follower.state)).second)
        open.push_back(std::move(follower.state));
  }
  return false;
}

Trace shrink(const Model& model, Trace trace) {
  if (trace.violation.rule == "E") return trace;  // a shorter way is no proof
  for (bool shorter = true; shorter;) {
    shorter = false;
    // Long stretches first, then single steps.
    for (std::size_t length = trace.steps.size() / 2; length > 0; length /= 2) {
      for (std::size_t at = 0; at + length <= trace.steps.size();) {
        Trace fewer = trace;
        const auto begin = fewer.steps.begin() + static_cast<std::ptrdiff_t>(at);
        fewer.steps.erase(begin, begin + static_cast<std::ptrdiff_t>(length));
        if (auto played = play(model, fewer)) {
          trace = *std::move(played);
          shorter = true;
        } else {
          at += 1;
        }
      }
    }
  }
  return trace;
}

}  // namespace sim::model
