// What a recorder of a cluster's history asks of one member: every change of every key as the
// member stores it, and what changes do not tell (leases, users).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "etcd/api.h"

namespace etcd {

struct Event {
  bool deleted = false;
  // An mvccpb.KeyValue: of a put the very bytes that the member stores; of a deletion key and
  // revision.
  std::string kv;
};

// Whole revisions, in order; within one, in the order of its changes.
struct Batch {
  // Without events: all up to this revision has been given. With them: where the member was when it
  // sent this; what is between them and it is still to come.
  std::int64_t revision = 0;
  base::ClusterId cluster_id;
  std::vector<Event> events;
};

// For one thread. After an error there is nothing more of it.
class Watch {
 public:
  virtual ~Watch() = default;
  // Waits for at most `wait`; no value: nothing came. NotFound: history before some revision was
  // compacted away, see compacted(). Unavailable: the stream has ended; ask another member.
  virtual base::Result<std::optional<Batch>> next(base::Duration wait) = 0;
  // Asks for a batch without events that tells how far this is.
  virtual void ask_progress() = 0;
  [[nodiscard]] virtual std::int64_t compacted() const = 0;  // 0: not
};

struct AuthState {
  bool enabled = false;
  std::uint64_t revision = 0;
  std::int64_t store_revision = 0;  // of the keys, at that moment
};

// Thread-safe. Each call goes to one member, once.
class HistoryApi {
 public:
  virtual ~HistoryApi() = default;
  // Of all keys, beginning with the changes of revision `from`. Ends by itself where the member
  // loses its leader.
  virtual base::Result<std::unique_ptr<Watch>> watch(std::int64_t from,
                                                     base::Duration deadline) = 0;
  // What the lease was granted for, in seconds; no value: there is no such lease.
  virtual base::Result<std::optional<std::int64_t>> granted_ttl(std::int64_t lease,
                                                                base::Duration deadline) = 0;
  // Unimplemented before 3.5.
  virtual base::Result<AuthState> auth(base::Duration deadline) = 0;
};

// `endpoint` and `tls` as of connect() in api.h.
std::unique_ptr<HistoryApi> connect_history(const std::string& endpoint, const Tls& tls);

}  // namespace etcd
