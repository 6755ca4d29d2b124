// One cluster on Kubernetes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/names.h"
#include "drivers/kube/certificates.h"
#include "drivers/kube/objects.h"
#include "drivers/kube/shared.h"
#include "drivers/kube/sight.h"
#include "drivers/kube/status.h"
#include "drivers/kube/store_jobs.h"
#include "drivers/live/cluster.h"
#include "kube/events.h"

namespace k8s {

class KubeDriver final : public ClusterDriver, private live::Surroundings {
 public:
  // `shared` must outlive it.
  KubeDriver(Shared& shared, base::ClusterKey key);

  base::Result<engine::Loaded> load_record() override;
  base::Status save_record(const plan::Record& record) override;
  plan::Observation observe(const engine::Job& job, bool want_hashes,
                            const std::stop_token& stop) override;
  engine::ApplyResult apply(const plan::Step& step, const engine::Job& job,
                            const std::stop_token& stop) override;
  base::Status publish(const api::ClusterStatus& status,
                       std::span<const plan::Event> events) override;
  base::Status tend(const engine::Job& job, const std::stop_token& stop) override;
  void tell(bool warning, std::string_view reason, const std::string& message) override;

 private:
  using Call = live::Call;
  using Done = engine::ApplyResult;
  using Value = json::Value;
  // live::Surroundings
  base::Result<etcd::Tls> credentials(const api::Tls& tls) override;
  std::optional<api::Version> cluster_version(const plan::MemberRecord& member,
                                              base::Duration deadline,
                                              const std::stop_token& stop) override;
  void together(std::span<const std::function<void()>> calls) override;
  base::Duration may_change_for(base::Duration at_most) override;
  base::Result<plan::Record> rebuild_record();
  // observe.cc
  [[nodiscard]] Sight look_at(const plan::MemberRecord& member, const api::Cluster& cluster) const;
  void confirm_loss(const plan::MemberRecord& member, const Call& call, Sight& sight);
  // Why its set cannot make its pod, in the server's words; empty: it can, or nobody says.
  std::string refusal_of(const plan::MemberRecord& member, const Sight& sight, const Call& call);
  void see_members(const Call& call, plan::Observation& seen);
  void see_certificates(const Call& call, plan::Observation& seen);
  void see_offers(const engine::Job& job, plan::Observation& seen);
  using Names = base::Fact<std::vector<std::string>>;
  [[nodiscard]] Names stray_processes(const engine::Job& job) const;
  [[nodiscard]] Names stray_data(const engine::Job& job) const;
  // With client addresses as they are dialled: by pod IP, the member's name behind it.
  [[nodiscard]] plan::Record dialled(const plan::Record& record) const;

  // apply_members.cc
  Done act(const plan::PrepareMember& a, const Call& call);
  Done act(const plan::StartMember& a, const Call& call);
  Done act(const plan::WriteTicket& a, const Call& call);
  Done act(const plan::StopMember& a, const Call& call);
  base::Status prepare(const plan::MemberRecord& member, const Call& call);
  base::Status prepare_claim(const plan::MemberRecord& member, const Call& call);
  base::Status put_set(const plan::MemberRecord& member, bool start, const Call& call);
  base::Result<guard::Ticket> make_ticket(const plan::MemberRecord& member,
                                          const std::optional<Value>& set, const Call& call);
  base::Status hand_over(const plan::MemberRecord& member, const Value& set, const Call& call);
  base::Status stop_pod(const std::string& member, bool guarded, const Call& call);
  base::Status wait_for_end(const std::string& member, base::Tick until, const Call& call);
  base::Status wait_for_notice(const std::string& member, const Call& call);

  // apply_cluster.cc
  Done act(const plan::IssueCertificates& a, const Call& call);
  Done act(const plan::OpenToClients& a, const Call& call);
  Done act(const plan::FetchBinary& a, const Call& call);
  Done act(const plan::PutAside& a, const Call& call);
  Done act(const plan::DeleteCluster& a, const Call& call);
  Done act(const plan::DiscardFormation& a, const Call& call);
  Done act(const plan::NewPeerAuthority& a, const Call& call);
  Done act(const plan::SnapshotSurvivor& a, const Call& call);
  Done act(const plan::ExportSurvivor& a, const Call& call);
  base::Status check_survivor(const Call& call);
  base::Status check_source(const Call& call);  // of what a member is restored from
  Done remove_member(const plan::RemoveMember& a, const Call& call, const Call& at);
  base::Status mark_claim(const std::string& member, const std::string& volume,
                          render::VolumeState state, const std::stop_token& stop);
  base::Status put_away(const std::string& member, bool delete_data, const Call& call);
  // tend.cc
  base::Status keep_shared(const Call& call, int live_voters);
  base::Status keep_budget(const Call& call, int live_voters);
  base::Status keep_labels(const plan::MemberRecord& member, bool open, const Call& call);
  base::Status keep_claim(const plan::MemberRecord& member, const Call& call);
  base::Status keep_service(const Value& wanted, const Call& call);
  base::Status keep_set(const plan::MemberRecord& member, const Call& call);
  void tell_drift(const Value& wanted);

  [[nodiscard]] Certificates::Scope scope(const Call& call) const {
    return {call.job.intent.cluster, call.job.record, call.stop};
  }
  [[nodiscard]] render::KubernetesMember rendered(const plan::MemberRecord& member,
                                                  const engine::Job& job) const;
  [[nodiscard]] kube::Name name(const std::string& object) const { return {key_.ns, object}; }
  void remember(const engine::Job& job);

  Shared& shared_;
  const base::ClusterKey key_;
  const api::ObjectNames names_;
  Objects objects_;
  Certificates certificates_;
  StoreJobs store_jobs_;
  live::Cluster etcd_;
  kube::EventWriter events_;
  // What the newest job was about, for what is told of it.
  std::optional<api::Cluster> cluster_;
  std::stop_token stop_;
  struct Stored {
    std::string uid, version;  // empty: there was none
    json::Object damaged;      // what goes beside the record that was rebuilt from it
  };
  std::optional<Stored> stored_;               // of the record; no value: not read yet
  std::map<std::string, base::Tick> podless_;  // since when sets have no pod, by member
  std::map<std::string, std::string> gone_;    // volumes that the server said are gone, by member
  std::string told_;                           // the newest published status, without its time
  base::Instant told_look_{};                  // that time
};

inline engine::ApplyResult done(std::string text = {}) {
  return {plan::Outcome::kDone, std::move(text)};
}
inline engine::ApplyResult refused(std::string text) {
  return {plan::Outcome::kRefused, std::move(text)};
}
engine::ApplyResult result_of(const base::Status& status);
const plan::MemberRecord* find(const plan::Record& record, const std::string& name);
// Those that count for the disruption budget.
bool is_voter(const plan::MemberRecord& member);
int count_voters(const plan::Record& record);
// What a member's claim shall say of it.
render::VolumeState volume_state(const plan::MemberRecord& member);

}  // namespace k8s
