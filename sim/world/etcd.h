// A fake etcd: all processes of a world, their logs and the network between them. A value: copying
// it copies pointers to immutable logs. No I/O, no threads, no clock: the caller says what time it
// is. What travels inside a cluster travels at once; what etcd waits for has a due time
// (next_event) and happens in settle().
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "sim/world/etcd_process.h"

namespace sim {

// How long things take. Each is drawn between `low` and `high`; `constant` takes `low`.
struct Timing {
  struct Span {
    base::Duration low, high;
  };
  Span start{base::Duration{100}, base::Duration{1000}},
      election{base::Duration{1000}, base::Duration{2000}},
      version{base::Duration{100}, base::Duration{4000}},
      exit{base::Duration{100}, base::Duration{1200}};
  base::Duration step_down{1000}, connected{5000}, timeout{7000};
  bool constant = false;
  static Timing instant();  // for the model: all of the first row due at once, `low` = 0
};

// A request that was sent and is answered when its entry is applied by the member that was asked.
struct Pending {
  Pid asked = 0;
  Log entry;           // null: it got lost on the way to the leader, or waits for one
  base::MemberId id;   // of an add, or who is to lead
  bool moves = false;  // the leader
};

enum class Rpc : std::uint8_t {
  kStatus,
  kMemberList,  // the member's own view
  kMemberListLinearizable,
  kAlarms,
  kHashKv,
  kRange,  // serializable
  kRangeLinearizable,
  kSnapshot,
  kPut,
  kMemberChange,
  kMoveLeader,
  kDefragment,
  kCompact,
  kDisarm,
  kDowngrade
};

template <class T>
using Reply = std::expected<T, Refusal>;

class Etcd {
 public:
  explicit Etcd(const Timing& timing = {}, std::uint64_t seed = 1) : timing_(timing), seed_(seed) {}

  // ---- processes ----
  // Never fails: a refused start is a process that has ended, or ends later.
  Pid start(Args args, Dir dir, base::Instant now);
  enum class Stop { kTerm, kKill };  // the first hands leadership over
  void stop(Pid pid, Stop how, base::Instant now);
  void pause(Pid pid, base::Instant now);
  void resume(Pid pid, base::Instant now);
  // Takes an ended process away and gives its directory back.
  Dir reap(Pid pid);
  [[nodiscard]] const std::vector<Process>& processes() const { return processes_; }
  [[nodiscard]] const Process* find(Pid pid) const;
  [[nodiscard]] const Process* at_client_url(const std::string& url) const;  // running there
  [[nodiscard]] const Process* leader_of(base::ClusterId cluster) const;     // highest term
  void set_leaf(Pid pid, bool peer, const Leaf& leaf, base::Instant now);
  void corrupt(Pid pid, std::uint32_t how, base::Instant now);  // its values, silently

  // ---- network: machines are numbers; what A sends does not reach B ----
  void cut(int from, int to, base::Instant now);
  void heal(int from, int to, base::Instant now);
  [[nodiscard]] bool is_cut(int from, int to) const;
  [[nodiscard]] const std::vector<std::pair<int, int>>& cuts() const { return cuts_; }

  // ---- time ----
  // Of the next thing that happens by itself; none if nothing does.
  [[nodiscard]] std::optional<base::Instant> next_event() const;
  // All that is due by `until`, in order, and the commit positions go to disk. False: nothing was.
  bool settle(base::Instant until);
  // For the model: who could win an election now, and to let one win.
  [[nodiscard]] std::vector<Pid> candidates() const;
  void elect(Pid pid, base::Instant now);

  // ---- requests to the process `pid`, as they come in at its client port ----
  // A refusal is the answer; a Pending is asked again until the caller's time is up.
  Reply<Pending> put(Pid pid, const std::string& key, const std::string& value, base::Instant now);
  Reply<Pending> member_add(Pid pid, const std::string& url, bool learner, base::Instant now);
  Reply<Pending> member_remove(Pid pid, base::MemberId id, base::Instant now);
  Reply<Pending> member_promote(Pid pid, base::MemberId id, base::Instant now);
  Reply<Pending> member_update(Pid pid, base::MemberId id, const std::string& url,
                               base::Instant now);
  Reply<Pending> compact(Pid pid, std::int64_t revision, base::Instant now);
  Reply<Pending> disarm(Pid pid, base::MemberId member, etcd::AlarmKind kind, base::Instant now);
  Reply<Pending> downgrade(Pid pid, etcd::DowngradeAction action, const std::string& version,
                           base::Instant now);
  Reply<Pending> set_auth(Pid pid, bool on, base::Instant now);
  Reply<Pending> move_leader(Pid pid, base::MemberId to, base::Instant now);
  Reply<void> defragment(Pid pid);
  [[nodiscard]] bool done(const Pending& pending) const;  // answered, by entry->refusal
  [[nodiscard]] bool can_read(Pid pid) const;             // linearizably, now
  // Why a request of `user` is refused before it is looked at: no leader, a learner, auth.
  [[nodiscard]] Reply<void> admits(Pid pid, Rpc rpc, const std::string& user) const;

  [[nodiscard]] Reply<etcd::Hash> hash_kv(Pid pid, std::int64_t revision) const;
  [[nodiscard]] etcd::MemberStatus status(Pid pid) const;
  [[nodiscard]] etcd::MemberList member_list(Pid pid) const;
  [[nodiscard]] Reply<etcd::RangeResult> range(Pid pid, const std::string& key,
                                               const std::string& range_end,
                                               std::int64_t revision) const;

  // Voters of `pid`'s configuration that it was connected to for the guard's five seconds.
  [[nodiscard]] int connected(Pid pid, base::Instant now) const;
  [[nodiscard]] bool linked(const Process& a, const Process& b) const;
  [[nodiscard]] bool has_quorum(const Process& leader) const;
  // Itself, or the leader that it follows and reaches; null: none.
  [[nodiscard]] const Process* leader_seen_by(const Process& p) const;
  [[nodiscard]] bool can_win(const Process& candidate) const;
  [[nodiscard]] const Timing& timing() const { return timing_; }

 private:
  friend class Raft;

  Process* mine(Pid pid);
  Reply<Pending> send(Process& p, const Op& op, base::Instant now);

  struct Link {
    Pid a = 0, b = 0;
    base::Instant since{};
  };
  Timing timing_;
  std::uint64_t seed_;
  Pid last_pid_ = 0;
  std::vector<Process> processes_;  // in order of pid
  std::vector<Link> links_;
  std::vector<std::pair<int, int>> cuts_;
};

}  // namespace sim
