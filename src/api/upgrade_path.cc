#include "api/upgrade_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/hazards.h"

namespace api {
namespace {

const MinorInfo* info_of(const Version& version) {
  const auto table = minor_table();
  const auto at = std::ranges::find_if(table, [&](const MinorInfo& info) {
    return info.major == version.major && info.minor == version.minor;
  });
  return at == table.end() ? nullptr : &*at;
}

// May the next minor follow this patch?
bool may_leave(const MinorInfo& info, const Version& version) {
  return !info.leave_from.empty() && !(version < *parse_version(info.leave_from));
}

// Every version to set on the way up, `to` last.
std::vector<Version> way_up(const Version& from, const Version& to) {
  std::vector<Version> way;
  Version at = from;
  while (!at.same_minor(to)) {
    const auto* info = info_of(at);
    if (!may_leave(*info, at)) {
      at = *parse_version(info->newest);
      way.push_back(at);
    }
    const auto* next = info + 1;  // the table is in order and `to` is in it
    if (next->major == to.major && next->minor == to.minor) break;
    at = *parse_version(next->newest);
    way.push_back(at);
  }
  way.push_back(to);
  return way;
}

StepAnswer refuse(StepKind kind, std::string reason, std::vector<Version> way = {}) {
  return {false, kind, std::move(reason), std::move(way), {}};
}

StepAnswer allow(StepKind kind, const Version& to) {
  return {true, kind, {}, {to}, {}};
}

StepAnswer step_up(const Version& from, const Version& to) {
  if (from.same_minor(to)) return allow(StepKind::kPatchUp, to);
  const auto* info = info_of(from);
  const auto way = way_up(from, to);
  if (info_of(to) != info + 1)
    return refuse(StepKind::kMinorUp,
                  fmt::format("{}.{} to {}.{} leaves out a minor version, which etcd does not "
                              "support",
                              from.major, from.minor, to.major, to.minor),
                  way);
  if (!may_leave(*info, from))
    return refuse(StepKind::kMinorUp,
                  fmt::format("{}.{} may follow {} or later only: {}", to.major, to.minor,
                              info->leave_from, info->why),
                  way);
  return allow(StepKind::kMinorUp, to);
}

StepAnswer step_down(const Version& from, const Version& to, const StepFacts& facts) {
  // A patch changes no format: etcd compares the minor of the cluster only.
  if (from.same_minor(to)) return allow(StepKind::kPatchDown, to);
  if (!facts.cluster_version)
    return refuse(StepKind::kUnknown,
                  "the cluster version is not known, so whether members may go back is not either");
  const Version& cluster = *facts.cluster_version;
  // Not flipped yet: the members may return to the binary that they ran.
  if (cluster.same_minor(to)) return allow(StepKind::kAbort, to);
  const auto* lower = info_of(to);
  const bool one_down = lower + 1 == info_of(cluster);
  const auto back =
      fmt::format("set {}, or restore a backup into a new cluster of {}", from.text(), to.text());
  if (one_down && cluster.minor >= 6 && facts.downgrade_enabled)
    return allow(StepKind::kDowngrade, to);
  if (one_down && cluster.minor >= 6)
    return refuse(StepKind::kDowngrade,
                  fmt::format("the cluster version is {}.{} already, and etcd's own downgrade to "
                              "{}.{} is not under way: {}",
                              cluster.major, cluster.minor, to.major, to.minor, back));
  return refuse(StepKind::kDowngrade,
                fmt::format("the cluster version is {}.{} already, and there is no way down to "
                            "{}.{}: {}",
                            cluster.major, cluster.minor, to.major, to.minor, back));
}

}  // namespace

std::string_view name_of(StepKind kind) {
  switch (kind) {
    case StepKind::kSame:
      return "Same";
    case StepKind::kPatchUp:
      return "PatchUp";
    case StepKind::kMinorUp:
      return "MinorUp";
    case StepKind::kPatchDown:
      return "PatchDown";
    case StepKind::kAbort:
      return "Abort";
    case StepKind::kDowngrade:
      return "Downgrade";
    case StepKind::kUnknown:
      return "Unknown";
  }
  std::unreachable();
}

std::string StepAnswer::text() const {
  if (way.empty()) return reason;
  std::string names;
  for (const auto& version : way) names += (names.empty() ? "" : ", then ") + version.text();
  return fmt::format("{}; the way: {}", reason, names);
}

StepAnswer check_step(const Version& from, const Version& to, const StepFacts& facts) {
  if (from == to) return allow(StepKind::kSame, to);
  if (const auto refused = check_version(to)) return refuse(StepKind::kUnknown, *refused);
  if (info_of(from) == nullptr)
    return refuse(
        StepKind::kUnknown,
        fmt::format("{} runs, which this program does not know: 3.4 to 3.7", from.text()));
  auto answer = from < to ? step_up(from, to) : step_down(from, to, facts);
  if (!answer.allowed) return answer;
  for (const auto* hazard : hazards_of(to)) {
    const bool applies = hazard->action == HazardAction::kAdvise ||
                         (hazard->action == HazardAction::kNoSingleMember && facts.members == 1);
    if (applies) answer.advice.push_back(fmt::format("{} ({})", hazard->what, hazard->source));
  }
  return answer;
}

}  // namespace api
