#include "adm/upgrade_way.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/hazards.h"
#include "api/upgrade_path.h"
#include "base/text.h"
#include "plan/upgrade.h"

namespace adm {
namespace {

using base::Code;
using Kind = plan::VersionVerdict::Kind;

struct Running {
  api::Version lowest, highest;
};

base::Result<Running> running_of(const Sight& sight) {
  std::optional<Running> out;
  for (const auto& [id, status] : sight.statuses) {
    const auto version = status ? api::parse_version(status->version)
                                : base::Result<api::Version>(std::unexpected(status.error()));
    if (!version) continue;
    if (!out) out = Running{*version, *version};
    out->lowest = std::min(out->lowest, *version);
    out->highest = std::max(out->highest, *version);
  }
  if (!out) return base::fail(Code::kUnavailable, "no member says which version it runs");
  return *out;
}

// Half way through a step it is that step; then the newest patch, then the next minor.
api::Version usual_target(const Running& running) {
  if (running.lowest != running.highest) return running.highest;
  const auto newest = api::newest_of_minor(running.lowest);
  if (!newest || running.lowest < *newest) return newest.value_or(running.lowest);
  const auto table = api::minor_table();
  for (size_t i = 0; i + 1 < table.size(); ++i)
    if (table[i].major == running.lowest.major && table[i].minor == running.lowest.minor)
      return api::parse_version(table[i + 1].newest).value_or(running.lowest);
  return running.lowest;
}

std::vector<Turn> turns_of(const Sight& sight, const api::Version& step) {
  std::vector<Turn> out;
  for (const auto& m : sight.list.members) {
    const auto* seat = sight.view.by_id(m.id);
    const auto& status = sight.statuses.at(m.id);
    Turn turn{m.id, m.name.empty() ? base::to_text(m.id) : m.name, {}, false, false, false};
    turn.healthy = seat != nullptr && seat->healthy;
    turn.leads = sight.leader() == m.id;
    if (status) turn.version = status->version;
    turn.done = turn.version == step.text();
    out.push_back(std::move(turn));
  }
  std::ranges::sort(out, {}, [](const Turn& t) { return std::pair(t.leads, t.name); });
  return out;
}

// Of the cluster as a whole, before any member is stopped.
std::string not_well(const Sight& sight, base::MemberId restarting) {
  for (const auto& m : sight.list.members) {
    const std::string who = m.name.empty() ? base::to_text(m.id) : m.name;
    if (m.client_urls.empty())
      return fmt::format(
          "{} is in the list and never started: let it join, or `etcdadm member "
          "remove {}`",
          who, base::to_text(m.id));
    if (m.learner)
      return fmt::format("{0} is a learner: `etcdadm member promote {0}`, or remove it, first",
                         who);
    const auto* seat = sight.view.by_id(m.id);
    if (m.id != restarting && (seat == nullptr || !seat->healthy))
      return fmt::format("{} is not healthy: `etcdadm doctor` on that host says why", who);
  }
  if (!sight.alarms) return "the alarms are not known: " + sight.alarms.error().message;
  for (const auto& alarm : *sight.alarms)
    if (alarm.kind != etcd::AlarmKind::kNone)
      return "an alarm is raised: `etcdadm status` shows it, `etcdadm doctor` says what mends it";
  return {};
}

plan::VersionVerdict judge(const Sight& sight, const WayQuestion& question, const Running& running,
                           const api::Version& to) {
  plan::Intent intent;
  intent.cluster.spec.etcd_options = question.options;
  plan::Observation seen = sight.seen;
  seen.cluster_version =
      question.cluster_version
          ? base::Fact<api::Version>(*question.cluster_version)
          : base::Fact<api::Version>::unknown("no member's metrics page could be read");
  plan::Record record = sight.record;
  record.version = running.lowest;
  record.minor_since_index = question.log_base;
  const plan::View view = plan::look(intent, record, seen, sight.view.now);
  return plan::judge_version({intent, seen, view, sight.view.now, record, {}}, to);
}

}  // namespace

base::Result<Way> find_way(const Sight& sight, const WayQuestion& question) {
  if (!sight.quorum) return base::fail(Code::kUnavailable, "no quorum answers: " + sight.problem);
  TRY(const Running running, running_of(sight));
  Way way;
  way.target = question.target.value_or(usual_target(running));
  if (const auto refused = api::check_version(way.target))
    return base::fail(Code::kInvalidArgument, *refused);
  api::StepFacts facts;
  facts.cluster_version = question.cluster_version;
  facts.members = static_cast<int>(sight.view.voters);
  const auto answer = api::check_step(running.lowest, way.target, facts);
  way.advice = answer.advice;
  way.step = answer.allowed || answer.way.empty() ? way.target : answer.way.front();
  if (!answer.allowed)
    for (size_t i = 1; i < answer.way.size(); ++i) way.then.push_back(answer.way[i]);
  way.turns = turns_of(sight, way.step);
  way.finished = running.lowest == way.target && running.highest == way.target;
  way.what = fmt::format("{} → {}", running.lowest.text(), way.step.text());
  if (way.finished) return way;
  const auto verdict = judge(sight, question, running, way.step);
  way.later = verdict.kind == Kind::kNotYet;
  way.advance_to = verdict.advance_to;
  if (verdict.kind != Kind::kAllowed) way.why_not = verdict.message;
  if (const auto sick = not_well(sight, question.restarting); !sick.empty()) {
    way.why_not = sick;
    way.later = false;
  }
  return way;
}

std::string why_not_now(const Way& way, base::MemberId id) {
  const auto own = std::ranges::find(way.turns, id, &Turn::id);
  if (own == way.turns.end()) return "this host's member is not in the list";
  if (own->done) {
    const auto next = next_of(way);
    return next.empty() ? std::string()
                        : fmt::format("{} runs {} already; {}", own->name, way.step.text(), next);
  }
  if (!way.why_not.empty()) return way.why_not;
  if (!own->leads) return {};
  std::vector<std::string> before;
  for (const auto& turn : way.turns)
    if (turn.id != id && !turn.done) before.push_back(turn.name);
  if (before.empty()) return {};
  return fmt::format("{} leads, and who leads is last: first `etcdadm upgrade apply` on {}",
                     own->name, base::join(before, ", "));
}

std::string next_of(const Way& way) {
  std::vector<std::string> names;
  for (const auto& turn : way.turns)
    if (!turn.done) names.push_back(turn.leads ? turn.name + " (it leads)" : turn.name);
  if (names.empty()) return {};
  return fmt::format("next: `etcdadm upgrade apply` on {}", base::join(names, ", then on "));
}

}  // namespace adm
