// What is known to be wrong with versions of etcd, as data, and what follows from it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/version.h"

namespace api {

enum class HazardAction {
  kForbid,                // never start it
  kNoDefragment,          // never defragment
  kNoDefragmentCatchUp,   // not while a member catches up from a snapshot
  kNoSingleMember,        // not as the only member
  kNoNextMinor,           // first a newer patch, then the next minor
  kPromoteAtLeader,       // send MemberPromote to the leader
  kNoUpdateOfLearner,     // never MemberUpdate a learner
  kAddOnlyWhenAllUp,      // MemberAdd is refused while any voter is down
  kForceNewKeepsMembers,  // force-new-cluster leaves learners or removed members behind
  kAdvise                 // tell the user
};
std::string_view name_of(HazardAction action);

struct Hazard {
  std::string_view from, below;  // [from, below), "3.5.0" to "3.5.3"; an empty `from` is the first
  HazardAction action;
  std::string_view what;
  std::string_view source;  // issue, advisory or document of the etcd project
};

std::span<const Hazard> hazard_table();
std::vector<const Hazard*> hazards_of(const Version& version);
bool has_hazard(const Version& version, HazardAction action);

// The line of minor versions that this program knows.
struct MinorInfo {
  int major, minor;
  std::string_view newest;      // the patch to step to first
  std::string_view leave_from;  // from this patch on the next minor may follow; empty: none follows
  std::string_view why;         // of leave_from
};
std::span<const MinorInfo> minor_table();
std::optional<Version> newest_of_minor(const Version& version);  // none: unknown minor

// 3.7 cannot read log entries in the form of 3.5, which 3.6 writes as long as it runs beside 3.5.
// So 3.6 snapshots its log after this many entries (its own default is 10000), and 3.7 waits until
// the last such entry is behind a snapshot of every member.
inline constexpr int kSnapshotCountOf36 = 1000;

// Why this version may not run at all, with what may; no value: it may.
std::optional<std::string> check_version(const Version& version);

}  // namespace api
