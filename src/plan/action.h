// What a plan can ask of a driver. Each is idempotent or has an observable effect by which "may
// have happened" is settled; nothing here says how a platform does it.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "plan/observation.h"
#include "plan/reason.h"

namespace plan {

// Idempotent writes.
struct PrepareMember {
  std::string member;
};  // directory, volume, certificates, addresses
struct StartMember {
  std::string member;
};  // ticket from the record, then its process
struct WriteTicket {
  std::string member;
};  // ticket from the record, the process goes on
struct IssueCertificates {
  std::vector<std::string> members;
  bool client = false;
};
struct OpenToClients {};  // publish the users' client certificate
struct FetchBinary {
  std::string version;
};
// Entries that change nothing: until the log reaches this index, so that etcd writes a raft
// snapshot; one for 0, so that a quorum of disks tells all that was committed before it.
struct AdvanceLog {
  std::uint64_t index = 0;
};
// Each member's record once more, as it is, into the stores of all members.
struct RewriteMembers {};
struct PutAside {
  std::string member;
  bool delete_data = false;
};  // after it is retired; afterwards the facts of its process and data are absent
struct DeleteCluster {
  bool delete_data = false;
};  // after every member stopped
struct DiscardFormation {};  // before the latch: stop and put away every forming member

// Changes of membership, leadership or data: at most one in a plan.
struct StopMember {
  std::string member;
};
struct AddLearner {
  std::string member, peer_url;
};
struct PromoteMember {
  std::string member;
  base::MemberId id;
};
struct RemoveMember {
  std::string member;
  base::MemberId id;
};  // member: "" if not ours
struct MoveLeader {
  base::MemberId from, to;
};
struct Compact {
  std::int64_t revision = 0;
};
struct Defragment {
  std::string member;
  base::MemberId id;
};
struct DisarmAlarm {
  base::MemberId id;
  AlarmKind kind = AlarmKind::kNoSpace;
};
struct SnapshotSurvivor {
  std::string member;
};  // from the running process, before it is stopped
struct ExportSurvivor {
  std::string member;
};  // from its volume, its process is stopped
struct NewPeerAuthority {
};  // fence: the record's incarnation gets its own, once; no old peer counts

struct StartBackup {
  int epoch = 0;
};  // a job of its own that ends by itself; the look tells how
struct StartDrill {
  int epoch = 0;
};  // the same; it reads the store, and marks what it found out
struct FetchBackup {
  int epoch = 0;
};  // the same; what it fetches is kept for the member that begins with it
struct StartFollower {
  int epoch = 0;
};  // in place of the one that runs, if one does; it goes on where that one's log ends
struct EndFollower {};
using Action =
    std::variant<PrepareMember, StartMember, WriteTicket, IssueCertificates, OpenToClients,
                 FetchBinary, AdvanceLog, RewriteMembers, PutAside, DeleteCluster, DiscardFormation,
                 StopMember, AddLearner, PromoteMember, RemoveMember, MoveLeader, Compact,
                 Defragment, DisarmAlarm, SnapshotSurvivor, ExportSurvivor, NewPeerAuthority,
                 StartBackup, StartDrill, FetchBackup, StartFollower, EndFollower>;

std::string_view name_of(const Action& action);  // "AddLearner"
std::string to_text(const Action& action);       // "AddLearner c-3 https://…": for transcripts
// It can change membership, stop a member or touch data.
bool is_disruptive(const Action& action);

}  // namespace plan
