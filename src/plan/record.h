// The small durable memory of one cluster. What an irreversible call needs to be understood after a
// crash is stored here before the call.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/cluster.h"
#include "base/ids.h"
#include "base/time.h"
#include "plan/observation.h"
#include "plan/reason.h"

namespace plan {

enum class Formation {
  kNone,
  kForming,  // members may run; nothing is promised, all may be thrown away
  kLatched   // the cluster was seen formed: never `new` again
};
std::string_view name_of(Formation formation);
std::string_view name_of(Permit permit);

enum class Phase {
  kForming,   // a founding member before the latch
  kAdding,    // recorded before MemberAdd, until it is seen in the list
  kLearner,   // in the list; not yet a voter
  kVoter,     // it has voted; its data counts
  kRemoving,  // recorded before MemberRemove, until it is gone from the list
  kRetired,   // out of the cluster; its process and volume are still to be put away
  kSurvivor   // of an older incarnation; its data is kept until the new one is safe
};
std::string_view name_of(Phase phase);

struct MemberRecord {
  std::string name;
  int ordinal = 0;
  Addresses addresses;
  std::string volume, incarnation;
  std::string origin;  // of the volume on which it was seen to run; fixed once its data counts
  base::MemberId id;   // 0: not known yet
  Phase phase = Phase::kForming;
  Permit permit = Permit::kBootstrap;
  bool may_start = false;  // set and stored before the first exec; stopped on purpose: false
  bool ran = false;        // its process was seen: from then on blank data is a loss
  api::Version version;    // what it shall run
  std::string template_hash;
  // Its log held at least the audited index, and the pair when it has a term: what its guard noted
  // as committed, and the seen pair one look later, when it is surely on disk.
  std::uint64_t audited_term = 0, audited_index = 0, seen_term = 0, seen_index = 0;
  std::optional<base::Instant> unreachable_since;
  base::Instant started_at{};  // last (re)start by our hand
  bool operator==(const MemberRecord&) const = default;
};

enum class OperationKind {
  kBootstrap,
  kScaleUp,
  kScaleDown,
  kReplace,
  kRollout,
  kRecovery,
  kNoSpace,
  kCorrupt,
  kDefragment,
  kHibernate,
  kWake,
  kDelete,
  kRestore
};
std::string_view name_of(OperationKind kind);

struct Operation {
  std::string id;
  OperationKind kind = OperationKind::kBootstrap;
  std::string step;    // for people and for resuming; each concern lists its own in its .cc
  std::string member;  // the one it is about; empty: the cluster
  base::Instant started_at{}, deadline{};
  Reason reason = Reason::kConverged;
  bool halted = false;  // past its deadline or failed: waits for a spec edit or a cure
  std::string note;     // what a person should know
  bool operator==(const Operation&) const = default;
};

struct Recovery {  // a stored choice that is then carried out; another try may choose anew
  std::string operation, survivor, bound, old_incarnation;
  base::Instant chosen_at{};
  bool approved = false;              // by a person, who was told what is not proven
  std::set<std::string> vouched;      // out of sight when they approved: do not run any more
  std::map<std::string, int> failed;  // how often a try from this member's data came to nothing
  std::string failure;        // why the last try ended; not empty: it waits for a person's approval
  base::Instant looked_at{};  // in the last pass that went on with it; exact only in memory
  bool operator==(const Recovery&) const = default;
};

// New authorities come in by phases (rotation.cc).
enum class RotationPhase { kNone, kPrepare, kTrust, kReissue, kReissued, kDrop };
std::string_view name_of(RotationPhase phase);

struct Rotation {
  std::string id;       // what a person approves
  std::string request;  // of this rotation, or of the last: the same is not carried out again
  RotationPhase phase = RotationPhase::kNone;
  base::Instant since{};  // of the phase
  int trust = 0;          // counts what members were told to trust: a part of their template
  std::string wish;       // a person's, the last that was carried out
  bool operator==(const Rotation&) const = default;
};

struct Record {
  base::ClusterKey key;
  std::string incarnation, token;  // the token is never used twice
  std::string declared_by;         // the uid of the object, once it has begun; empty on hosts
  int epoch = 0;                   // counts recoveries and thrown-away formations
  Formation formation = Formation::kNone;
  base::ClusterId cluster_id;
  std::map<std::string, MemberRecord> members;  // by name
  std::set<std::string> strangers;              // voters that are not ours, in the last list
  int next_ordinal = 0;                         // ordinals are never used twice
  // The latched target; a spec edit replaces it while the operation waits or is halted.
  int size = 0;
  api::Version version;
  std::string template_hash;
  std::optional<Operation> operation;
  std::optional<Recovery> recovery;
  Rotation rotation;
  BackupRecord backup;
  DrillRecord drill;
  FollowRecord follow;
  RestoreRecord restore;
  InPlaceRecord in_place;
  bool hibernated = false, open_to_clients = false;
  std::set<std::string> old_tokens;  // the newest
  std::optional<base::Instant> quorum_lost_since;
  base::Instant last_quorum_read{};
  std::map<std::string, base::Instant> last_defragmented;  // by member name
  std::int64_t compacted_revision = 0;                     // by our own hand, to cure NOSPACE
  std::string bootstrap_source;                            // "new", "data", "survivor c-2"
  base::Instant bootstrapped_at{};
  std::uint64_t minor_since_index = 0;  // raft index seen when it rose; 0: it did not
  int highest_minor_seen = 0;           // of the cluster version: a step below it is a downgrade
  bool operator==(const Record&) const = default;
};

}  // namespace plan
