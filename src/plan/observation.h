// What was seen of one cluster, as values. A failed look is unknown, never absent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/cluster.h"
#include "base/fact.h"
#include "base/ids.h"
#include "base/time.h"
#include "plan/store_jobs.h"

namespace plan {

struct Addresses {
  std::string peer_url, client_url, metrics_url;
  bool operator==(const Addresses&) const = default;
};

// What blank data means at the next start of a member.
enum class Permit { kBootstrap, kJoin, kData, kRestore };

enum class Process { kStopped, kStarting, kRunning, kBackoff };
// Of a member's volume, as its guard saw it. "Own" also while etcd runs on it.
enum class Data { kOwn, kBlank, kOlder, kForeign, kCorrupt, kNoMarker };
enum class End {  // what the last end of etcd meant
  kNone,
  kStopped,
  kRetry,
  kDataLost,
  kDataCorrupt,
  kForeign,
  kRemoved,
  kConfig,
  kNode,
  kNoVolume
};
struct Ending {
  End end = End::kNone;
  std::string text;  // etcd's own line
  base::Instant at{};
  std::uint32_t failures = 0;  // in a row
};

// The platform's facts of one member, keyed by its name ("c-3").
struct MemberFacts {
  base::Fact<Process> process;
  base::Fact<Data> data;               // kNoMarker and unknown are never proof of loss
  std::optional<Ending> ended;         // since the last start
  std::string version, template_hash;  // of the running process; empty: none
  // The last entry of its own log, and up to where that is committed, by its guard; 0: not known.
  std::uint64_t log_term = 0, log_index = 0, log_commit = 0;
  std::string origin;  // its guard's name for this very volume; empty: not known
  base::Fact<base::Instant> certificate_renew_at, certificate_expires;
  // The user's Secrets hold another leaf; another list of whom to trust, taken by a restart.
  bool certificate_replaced = false, trust_replaced = false;
  bool volume_going = false;  // its claim is being deleted: its data ends with its pod
  base::Fact<Permit> ticket;  // as its guard will read it; absent: none was written yet
  int ticket_members = 0;     // how many the member list in it names; 0: not known
};

struct EtcdMember {
  base::MemberId id;
  std::string name, peer_url;  // first peer URL
  bool started = false;        // it has published client URLs
  bool learner = false;
};
struct Membership {
  base::ClusterId cluster_id;
  std::vector<EtcdMember> members;
};
struct EtcdStatus {  // asked of that member itself
  base::ClusterId cluster_id;
  base::MemberId leader;  // 0: none
  std::string version, storage_version;
  std::int64_t revision = 0, db_size = 0, db_in_use = 0, db_quota = 0;
  std::uint64_t raft_term = 0, raft_index = 0, raft_applied = 0;
  bool learner = false;
};
enum class AlarmKind { kNoSpace, kCorrupt };
struct Alarm {
  base::MemberId member;
  AlarmKind kind = AlarmKind::kNoSpace;
};
struct Hash {
  std::uint32_t hash = 0;
  std::int64_t revision = 0, compact_revision = 0;
};

enum class Binary { kPresent, kFetching, kMissing };
// How the last step that was applied ended; the next plan may explain or slow down by it.
enum class Outcome { kDone, kRefused, kMayHaveHappened };
struct LastAct {
  std::string action;  // name_of(Action)
  Outcome outcome = Outcome::kDone;
  std::string text;
  base::Instant at{};
  std::uint32_t failures = 0;  // of this action in a row
  // It read bytes that fail their own check: tried again it would end the same way.
  bool damaged = false;
};

enum class RecordState { kOk, kNone, kTorn };

struct Observation {
  RecordState record_state = RecordState::kOk;  // kNone: no record, and the look was good
  std::string record_problem;
  // Data of members of this name that no record explains ("c-0 of incarnation x"): closes the
  // bootstrap gate. Unknown: the place could not be read.
  base::Fact<std::vector<std::string>> stray_data = std::vector<std::string>{};
  // Members of this name that run and that no record explains.
  base::Fact<std::vector<std::string>> stray_processes = std::vector<std::string>{};

  std::map<std::string, MemberFacts> members;  // by name, of every member in the record
  base::Fact<Membership> membership;           // by a linearizable read only
  std::map<base::MemberId, base::Fact<EtcdStatus>> statuses;
  base::Fact<base::Instant> quorum_read;  // when the last linearizable read succeeded
  base::Fact<std::vector<Alarm>> alarms;
  base::Fact<api::Version> cluster_version;
  std::map<base::MemberId, Hash> hashes;  // one revision for all; empty when not asked for

  std::map<std::string, base::Fact<Binary>> binaries;     // by version "3.5.12"
  base::Fact<base::Instant> client_certificate_renew_at;  // the user's and the operator's own
  bool client_certificate_replaced = false;               // as a member's
  // Why the user's Secrets, or a lost authority of ours, cannot be used; empty: all can.
  std::string user_certificates_problem;
  base::Fact<base::Instant> authority_renew_at;  // of the authority of ours that ends first
  bool client_certificate_published = false;
  base::Fact<bool> survivor_snapshot;  // of the recovery in the record: is it ready?
  std::string survivor_bound;          // words on what it holds: revision, index

  // Absent: this platform takes no backups, or does not look into stores.
  base::Fact<StoreJob> backup_job = base::Fact<StoreJob>::absent(),
                       drill_job = base::Fact<StoreJob>::absent(),
                       fetch_job = base::Fact<StoreJob>::absent();
  base::Fact<Follower> follower = base::Fact<Follower>::absent();  // absent: none is started here
  bool no_slot = false;                      // as many jobs of other clusters run as may
  std::vector<std::string> foreign_objects;  // why those under our names are not ours
  bool ephemeral_storage = false;            // what members write ends with their pods
  std::optional<LastAct> last;
  // Offers for new members, taken in order: free ordinals with addresses, and fresh random names.
  std::map<int, Addresses> addresses;
  std::string fresh_incarnation, fresh_operation;
  std::vector<std::string> fresh_volumes;
};

}  // namespace plan
