#include "api/hazards.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace api {
namespace {

using enum HazardAction;

constexpr std::array kHazards{
    Hazard{"3.5.0", "3.5.3", kForbid, "members may hold different data after a crash under load",
           "etcd-io/etcd#13766"},
    Hazard{"3.5.0", "3.5.6", kNoDefragment,
           "a crash while defragmenting may leave a wrong revision", "etcd-io/etcd#14685"},
    Hazard{"", "3.4.21", kNoSingleMember, "a single member may lose an acknowledged write",
           "etcd-io/etcd#14370"},
    Hazard{"3.5.0", "3.5.5", kNoSingleMember, "a single member may lose an acknowledged write",
           "etcd-io/etcd#14370"},
    Hazard{
        "3.5.0", "3.5.32", kNoNextMinor,
        "promotions of learners were not kept in the v3 store: 3.6 may see removed members again",
        "etcd.io: upgrading from 3.5 to 3.6; blog: zombie members"},
    Hazard{"3.6.0", "3.6.11", kNoNextMinor, "rolling upgrades to 3.7 are not compatible",
           "etcd.io: upgrading from 3.6 to 3.7"},
    Hazard{"", "3.5.22", kForceNewKeepsMembers, "force-new-cluster leaves learners behind",
           "etcd changelogs 3.5 and 3.6"},
    Hazard{"3.6.0", "3.6.6", kForceNewKeepsMembers, "force-new-cluster leaves learners behind",
           "etcd changelogs 3.5 and 3.6"},
    Hazard{"", "3.6.5", kNoDefragmentCatchUp,
           "defragmenting while a snapshot is applied may corrupt the data", "etcd-io/etcd#20271"},
    Hazard{"", "3.5.28", kAdvise, "a process that was paused may answer with stale reads",
           "etcd-io/etcd#20418"},
    Hazard{"3.6.0", "3.6.9", kAdvise, "a process that was paused may answer with stale reads",
           "etcd-io/etcd#20418"},
    Hazard{"", "3.5.28", kPromoteAtLeader, "with auth, a promotion sent to a follower fails",
           "etcd changelog 3.5.28"},
    Hazard{"3.6.0", "3.6.6", kPromoteAtLeader, "with auth, a promotion sent to a follower fails",
           "etcd changelog 3.6.6"},
    Hazard{"", "3.5.30", kAddOnlyWhenAllUp, "adding a member is refused while one is down",
           "etcd changelog 3.5.30"},
    Hazard{"3.6.0", "3.6.11", kAddOnlyWhenAllUp, "adding a member is refused while one is down",
           "etcd changelog 3.6.11"},
    Hazard{"", "3.5.31", kNoUpdateOfLearner, "updating a learner makes it a voter",
           "etcd changelog 3.5.31"},
    Hazard{"3.6.0", "3.6.12", kNoUpdateOfLearner, "updating a learner makes it a voter",
           "etcd changelog 3.6.12"},
    Hazard{"", "3.5.33", kAdvise, "security advisories of July 2026 and before",
           "GHSA-xg4h-6gfc-h4m8, GHSA-6vch-q96h-7gc3"},
    Hazard{"3.6.0", "3.6.14", kAdvise, "security advisories of July 2026 and before",
           "GHSA-xg4h-6gfc-h4m8, GHSA-6vch-q96h-7gc3"},
    Hazard{"3.7.0", "3.7.1", kAdvise, "security advisories of July 2026 and before",
           "GHSA-xg4h-6gfc-h4m8, GHSA-6vch-q96h-7gc3"},
};

constexpr std::array kMinors{
    MinorInfo{3, 4, "3.4.45", "3.4.0", ""},
    MinorInfo{3, 5, "3.5.33", "3.5.32",
              "before it promotions of learners were not kept in the v3 store"},
    MinorInfo{3, 6, "3.6.16", "3.6.11", "before it a rolling upgrade to 3.7 is not compatible"},
    MinorInfo{3, 7, "3.7.3", "", ""},
};

bool in_range(const Hazard& hazard, const Version& version) {
  const auto below = parse_version(hazard.below);
  if (!(version < *below)) return false;
  return hazard.from.empty() || !(version < *parse_version(hazard.from));
}

}  // namespace

std::string_view name_of(HazardAction action) {
  switch (action) {
    case kForbid:
      return "Forbid";
    case kNoDefragment:
      return "NoDefragment";
    case kNoDefragmentCatchUp:
      return "NoDefragmentCatchUp";
    case kNoSingleMember:
      return "NoSingleMember";
    case kNoNextMinor:
      return "NoNextMinor";
    case kPromoteAtLeader:
      return "PromoteAtLeader";
    case kNoUpdateOfLearner:
      return "NoUpdateOfLearner";
    case kAddOnlyWhenAllUp:
      return "AddOnlyWhenAllUp";
    case kForceNewKeepsMembers:
      return "ForceNewKeepsMembers";
    case kAdvise:
      return "Advise";
  }
  std::unreachable();
}

std::span<const Hazard> hazard_table() {
  return kHazards;
}
std::span<const MinorInfo> minor_table() {
  return kMinors;
}

std::vector<const Hazard*> hazards_of(const Version& version) {
  std::vector<const Hazard*> found;
  for (const auto& hazard : kHazards)
    if (in_range(hazard, version)) found.push_back(&hazard);
  return found;
}

bool has_hazard(const Version& version, HazardAction action) {
  return std::ranges::any_of(hazards_of(version),
                             [&](const Hazard* hazard) { return hazard->action == action; });
}

std::optional<Version> newest_of_minor(const Version& version) {
  for (const auto& info : kMinors)
    if (info.major == version.major && info.minor == version.minor)
      return *parse_version(info.newest);
  return std::nullopt;
}

std::optional<std::string> check_version(const Version& version) {
  const auto newest = newest_of_minor(version);
  if (!newest)
    return fmt::format("{} is not supported: 3.4 to 3.7, newest {}", version.text(),
                       kMinors.back().newest);
  for (const auto* hazard : hazards_of(version))
    if (hazard->action == kForbid)
      return fmt::format("{} is refused: {} ({}); use {}", version.text(), hazard->what,
                         hazard->source, newest->text());
  return std::nullopt;
}

}  // namespace api
