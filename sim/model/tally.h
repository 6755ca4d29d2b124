// What a run exercised: every step of the model, every reason and action of the planner, every
// rule.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"
#include "sim/model/steps.h"

namespace sim::model {

// X(name, what holds)
#define MODEL_RULES(X)                                                                    \
  X(S1, "no action of ours takes the healthy voters from a quorum to below one")          \
  X(S2, "at most one change of the membership is in flight")                              \
  X(S3, "no id starts anew after the latch, or with less than it had")                    \
  X(S4, "no data goes whose member is in the membership")                                 \
  X(S5, "two clusters of one identity never both serve")                                  \
  X(S7, "no version step beyond the next minor, none below the cluster's version")        \
  X(S8, "an alarm goes only when its cause has gone")                                     \
  X(S9, "a restore is carried out once")                                                  \
  X(S10, "nothing is called available without a fresh quorum read")                       \
  X(K, "a rollout restarts the leader last")                                              \
  X(L2, "who is gone for minutes is replaced, or a person is told why not")               \
  X(R, "what is about to be done is in the stored record, and nothing follows a refusal") \
  X(W, "no acknowledged write is lost while a copy of it is left and nobody gave it up")

enum class Rule : std::uint8_t {
#define MODEL_RULE_ENUM(name, text) k##name,
  MODEL_RULES(MODEL_RULE_ENUM)
#undef MODEL_RULE_ENUM
};
inline constexpr std::size_t kRules = static_cast<std::size_t>(Rule::kW) + 1;
std::string_view name_of(Rule rule);
std::string_view meaning_of(Rule rule);

Counts no_tally();
void count(Counts& counts, Kind kind);
void count(Counts& counts, Rule rule);
// Its steps, events, conditions.
void count(Counts& counts, const plan::Plan& plan);

struct Line {
  std::string group, name;  // "step", "KillEtcd"
  std::uint64_t times = 0;
};
std::vector<Line> lines_of(const Counts& counts);

}  // namespace sim::model
