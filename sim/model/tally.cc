#include "sim/model/tally.h"

#include <array>
#include <map>

namespace sim::model {
namespace {

constexpr std::size_t kReasons = static_cast<std::size_t>(plan::Reason::kOperationTimedOut) + 1;
constexpr std::size_t kActions = std::variant_size_v<plan::Action>;
constexpr std::size_t kFirstReason = kKinds, kFirstAction = kFirstReason + kReasons,
                      kFirstRule = kFirstAction + kActions, kAll = kFirstRule + kRules;

struct Info {
  std::string_view name, meaning;
};
constexpr std::array<Info, kRules> kInfos{{
#define MODEL_RULE_INFO(name, text) Info{#name, text},
    MODEL_RULES(MODEL_RULE_INFO)
#undef MODEL_RULE_INFO
}};

template <std::size_t... I>
std::vector<std::string> action_names(std::index_sequence<I...> /*all*/) {
  return {std::string(plan::name_of(plan::Action(std::in_place_index<I>)))...};
}

const std::map<std::string, std::size_t, std::less<>>& reasons() {
  static const auto all = [] {
    std::map<std::string, std::size_t, std::less<>> out;
    for (std::size_t i = 0; i < kReasons; ++i)
      out.emplace(plan::name_of(static_cast<plan::Reason>(i)), i);
    return out;
  }();
  return all;
}

void count(Counts& counts, plan::Reason reason) {
  counts.of[kFirstReason + static_cast<std::size_t>(reason)] += 1;
}

}  // namespace

std::string_view name_of(Rule rule) {
  return kInfos.at(static_cast<std::size_t>(rule)).name;
}
std::string_view meaning_of(Rule rule) {
  return kInfos.at(static_cast<std::size_t>(rule)).meaning;
}

Counts no_tally() {
  return Counts{std::vector<std::uint64_t>(kAll, 0)};
}

void count(Counts& counts, Kind kind) {
  counts.of[static_cast<std::size_t>(kind)] += 1;
}

void count(Counts& counts, Rule rule) {
  counts.of[kFirstRule + static_cast<std::size_t>(rule)] += 1;
}

void count(Counts& counts, const plan::Plan& plan) {
  for (const plan::Step& step : plan.steps) {
    counts.of[kFirstAction + step.action.index()] += 1;
    count(counts, step.reason);
  }
  for (const plan::Event& event : plan.events) count(counts, event.reason);
  for (const api::Condition& condition : plan.status.conditions)
    if (const auto at = reasons().find(condition.reason); at != reasons().end())
      counts.of[kFirstReason + at->second] += 1;
  const bool quiet = plan.steps.empty() && plan.status.phase == api::Phase::kRunning;
  if (quiet) count(counts, plan::Reason::kConverged);
}

std::vector<Line> lines_of(const Counts& counts) {
  static const auto actions = action_names(std::make_index_sequence<kActions>());
  std::vector<Line> out;
  for (std::size_t i = 0; i < kAll; ++i) {
    if (i < kFirstReason) {
      out.push_back({"step", std::string(name_of(static_cast<Kind>(i))), counts.of[i]});
    } else if (i < kFirstAction) {
      const auto reason = static_cast<plan::Reason>(i - kFirstReason);
      out.push_back({"reason", std::string(plan::name_of(reason)), counts.of[i]});
    } else if (i < kFirstRule) {
      out.push_back({"action", actions[i - kFirstAction], counts.of[i]});
    } else {
      const auto rule = static_cast<Rule>(i - kFirstRule);
      out.push_back({"rule", std::string(name_of(rule)), counts.of[i]});
    }
  }
  return out;
}

}  // namespace sim::model
