// What we ask of one etcd cluster. One call goes to one endpoint, once: no retries and no failover
// here, the caller decides. Every call has a deadline.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace etcd {

// The outcome of a call that changes something.
enum class Outcome {
  kDone,
  kRefused,         // etcd said no: nothing changed
  kMayHaveHappened  // no answer, or an answer that does not tell: look before repeating
};

struct Failure {
  Outcome outcome = Outcome::kRefused;
  base::Error error;  // etcd's own text, with its canonical code
};
template <class T>
using Change = std::expected<T, Failure>;

struct Member {
  base::MemberId id;
  std::string name;  // empty: it has never started
  std::vector<std::string> peer_urls;
  std::vector<std::string> client_urls;  // empty: it has never started
  bool learner = false;
};

struct MemberList {
  base::ClusterId cluster_id;
  base::MemberId answered_by;
  std::vector<Member> members;  // sorted by id
};

struct MemberStatus {
  base::ClusterId cluster_id;
  base::MemberId id;
  base::MemberId leader;        // 0: none known
  std::string version;          // "3.5.12"
  std::string storage_version;  // empty before 3.6
  std::int64_t revision = 0, db_size = 0, db_in_use = 0;
  std::int64_t db_quota = 0;  // 0: not told (before 3.6)
  std::uint64_t raft_term = 0, raft_index = 0, raft_applied = 0;
  bool learner = false;
  std::vector<std::string> errors;
};

enum class AlarmKind { kNone, kNoSpace, kCorrupt };
struct Alarm {
  base::MemberId member;  // 0 is possible: 3.5 raises CORRUPT without a member
  AlarmKind kind = AlarmKind::kNone;
};

struct Hash {
  std::uint32_t hash = 0;
  std::int64_t compact_revision = 0;  // -1: never compacted
  std::int64_t revision = 0;          // the revision that was asked for
};

struct KeyValue {
  std::string key, value;
  std::int64_t create_revision = 0, mod_revision = 0, version = 0;
};
struct RangeResult {
  std::int64_t revision = 0, count = 0;
  std::vector<KeyValue> kvs;
};

enum class DowngradeAction { kValidate, kEnable, kCancel };

// PEM texts; empty ca means plain text.
struct Tls {
  std::string ca, cert, key;
  // The name checked in the server's certificate instead of the dialled host; empty: the host.
  std::string server_name;
};

// Thread-safe. Reads give Result; changes give Change with one of three outcomes.
class EtcdApi {
 public:
  virtual ~EtcdApi() = default;

  virtual base::Result<MemberList> member_list(bool linearizable, base::Duration deadline) = 0;
  virtual base::Result<MemberStatus> status(base::Duration deadline) = 0;
  virtual base::Result<std::vector<Alarm>> alarms(base::Duration deadline) = 0;
  virtual base::Result<Hash> hash_kv(std::int64_t revision, base::Duration deadline) = 0;
  // An empty range_end reads one key; serializable reads the member's own copy.
  virtual base::Result<RangeResult> range(const std::string& key, const std::string& range_end,
                                          bool serializable, std::int64_t revision,
                                          base::Duration deadline) = 0;
  // A linearizable read of one key: proof of a quorum at this moment. Gives the revision.
  virtual base::Result<std::int64_t> quorum_read(base::Duration deadline) = 0;
  // Streams db + SHA-256 trailer; a false from sink stops it with Cancelled.
  virtual base::Status snapshot(const std::function<bool(std::string_view)>& sink,
                                base::Duration deadline) = 0;

  virtual Change<std::int64_t> put(const std::string& key, const std::string& value,
                                   base::Duration deadline) = 0;  // gives the revision
  virtual Change<Member> member_add(const std::string& peer_url, bool learner,
                                    base::Duration deadline) = 0;
  virtual Change<void> member_remove(base::MemberId id, base::Duration deadline) = 0;
  virtual Change<void> member_promote(base::MemberId id, base::Duration deadline) = 0;
  virtual Change<void> member_update(base::MemberId id, const std::string& peer_url,
                                     base::Duration deadline) = 0;
  virtual Change<void> move_leader(base::MemberId to, base::Duration deadline) = 0;
  virtual Change<void> defragment(base::Duration deadline) = 0;
  virtual Change<void> compact(std::int64_t revision, bool physical, base::Duration deadline) = 0;
  virtual Change<void> disarm(base::MemberId member, AlarmKind kind, base::Duration deadline) = 0;
  virtual Change<void> downgrade(DowngradeAction action, const std::string& version,
                                 base::Duration deadline) = 0;
};

// `endpoint` is "127.0.0.1:2379", "https://127.0.0.1:2379" or "unix:/a/socket". Connects on first
// use.
std::unique_ptr<EtcdApi> connect(const std::string& endpoint, const Tls& tls);

// Waits until gRPC's own threads have ended the connections that were closed, five seconds at most:
// they use TLS, which a process takes away under them when it ends before. The last that a main()
// does. Precondition: nothing is connected any more.
void wait_for_closed_connections();

}  // namespace etcd
