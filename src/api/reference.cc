#include "api/reference.h"

#include <fmt/format.h>

#include <utility>

#include "api/conditions.h"
#include "api/etcd_options.h"
#include "api/hazards.h"
#include "api/support.h"

namespace api {
namespace {

std::string_view group_of(Has has) {
  switch (has) {
    case Has::kBoth:
      return "both";
    case Has::kOperatorEtcdIo:
      return "operator.etcd.io";
    case Has::kCoreOs:
      return "etcd.database.coreos.com";
  }
  std::unreachable();
}

// "3.5.0 to 3.5.2" is written as it is checked: from, and below.
std::string range_of(const Hazard& hazard) {
  return hazard.from.empty() ? fmt::format("before {}", hazard.below)
                             : fmt::format("{} up to before {}", hazard.from, hazard.below);
}

std::string_view what_follows(HazardAction action) {
  switch (action) {
    case HazardAction::kForbid:
      return "never started";
    case HazardAction::kNoDefragment:
      return "never defragmented";
    case HazardAction::kNoDefragmentCatchUp:
      return "not defragmented while a member catches up";
    case HazardAction::kNoSingleMember:
      return "a warning for clusters of one member";
    case HazardAction::kNoNextMinor:
      return "a newer patch first, then the next minor";
    case HazardAction::kPromoteAtLeader:
      return "learners are promoted through the leader";
    case HazardAction::kNoUpdateOfLearner:
      return "learners are never updated";
    case HazardAction::kAddOnlyWhenAllUp:
      return "members are added only while all are up";
    case HazardAction::kForceNewKeepsMembers:
      return "a recovery restores under a new token instead";
    case HazardAction::kAdvise:
      return "a warning";
  }
  std::unreachable();
}

std::string since_of(const EtcdFlag& flag) {
  std::string out;
  if (!flag.experimental_since.empty())
    out = fmt::format("as `--experimental-{}` from {} to 3.5", flag.name, flag.experimental_since);
  if (!flag.gate.empty())
    return fmt::format("{}{}as feature gate {} from 3.6", out, out.empty() ? "" : ", ", flag.gate);
  if (!flag.since.empty())
    out += fmt::format("{}from {}", out.empty() ? "" : ", then plain ", flag.since);
  if (!flag.until.empty()) out += fmt::format("{}before {}", out.empty() ? "" : ", ", flag.until);
  return out.empty() ? "all" : out;
}

constexpr std::string_view kMade =
    "<!-- Made from the tables in src/api by reference_test; EO_REWRITE=1 writes it anew. -->\n\n";

}  // namespace

std::string fields_page() {
  std::string out = fmt::format(
      "# Fields of EtcdCluster\n\n{}"
      "Host and Kubernetes say whether the field has an effect there: *yes*, *not yet* (accepted, "
      "and named in the condition FieldsNotActedOn), *no meaning* there, or *never*. A line stands "
      "for all fields below it that have no line of their own.\n\n"
      "| Field | Group | Value | Default | Host | Kubernetes | Meaning |\n"
      "|---|---|---|---|---|---|---|\n",
      kMade);
  for (const auto& info : field_table())
    out += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} |\n", info.path, group_of(info.has),
                       info.type, info.fallback, name_of(info.host), name_of(info.kubernetes),
                       info.meaning);
  return out;
}

std::string conditions_page() {
  std::string out = fmt::format(
      "# Conditions\n\n{}"
      "Each is True, False or Unknown, with a reason and a message that names the next step.\n\n"
      "| Condition | Normal | True means | Otherwise |\n|---|---|---|---|\n",
      kMade);
  for (const auto& info : condition_table())
    out += fmt::format("| `{}` | {} | {} | {} |\n", info.name, name_of(info.good), info.meaning,
                       info.what_to_do);
  return out;
}

std::string versions_page() {
  std::string out = fmt::format(
      "# Versions of etcd\n\n{}"
      "One minor version at a time. A refused step is answered with the way round.\n\n"
      "| Line | Newest known | The next minor may follow from | Why |\n|---|---|---|---|\n",
      kMade);
  for (const auto& info : minor_table())
    out += fmt::format("| {}.{} | {} | {} | {} |\n", info.major, info.minor, info.newest,
                       info.leave_from.empty() ? "(none follows)" : info.leave_from, info.why);
  out +=
      "\n## Known faults\n\n| Versions | What is wrong | What follows | Source |\n"
      "|---|---|---|---|\n";
  for (const auto& hazard : hazard_table())
    out += fmt::format("| {} | {} | {} | {} |\n", range_of(hazard), hazard.what,
                       what_follows(hazard.action), hazard.source);
  return out;
}

std::string options_page() {
  std::string out = fmt::format(
      "# Flags of etcd\n\n{}"
      "What `spec.etcdOptions` may hold, as `--name=value`. Write either name of a flag that was "
      "once experimental: each member is given the one that its version knows.\n\n"
      "| Flag | Versions | Who sets it |\n|---|---|---|\n",
      kMade);
  for (const auto& flag : etcd_flags()) {
    const auto who =
        flag.owner == FlagOwner::kUser
            ? std::string("you")
            : fmt::format("{}: {}", flag.owner == FlagOwner::kOperator ? "the operator" : "nobody",
                          flag.reason);
    out += fmt::format("| `--{}` | {} | {} |\n", flag.name, since_of(flag), who);
  }
  return out;
}

}  // namespace api
