#include "plan/upgrade.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "api/hazards.h"
#include "api/upgrade_path.h"
#include "base/mutants.h"
#include "base/text.h"
#include "plan/members.h"

namespace plan {
namespace {

using Kind = VersionVerdict::Kind;

// What runs, each version once, lowest first; never empty. A member that does not answer says
// nothing: its data is as old as that of the others, unless the cluster version has moved.
std::vector<api::Version> running_versions(const Context& c) {
  std::vector<api::Version> out;
  for (const Seat& seat : c.view.seats) {
    if (!seat.healthy) continue;
    if (auto version = api::parse_version(seat.status->version)) out.push_back(*version);
  }
  if (out.empty()) out.push_back(c.record.version);
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// As far as it can have moved: when every member runs a newer minor it follows by itself within
// seconds. None: not known.
std::optional<api::Version> cluster_version(const Context& c, const api::Version& lowest) {
  int minor = c.record.highest_minor_seen;
  if (c.seen.cluster_version.known()) minor = std::max(minor, c.seen.cluster_version->minor);
  if (mutant(base::Mutant::kDowngradeAfterTheFlip)) minor = 0;
  const bool whole = c.view.quorum && c.view.healthy_voters == c.view.voters;
  if (whole && !mutant(base::Mutant::kDowngradeAfterTheFlip)) minor = std::max(minor, lowest.minor);
  if (minor == 0) return std::nullopt;
  return api::Version{lowest.major, minor, 0, ""};
}

VersionVerdict refuse(const api::StepAnswer& answer, bool down, bool known) {
  VersionVerdict out;
  out.kind = down && !known ? Kind::kNotYet : Kind::kRefused;
  out.reason = down ? Reason::kDowngradeRefused : Reason::kUpgradeRefused;
  if (out.kind == Kind::kNotYet) out.reason = Reason::kUpgradePreflight;
  out.message = answer.text();
  out.down = down;
  return out;
}

// Before the next minor version etcd must have finished the last step by itself.
std::string unfinished_step(const Context& c, const api::Version& from) {
  if (!c.seen.cluster_version.known()) return "the cluster version is not known";
  if (c.seen.cluster_version->minor != from.minor)
    return fmt::format("the cluster version is still {}", c.seen.cluster_version->text());
  for (const Seat& seat : c.view.seats) {
    if (seat.status == nullptr || seat.status->storage_version.empty()) continue;
    const auto storage = api::parse_version(seat.status->storage_version);
    if (storage && storage->minor != from.minor)
      return fmt::format("the storage version of {} is still {}", seat.name(), storage->text());
  }
  return {};
}

// The index that every log must reach, so that what was written in the form of 3.5 is behind a raft
// snapshot; 0: it is. 3.7 ends in a panic when it replays such an entry.
std::uint64_t index_before_37(const Context& c, const api::Version& from, const api::Version& to) {
  constexpr std::uint64_t kSlack = 500;  // written between two looks
  if (from.minor != 6 || to.minor != 7 || c.record.minor_since_index == 0) return 0;
  std::int64_t count = api::kSnapshotCountOf36;
  for (const std::string& option : c.intent.cluster.spec.etcd_options) {
    constexpr std::string_view kFlag = "--snapshot-count=";
    if (!option.starts_with(kFlag)) continue;
    if (const auto given = base::parse_int(std::string_view(option).substr(kFlag.size())))
      count = std::max<std::int64_t>(*given, 1);
  }
  const std::uint64_t index =
      c.record.minor_since_index + static_cast<std::uint64_t>(count) + kSlack;
  const bool behind = std::ranges::any_of(c.view.seats, [&](const Seat& seat) {
    return seat.etcd != nullptr && (seat.status == nullptr || seat.status->raft_applied < index);
  });
  return behind ? index : 0;
}

}  // namespace

VersionVerdict judge_version(const Context& c, const api::Version& to) {
  const std::vector<api::Version> running = running_versions(c);
  VersionVerdict out;
  const api::Version& lowest = running.front();
  api::StepFacts facts;
  facts.cluster_version = cluster_version(c, lowest);
  facts.members = static_cast<int>(c.view.voters);
  for (const api::Version& from : running) {
    if (from == to) continue;  // it ran before: nothing forbids to go back to it
    if (from < to ? mutant(base::Mutant::kMinorSkipped)
                  : mutant(base::Mutant::kDowngradeAfterTheFlip))
      continue;
    const api::StepAnswer answer = api::check_step(from, to, facts);
    if (!answer.allowed) return refuse(answer, to < from, facts.cluster_version.has_value());
  }
  out.down = to < running.back();
  if (out.down) {
    out.reason = Reason::kUpgradeAborted;
    out.message =
        fmt::format("the members go back from {} to {}", running.back().text(), to.text());
    return out;
  }
  out.message = fmt::format("{} → {}", lowest.text(), to.text());
  out.next_minor = !lowest.same_minor(to);
  out.advance_to = out.next_minor ? index_before_37(c, lowest, to) : 0;
  const std::string unfinished = out.next_minor ? unfinished_step(c, lowest) : std::string();
  if (!unfinished.empty()) {
    out.kind = Kind::kNotYet;
    out.reason = Reason::kUpgradePreflight;
    out.message = fmt::format("{} → {} waits: {}", lowest.text(), to.text(), unfinished);
    out.advance_to = 0;
  } else if (out.advance_to > 0) {
    out.kind = Kind::kNotYet;
    out.reason = Reason::kUpgradePreflight;
    out.message = fmt::format("{} → {} waits: the log still holds entries of 3.5 before index {}",
                              lowest.text(), to.text(), out.advance_to);
  }
  return out;
}

}  // namespace plan
