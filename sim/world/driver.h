// engine::Driver over a world: the etcd half and the judgement of what was found are the shipping
// code's (drivers/live), as are tickets (drivers/host/ticket.h) and the record's codec; the files
// and processes are the world's.
#pragma once

#include <memory>
#include <string>

#include "drivers/live/cluster.h"
#include "engine/fault_points.h"
#include "sim/world/stores.h"
#include "sim/world/world.h"

namespace sim {

// The world's time and numbers, for a Reconciler. The world must outlive them.
class WorldClock final : public base::Clock {
 public:
  explicit WorldClock(const World& world) : world_(world) {}
  [[nodiscard]] base::Instant now() const override { return world_.now(); }
  [[nodiscard]] base::Tick tick() const override {
    return base::Tick(world_.now().time_since_epoch());
  }

 private:
  const World& world_;
};

class WorldRandom final : public base::Random {
 public:
  explicit WorldRandom(World& world) : world_(world) {}
  [[nodiscard]] unsigned long long next() override { return world_.draw(); }

 private:
  World& world_;
};

// What one operator's driver remembers; a value, to go on in a copy of the world.
struct DriverMemory {
  std::uint64_t record_version = 0;  // of the record that it read or wrote last
};

class SimDriver final : public engine::Driver, private live::Surroundings {
 public:
  // `world` must outlive it, and `inner`, which may be null: told at points between two effects of
  // one action ("StartMember.ticket").
  SimDriver(World& world, base::ClusterKey key, DriverMemory memory = {},
            engine::FaultInjector* inner = nullptr);

  base::Result<engine::Loaded> load_record() override;
  base::Status save_record(const plan::Record& record) override;
  plan::Observation observe(const engine::Job& job, bool want_hashes,
                            const std::stop_token& stop) override;
  engine::ApplyResult apply(const plan::Step& step, const engine::Job& job,
                            const std::stop_token& stop) override;
  base::Status publish(const api::ClusterStatus& status,
                       std::span<const plan::Event> events) override;

  [[nodiscard]] const DriverMemory& memory() const { return memory_; }

 private:
  using Call = live::Call;
  using Done = engine::ApplyResult;

  // live::Surroundings
  base::Result<etcd::Tls> credentials(const api::Tls& tls) override;
  std::optional<api::Version> cluster_version(const plan::MemberRecord& member,
                                              base::Duration deadline,
                                              const std::stop_token& stop) override;
  void together(std::span<const std::function<void()>> calls) override;

  // driver_look.cc
  plan::MemberFacts look_at(const plan::MemberRecord& member) const;
  void see_places(const engine::Job& job, plan::Observation& seen) const;
  void see_offers(const engine::Job& job, plan::Observation& seen);
  void see_binaries(const engine::Job& job, plan::Observation& seen) const;

  // driver_act.cc
  Done act(const plan::PrepareMember& a, const Call& call);
  Done act(const plan::StartMember& a, const Call& call);
  Done act(const plan::WriteTicket& a, const Call& call);
  Done act(const plan::StopMember& a, const Call& call);
  Done act(const plan::IssueCertificates& a, const Call& call);
  Done act(const plan::OpenToClients& a, const Call& call);
  Done act(const plan::FetchBinary& a, const Call& call);
  Done act(const plan::PutAside& a, const Call& call);
  Done act(const plan::DeleteCluster& a, const Call& call);
  Done act(const plan::DiscardFormation& a, const Call& call);
  Done act(const plan::NewPeerAuthority& a, const Call& call);
  Done act(const plan::StartBackup& a, const Call& call);
  Done act(const plan::StartDrill& a, const Call& call);
  Done act(const plan::FetchBackup& a, const Call& call);
  Done act(const plan::StartFollower& a, const Call& call);
  Done act(const plan::EndFollower& a, const Call& call);
  Done start_job(Stores::Kind kind, int epoch, const Call& call);
  // driver_survivor.cc
  void see_saved(const engine::Job& job, plan::Observation& seen) const;
  Done act(const plan::SnapshotSurvivor& a, const Call& call);
  Done act(const plan::ExportSurvivor& a, const Call& call);
  bool adopt_export(const plan::MemberRecord& member, const plan::Record& record);
  std::string other_way(const plan::MemberRecord& member, const plan::Record& record,
                        const Dir& data);

  base::Status prepare(const std::string& member, const Call& call);
  base::Status write_ticket(const plan::MemberRecord& member, const Call& call);
  base::Status stop(const std::string& member, base::Duration deadline);
  base::Status put_aside(const std::string& member);
  void issue(const std::string& member, const std::string& incarnation, const api::Tls& tls);
  void issue_operator(const api::Tls& tls);
  [[nodiscard]] base::Status reach(const std::string& member) const;  // its machine answers
  void between(std::string_view point);

  World& world_;
  const base::ClusterKey key_;
  DriverMemory memory_;
  engine::FaultInjector* inner_;
  WorldClock clock_;
  live::Cluster etcd_;
};

// The points of which `inner` is told.
std::span<const std::string_view> inner_points();

// Of the recovery in the record; empty: none.
std::string operation_of(const plan::Record& record);

// The addresses that a member of this ordinal gets.
plan::Addresses addresses_of(const base::ClusterKey& key, int ordinal, bool tls);

}  // namespace sim
