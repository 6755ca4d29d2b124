#include "sim/model/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace sim::model {

std::string coverage_text(const Counts& counts) {
  std::string out;
  for (const Line& line : lines_of(counts))
    out += fmt::format("{} {} {}\n", line.group, line.name, line.times);
  return out;
}

base::Result<Counts> parse_coverage(std::string_view text) {
  Counts out = no_tally();
  const auto known = lines_of(out);
  for (const auto line : base::split(text, '\n')) {
    if (line.empty()) continue;
    const auto words = base::split(line, ' ');
    const auto times = words.size() == 3 ? base::parse_int(words[2]) : std::nullopt;
    if (!times || *times < 0)
      return base::fail(base::Code::kInvalidArgument, fmt::format("\"{}\" is no count", line));
    const auto at = std::ranges::find_if(
        known, [&](const Line& l) { return l.group == words[0] && l.name == words[1]; });
    if (at == known.end())
      return base::fail(base::Code::kInvalidArgument,
                        fmt::format("there is no {} {}", words[0], words[1]));
    out.of[static_cast<std::size_t>(at - known.begin())] += static_cast<std::uint64_t>(*times);
  }
  return out;
}

std::span<const Unreachable> unreachable() {
  constexpr std::string_view kAuthorities = "nobody replaces an authority or a certificate there";
  constexpr std::string_view kStores = "there are no stores of backups in that world";
  constexpr std::string_view kFollowers = "no continuous log is written in that world";
  static constexpr std::array<Unreachable, 33> kAll{
      {{"reason", "TlsMigration",
        "the fake etcd takes clients in one way, not with TLS and without at one address"},
       {"reason", "MemberVolumeGoing", "volumes there have no claims that somebody could delete"},
       {"reason", "UserCertificates", kAuthorities},
       {"reason", "AuthorityRotation", kAuthorities},
       {"reason", "RestoreLookup", kStores},
       {"reason", "RestoreLookupFailed", kStores},
       {"reason", "NoBackupFound", kStores},
       {"reason", "RestoredFromBackup", kStores},
       {"reason", "RestoreInPlace", kStores},
       {"reason", "RestoreRefused", kStores},
       {"reason", "BackupBeforeUpgrade", kStores},
       {"reason", "BackupDue", kStores},
       {"reason", "BackupRequested", kStores},
       {"reason", "BackupTaken", kStores},
       {"reason", "BackupFailed", kStores},
       {"reason", "BackupOverdue", kStores},
       {"reason", "BackupSuspended", kStores},
       {"reason", "SameFailureDomain", kStores},
       {"reason", "DrillDue", kStores},
       {"reason", "BackupProven", kStores},
       {"reason", "BackupDamaged", kStores},
       {"reason", "DrillFailed", kStores},
       {"reason", "DrillOverdue", kStores},
       {"reason", "ContinuousStart", kFollowers},
       {"reason", "ContinuousStop", kFollowers},
       {"reason", "ContinuousFailed", kFollowers},
       {"reason", "ContinuousBehind", kFollowers},
       {"reason", "ContinuousUnknown", kFollowers},
       {"action", "StartFollower", kFollowers},
       {"action", "EndFollower", kFollowers},
       {"action", "StartBackup", kStores},
       {"action", "StartDrill", kStores},
       {"action", "FetchBackup", kStores}}};
  return kAll;
}

std::vector<std::string> lacks_of(const Counts& counts, std::span<const Unreachable> list) {
  std::vector<std::string> out;
  const auto lines = lines_of(counts);
  for (const Line& line : lines) {
    const auto listed = std::ranges::find_if(
        list, [&](const Unreachable& u) { return u.group == line.group && u.name == line.name; });
    if (line.times == 0 && listed == list.end())
      out.push_back(fmt::format("never exercised: {} {}", line.group, line.name));
    if (line.times > 0 && listed != list.end())
      out.push_back(fmt::format("exercised, although it is listed as unreachable ({}): {} {}",
                                listed->why, line.group, line.name));
  }
  for (const Unreachable& u : list)
    if (std::ranges::none_of(lines,
                             [&](const Line& l) { return l.group == u.group && l.name == u.name; }))
      out.push_back(
          fmt::format("listed as unreachable, and there is no such thing: {} {}", u.group, u.name));
  return out;
}

}  // namespace sim::model
