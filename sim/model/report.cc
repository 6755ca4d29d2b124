#include "sim/model/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/model/goals.h"
#include "sim/model/happen.h"
#include "sim/model/transcript.h"

namespace sim::model {
std::string describe(const Found& found, double seconds) {
  std::string out;
  for (const Layer& layer : found.layers)
    out += fmt::format("  {} faults, {} edits: {} states, depth {}{}\n", layer.used.faults,
                       layer.used.edits, layer.states, layer.depth,
                       layer.open == 0 ? "" : fmt::format(", {} not gone on from", layer.open));
  out += fmt::format(
      "{} states, {} followers, depth {}, {:.1f} s, {:.0f} states/s, {:.0f} MB of tables: {}\n",
      found.states, found.followers, found.depth, seconds,
      static_cast<double>(found.states) / std::max(seconds, 0.001),
      static_cast<double>(found.bytes) / 1e6, found.exhausted ? "exhausted" : "NOT EXHAUSTED");
  return out;
}

std::string describe_tally(const Counts& counts) {
  std::string out, group;
  for (const Line& line : lines_of(counts)) {
    if (line.group != group) out += fmt::format("{}{}s:\n", group.empty() ? "" : "\n", line.group);
    group = line.group;
    out += fmt::format("  {:<26} {:>12}\n", line.name, line.times);
  }
  return out;
}

std::string describe(const Model& model, const Trace& trace) {
  auto state = model.root(trace.root);
  auto& cluster = dynamic_cast<Cluster&>(*state);
  Counts scrap = no_tally();
  std::string out = fmt::format("{}: {}\n  from {}\n", trace.violation.rule, trace.violation.text,
                                model.text_of_root(trace.root));
  std::string last;
  int number = 0;
  std::vector<Step> steps = trace.steps;
  // What follows when nothing more goes wrong.
  constexpr std::array kFollowing{Kind::kPass,     Kind::kTime, Kind::kPass,     Kind::kPass,
                                  Kind::kTime,     Kind::kPass, Kind::kPatience, Kind::kPass,
                                  Kind::kHeal,     Kind::kPass, Kind::kTime,     Kind::kPass,
                                  Kind::kPatience, Kind::kPass, Kind::kPatience, Kind::kPass};
  if (trace.violation.rule == "L")
    for (const Kind kind : kFollowing) steps.push_back(pack({kind}));
  for (const Step step : steps) {
    if (static_cast<std::size_t>(number) == trace.steps.size()) out += "  and then:\n";
    const auto record =
        cluster.memory.engine.loaded ? cluster.memory.engine.loaded->record : plan::Record{};
    const Happened did = happen(cluster, unpack(step), scrap);
    out += fmt::format("  {:>3}. {}", ++number, model.text(step));
    if (did.passed && did.passed->thought) {
      const engine::Report& report = *did.passed->thought;
      for (const plan::Step& s : report.plan.steps)
        out += fmt::format(" | {} ({})", plan::to_text(s.action), plan::name_of(s.reason));
      if (report.plan.steps.empty()) {
        const auto* c = api::find_condition(report.plan.status, api::ConditionType::kProgressing);
        if (c != nullptr) out += fmt::format(" | {}: {}", c->reason, c->message);
      }
      out += fmt::format(" | {}", lacks_good_end(cluster, report.plan));
      plan::Record before = record;
      before.key = key_of_cluster();
      last = transcript({trace.violation.rule + ": " + trace.violation.text, {}}, report.intent,
                        before, report.seen, report.at);
    }
    out += "\n";
  }
  if (!last.empty()) out += "its last look, as tests/scenarios would have it:\n\n" + last;
  return out;
}

}  // namespace sim::model
