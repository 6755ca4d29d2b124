// One cluster on this machine.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "archive/job.h"
#include "drivers/host/certificates.h"
#include "drivers/host/shared.h"
#include "drivers/host/store_jobs.h"
#include "drivers/host/survivor.h"
#include "drivers/live/cluster.h"
#include "engine/driver.h"

namespace host {

// This machine, as the etcd half needs it. A thread for each call but one.
class Around final : public live::Surroundings {
 public:
  explicit Around(Certificates& certificates) : certificates_(certificates) {}
  base::Result<etcd::Tls> credentials(const api::Tls& tls) override;
  std::optional<api::Version> cluster_version(const plan::MemberRecord& member,
                                              base::Duration deadline,
                                              const std::stop_token& stop) override;
  void together(std::span<const std::function<void()>> calls) override;

 private:
  Certificates& certificates_;
};

class HostDriver final : public engine::Driver {
 public:
  // `shared` must outlive it.
  HostDriver(Shared& shared, base::ClusterKey key);

  base::Result<engine::Loaded> load_record() override;
  base::Status save_record(const plan::Record& record) override;
  plan::Observation observe(const engine::Job& job, bool want_hashes,
                            const std::stop_token& stop) override;
  engine::ApplyResult apply(const plan::Step& step, const engine::Job& job,
                            const std::stop_token& stop) override;
  base::Status publish(const api::ClusterStatus& status,
                       std::span<const plan::Event> events) override;

 private:
  using Call = live::Call;
  using Api = std::shared_ptr<etcd::EtcdApi>;
  using Done = engine::ApplyResult;

  base::Status keep_damaged();
  [[nodiscard]] base::Result<engine::Loaded> load_ended() const;
  base::Status append(std::span<const plan::Event> events);
  void take_certificates(const engine::Job& job);
  // observe.cc: each fills its part.
  void see_files(const engine::Job& job, plan::Observation& seen);
  void see_offers(const engine::Job& job, plan::Observation& seen);
  void see_binaries(const Call& call, plan::Observation& seen);
  void see_survivor(const engine::Job& job, plan::Observation& seen);
  void see_strays(const engine::Job& job, plan::Observation& seen);

  // apply_files.cc
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
  base::Status write_ticket(const plan::MemberRecord& member, const Call& call);
  // Gives the name under retained/; empty: nothing is there.
  base::Result<std::string> put_aside(const std::string& member, const std::string& why,
                                      bool remove);
  base::Status keep_only(const std::string& newest,
                         const std::function<bool(const std::string&)>& may_go);
  [[nodiscard]] bool is_superseded(const std::string& folder, const plan::Record& record) const;
  // backups.cc
  void see_backup(plan::Observation& seen);
  Done act(const plan::StartBackup& a, const Call& call);
  base::Status start_backup(int epoch, const Call& call);
  [[nodiscard]] base::Result<api::Secret> secret_of(const std::string& name) const;
  base::Result<archive::Common> store_of(const api::ObjectLocation* at, const JobFiles& files,
                                         PrivateFiles& secrets) const;
  base::Status add_encryption_key(const api::Backup& wish, const JobFiles& files,
                                  archive::Common& to, PrivateFiles& secrets) const;
  base::Status add_tls(const api::Tls& wish, const JobFiles& files, archive::RunJob& to,
                       PrivateFiles& secrets);
  // follower.cc
  struct FollowInputs;
  void see_follower(const engine::Job& job, plan::Observation& seen);
  base::Result<FollowInputs> follow_inputs(int epoch, const engine::Job& job);
  Done act(const plan::StartFollower& a, const Call& call);
  Done act(const plan::EndFollower& a, const Call& call);
  base::Status start_follower(int epoch, const Call& call);
  base::Status end_follower(const std::stop_token& stop);
  // drills.cc
  void see_drill(plan::Observation& seen);
  Done act(const plan::StartDrill& a, const Call& call);
  base::Status start_drill(int epoch, const Call& call);
  base::Status end_drill(const std::stop_token& stop);
  // backups.cc
  void see_fetch(const engine::Job& job, plan::Observation& seen);
  Done act(const plan::FetchBackup& a, const Call& call);
  base::Status start_fetch(int epoch, const Call& call);
  base::Result<archive::Common> source_of(const engine::Job& job, const JobFiles& files) const;
  base::Status drop_fetched();
  void not_cleared(const base::Error& why);
  base::Status end_jobs(const std::stop_token& stop);
  // survivor.cc
  Done act(const plan::SnapshotSurvivor& a, const Call& call);
  Done act(const plan::ExportSurvivor& a, const Call& call);
  base::Result<RunningSnapshot> export_copy(const plan::MemberRecord& member,
                                            const MemberFiles& files, const RecoveryFiles& to,
                                            const Call& call);
  bool adopt_export(const plan::MemberRecord& member, const RecoveryFiles& to);
  base::Status copy_data(const MemberFiles& files, const RecoveryFiles& to, const Call& call,
                         std::uint64_t all);
  base::Status take_snapshot(etcd::EtcdApi& from, const RecoveryFiles& to, const Call& call,
                             const RunningSnapshot* running);
  std::string other_way(const plan::MemberRecord& member, const MemberFiles& files,
                        const RecoveryFiles& to, const plan::Record& record);
  void adopt_snapshot(const plan::MemberRecord& member, const RecoveryFiles& to,
                      const base::Result<std::uint64_t>& last);

  [[nodiscard]] MemberFiles files_of(const std::string& member) const {
    return shared_.layout.member(key_, member);
  }

  Shared& shared_;
  const base::ClusterKey key_;
  const ClusterFiles files_;
  Certificates certificates_;
  Around around_;
  live::Cluster etcd_;
  // The bytes on disk of which the record was rebuilt: beside it, as record.damaged-N, before it is
  // written.
  std::optional<std::string> damaged_;
  bool ended_ = false;   // deleted with its data: the newest record is the rest of it
  size_t appended_ = 0;  // how many of the events of a publish that failed are in the file
};

}  // namespace host
