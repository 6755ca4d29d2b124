// The replicated log of the fake etcd. Entries and the states they lead to are immutable and shared
// by all replicas and by all copies of a world, so that a replica is two pointers, and a blank,
// older, cut or foreign data directory is just another entry.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "etcd/api.h"
#include "etcd/errors.h"

namespace sim {

struct Refusal {  // etcd's own words, with the code on the wire
  etcd::GrpcCode code = etcd::GrpcCode::kOk;
  std::string text;
  bool operator==(const Refusal&) const = default;
};

struct Membership {
  base::ClusterId cluster;
  std::vector<etcd::Member> members;  // sorted by id
  std::vector<base::MemberId> removed;
  [[nodiscard]] const etcd::Member* find(base::MemberId id) const;
  [[nodiscard]] bool was_removed(base::MemberId id) const;
  [[nodiscard]] size_t voters() const;
};

// One write, and through `before` all writes until then.
struct Put {
  std::string key, value;
  std::int64_t revision = 0;
  std::uint64_t digest = 0;  // of the history up to here
  std::shared_ptr<const Put> before;
  Put() = default;
  Put(const Put&) = delete;
  Put& operator=(const Put&) = delete;
  ~Put();
};
using Puts = std::shared_ptr<const Put>;

// What an entry leads to, the same on every member that applied it.
struct State {
  std::shared_ptr<const Membership> membership;
  Puts puts;
  std::int64_t revision = 1;
  std::int64_t compacted = -1;  // revision; -1: never
  std::int64_t live_bytes = 0;  // of all revisions that were not compacted
  std::vector<etcd::Alarm> alarms;
  int cluster_minor = 0;    // of the cluster version 3.x; 0: not decided
  int downgrade_minor = 0;  // of the target while a downgrade is enabled; 0: none
  bool auth = false;
  [[nodiscard]] bool has_alarm(etcd::AlarmKind kind) const;
  [[nodiscard]] std::uint64_t digest() const { return puts ? puts->digest : 0; }
};

enum class OpKind : std::uint8_t {
  kBoot,     // the founding members, one entry for all of their changes
  kRestore,  // the same with the data of a snapshot
  kNothing,  // the first entry of a leader, or a request that changes nothing
  kPut,
  kAdd,
  kRemove,
  kPromote,
  kUpdate,
  kPublish,  // a member tells its name and client URL
  kCompact,
  kRaise,
  kDisarm,
  kClusterVersion,
  kDowngrade,
  kAuth
};

struct Op {
  OpKind kind = OpKind::kNothing;
  base::MemberId member = {};  // whom it is about
  // put: key, value; add, update: peer URL; publish: name, client URL
  std::string text = {}, more = {};
  std::int64_t number = 0;  // compact: revision; cluster version, downgrade: minor; auth: 0 or 1
  bool learner = false;
  etcd::AlarmKind alarm = etcd::AlarmKind::kNone;
};

struct Entry;
using Log = std::shared_ptr<const Entry>;  // the newest entry; null: an empty log

struct Entry {
  std::uint64_t term = 0, index = 0;
  std::uint64_t id = 0;        // equal for two entries of one content and one history
  std::uint64_t old_form = 0;  // index of the newest entry in the form of 3.5; 0: none (ADR 0010)
  Op op;
  Refusal refusal;  // what its client is told; kOk: it took effect
  Log parent;
  std::shared_ptr<const State> state;  // after it; never null
  Entry() = default;
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  ~Entry();
};

inline std::uint64_t index_of(const Log& log) {
  return log ? log->index : 0;
}
inline std::uint64_t term_of(const Log& log) {
  return log ? log->term : 0;
}
const State& state_of(const Log& log);  // of an empty log: no members, revision 1

// `log` and one entry more. `writer_minor` is of the etcd that proposes it.
Log append(const Log& log, std::uint64_t term, const Op& op, int writer_minor);
// The first entry of a cluster: `founders` are their names and peer URLs. `from`: restored data.
Log boot(std::vector<etcd::Member> founders, base::ClusterId cluster,
         const std::shared_ptr<const State>& from = nullptr);
// The newest entry at or below `index`; null: the empty log.
Log at(const Log& log, std::uint64_t index);
// Whether `log` holds this very entry.
bool holds(const Log& log, const Log& entry);
// What follower `mine` has after leader `theirs` sent all of its entries: raft compares no more
// than terms and indexes, so that a twin's entries of the same term are taken for its own.
Log follow(const Log& mine, const Log& theirs, int minor);

}  // namespace sim
