// One cluster on this machine.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "drivers/host/certificates.h"
#include "drivers/host/endpoints.h"
#include "drivers/host/shared.h"
#include "engine/driver.h"

namespace host {

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
  struct Call {
    const engine::Job& job;
    const std::stop_token& stop;
  };
  using Api = std::shared_ptr<etcd::EtcdApi>;
  using Done = engine::ApplyResult;

  // observe.cc: each fills its part.
  void see_files(const engine::Job& job, plan::Observation& seen);
  void see_offers(const engine::Job& job, plan::Observation& seen);
  void see_binaries(const Call& call, plan::Observation& seen);
  void see_statuses(const engine::Job& job, plan::Observation& seen);
  void see_cluster(const Call& call, plan::Observation& seen);
  bool see_cluster_at(const std::string& url, bool old, plan::Observation& seen);
  void see_version(const Call& call, plan::Observation& seen);
  void see_hashes(const engine::Job& job, plan::Observation& seen);
  void see_survivor(const engine::Job& job, plan::Observation& seen);
  base::Fact<std::vector<std::string>> stray_data(const engine::Job& job);

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
  base::Status put_aside(const std::string& member, const std::string& why, bool remove);
  // apply_etcd.cc
  Done act(const plan::AddLearner& a, const Call& call);
  Done act(const plan::PromoteMember& a, const Call& call);
  Done act(const plan::RemoveMember& a, const Call& call);
  Done act(const plan::MoveLeader& a, const Call& call);
  Done act(const plan::Compact& a, const Call& call);
  Done act(const plan::Defragment& a, const Call& call);
  Done act(const plan::DisarmAlarm& a, const Call& call);
  Done act(const plan::AdvanceLog& a, const Call& call);
  // survivor.cc
  Done act(const plan::SnapshotSurvivor& a, const Call& call);
  Done act(const plan::ExportSurvivor& a, const Call& call);
  base::Status export_copy(const plan::MemberRecord& member, const MemberFiles& files,
                           const RecoveryFiles& to, const Call& call);
  base::Status take_snapshot(etcd::EtcdApi& from, const RecoveryFiles& to, const Call& call);

  base::Status dial(const api::Tls& tls);  // certificates for the calls that follow
  // A live membership and the voter that gave it.
  struct Live {
    etcd::MemberList list;
    Api api;
  };
  base::Result<Live> live(const Call& call);
  base::Result<Api> leader(const Live& live, const Call& call);
  [[nodiscard]] MemberFiles files_of(const std::string& member) const {
    return shared_.layout.member(key_, member);
  }

  Shared& shared_;
  const base::ClusterKey key_;
  const ClusterFiles files_;
  Certificates certificates_;
  Endpoints endpoints_;
  std::optional<api::Version> cluster_version_;  // as last read from a member
};

}  // namespace host
