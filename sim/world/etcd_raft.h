// What happens between the processes of the fake etcd at one instant.
#pragma once

#include "sim/world/etcd.h"

namespace sim {

class Raft {
 public:
  Raft(Etcd& etcd, base::Instant now) : e_(etcd), now_(now) {}

  // After anything that can change who reaches whom, who leads or what is committed: lets all
  // messages travel, and sets what is due.
  void changed();
  // The same when none of that but the logs changed.
  void travel();
  // The first thing that is due at this instant.
  void happen();

  void begin(Process& p);  // a start whose time has come
  void end(Process& p, End why);
  void elect(Process& p);
  // Whom `p` would forward a request to; null: nobody it reaches.
  Process* leader_for(Process& p);
  // As the new last entry of the leader; travels with the next changed().
  Log propose(Process& leader, const Op& op);
  // Whether a change of the membership is on its way already: etcd makes the second one nothing.
  [[nodiscard]] static bool changing_members(const Process& leader);
  [[nodiscard]] base::Instant draw(const Timing::Span& span);
  // By the network, both ways.
  [[nodiscard]] bool reaches(const Process& from, const Process& to) const;
  // One that is not up yet reaches the peer port of another.
  [[nodiscard]] bool reaches_by_http(const Process& from, const Process& to) const;

 private:
  void relink();
  [[nodiscard]] bool should_link(const Process& a, const Process& b) const;
  [[nodiscard]] static bool dials(const Process& from, const Process& to, base::Instant now);
  void retire(Process& p, const Process& told_by);

  void run();
  bool drive(Process& leader);
  bool depose(Process& leader);
  bool replicate(Process& leader, Process& follower);
  bool commit(Process& leader);
  void applied(Process& p, const Log& before);
  bool publish(Process& leader, Process& p);
  void arm();
  void arm_leader(Process& p);
  void arm_follower(Process& p);
  void look_at_versions(Process& leader);
  [[nodiscard]] std::optional<Op> wanted_version(const Process& leader) const;
  [[nodiscard]] std::vector<Op> wanted_alarms(const Process& leader) const;

  // etcd_start.cc
  std::optional<End> start_with_data(Process& p);
  std::optional<End> start_new(Process& p);
  std::optional<End> start_existing(Process& p);
  std::optional<End> initial_check(const Process& p) const;
  const Process* answering_peer(const Process& p) const;

  Etcd& e_;
  base::Instant now_;
  bool relink_again_ = false;
  std::vector<Pid> over_quota_;
};

// The hash of a member's keys at a revision, as HashKV gives it.
std::uint32_t hash_at(const Process& p, std::int64_t revision);
constexpr std::int64_t kEmptyDb = 20480;  // bytes

}  // namespace sim
