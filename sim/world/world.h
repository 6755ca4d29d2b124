// One cluster's world below the driver: etcd processes, machines, volumes, guards, certificates,
// the network, the stored record and time. A value: a copy goes its own way, and the same calls on
// equal worlds give equal worlds.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "api/status.h"
#include "base/ids.h"
#include "base/time.h"
#include "sim/world/api.h"
#include "sim/world/faults.h"
#include "sim/world/place.h"

namespace sim {

class Stores;

struct Settings {
  Timing timing;
  // False: no time passes during a call (the model); what is due then happens in the world's turn.
  bool waits = true;
  Timing::Span latency{base::Duration{1}, base::Duration{5}};  // of a call, there and back
  std::uint64_t seed = 1;
  base::Instant start = base::Instant(std::chrono::hours(24 * 365 * 50));
  static Settings instant();  // the model's: calls take no time, what is due waits to be settled
};

class World final : public Wire {
 public:
  explicit World(const Settings& settings);

  // ---- Wire ----
  Etcd& etcd() override { return etcd_; }
  [[nodiscard]] const Etcd& etcd() const { return etcd_; }
  [[nodiscard]] base::Instant now() const override { return now_; }
  void advance(base::Duration by) override;
  CallFault next_call(const std::string& url, std::string_view call) override;
  [[nodiscard]] base::Duration latency() override;
  [[nodiscard]] bool waits() const override { return settings_.waits && !in_parallel_; }

  // ---- time ----
  // Of the next thing that happens by itself; notes of logs do not count.
  [[nodiscard]] std::optional<base::Instant> next_event() const;
  void settle();  // what is due now
  // Calls that are made at the same time cost as much as the longest of them.
  void begin_parallel();
  void next_parallel();
  void end_parallel();
  unsigned long long draw();

  // ---- guards: what the platform asks of them, and what they do by themselves ----
  // The lock of the member is held.
  [[nodiscard]] bool is_alive(const std::string& member) const;
  void start_guard(const std::string& member);  // nothing if it is alive
  void stop_guard(const std::string& member);   // asks; it takes as long as etcd does
  void nudge_guard(const std::string& member);  // one that waits looks again now
  void note_logs();                             // every guard that watches notes its log's end

  // ---- what befalls machines, disks and the network; machine 0 is the operator's ----
  void kill_etcd(const std::string& member);   // its guard lives
  void kill_guard(const std::string& member);  // and so its etcd
  void crash_machine(int machine);             // until boot
  void boot_machine(int machine);
  [[nodiscard]] bool is_up(int machine) const;
  [[nodiscard]] bool reaches(int machine) const;  // the operator's calls get there
  // What is on it goes with it; its guard is killed first. Gives what was there.
  Volume take_volume(const std::string& member);
  void put_volume(const std::string& member, Volume volume);
  void lose_data(const std::string& member);  // the marker stays: proof of a loss
  void destroy(const std::string& member);    // the whole place, as by a deleted directory
  void set_disk(const std::string& member, Disk disk);
  void tear_record();
  // All of it, as after a deletion with its data: another cluster may take the name.
  void forget_cluster();

  // ---- certificates ----
  [[nodiscard]] int peer_authority(const std::string& incarnation);  // made on first use
  // Incarnations that have one; the number of the first is 2.
  [[nodiscard]] const std::vector<std::string>& authorities() const { return authorities_; }
  void set_leaves(const std::string& member, const Leaf& server, const Leaf& peer);

  // The volume with the data as it is on disk now, also while etcd runs.
  [[nodiscard]] Volume volume_of(const std::string& member) const;
  [[nodiscard]] const Process* process_of(const std::string& member) const;
  Place& place(const std::string& member);  // made on first use, on a machine of its own

  // Plain state. To change what a guard uses, use the calls above.
  std::map<std::string, Place> places;  // by member
  std::vector<Machine> machines;        // by number
  Faults faults;
  struct Record {
    File<std::string> bytes;
    std::uint64_t version = 0;  // counts the writes
  } record;
  std::set<std::string> binaries;           // versions that are there
  std::set<std::string> binaries_to_fetch;  // versions that a fetch would bring
  std::map<std::string, Saved> saved;       // by operation
  std::vector<std::string> retained;        // members whose places were moved aside
  Leaf operator_leaf, user_leaf;
  bool published = false;         // the users' client certificate
  File<api::ClusterStatus> told;  // the newest status
  std::uint64_t events_told = 0;
  std::uint64_t origins = 0;  // that guards have given to volumes
  // What outlives the cluster; null: there are no stores. A copy of a world shares it.
  Stores* stores = nullptr;

 private:
  friend class GuardLife;  // guard_life.cc
  void step_to(base::Instant at);
  [[nodiscard]] std::optional<base::Instant> next_due(bool notes) const;

  Settings settings_;
  Etcd etcd_;
  base::Instant now_;
  std::uint64_t random_;
  std::vector<std::string> authorities_;  // incarnations that have a peer CA
  bool in_parallel_ = false;
  base::Duration call_cost_{0}, longest_{0};
};

}  // namespace sim
