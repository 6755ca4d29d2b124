// The etcd half of every driver: what can be asked of the members of one cluster, and done to them,
// through their client addresses. The platform's half is processes, volumes and certificates.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "drivers/live/endpoints.h"
#include "engine/driver.h"

namespace live {

// What this half needs of the platform. It must outlive the cluster.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  // How the members are dialled now; an empty ca means plain text.
  virtual base::Result<etcd::Tls> credentials(const api::Tls& tls) = 0;
  // The decided cluster version, as this member tells it; no value: not decided, or not told.
  virtual std::optional<api::Version> cluster_version(const plan::MemberRecord& member,
                                                      base::Duration deadline,
                                                      const std::stop_token& stop) = 0;
  // Makes all the calls; at the same time where that is possible, so that a member that hangs costs
  // one deadline and not one each.
  virtual void together(std::span<const std::function<void()>> calls) = 0;
  // How long a change that begins now may take, of this; 0: it must not be sent. Less where others
  // may act too and a lease keeps them apart.
  virtual base::Duration may_change_for(base::Duration at_most) { return at_most; }
};

struct Call {
  const engine::Job& job;
  const std::stop_token& stop;
};

// For one thread at a time.
class Cluster {
 public:
  using Api = std::shared_ptr<etcd::EtcdApi>;

  Cluster(Connect connect, Surroundings& around, const base::Clock& clock)
      : around_(around), clock_(clock), endpoints_(std::move(connect)) {}

  base::Status dial(const api::Tls& tls);  // credentials for the calls that follow
  Api at(const std::string& url) { return endpoints_.at(url); }

  // Fills what etcd answers; expects the processes of the members to be filled in.
  void observe(const Call& call, bool want_hashes, plan::Observation& seen);

  // Each reads the membership again right before its call.
  engine::ApplyResult act(const plan::AddLearner& a, const Call& call);
  engine::ApplyResult act(const plan::PromoteMember& a, const Call& call);
  engine::ApplyResult act(const plan::RemoveMember& a, const Call& call);
  engine::ApplyResult act(const plan::MoveLeader& a, const Call& call);
  engine::ApplyResult act(const plan::Compact& a, const Call& call);
  engine::ApplyResult act(const plan::Defragment& a, const Call& call);
  engine::ApplyResult act(const plan::DisarmAlarm& a, const Call& call);
  engine::ApplyResult act(const plan::AdvanceLog& a, const Call& call);
  engine::ApplyResult act(const plan::RewriteMembers& a, const Call& call);

  // A live membership and the voter that gave it.
  struct Live {
    etcd::MemberList list;
    Api api;
  };
  base::Result<Live> live(const Call& call);

 private:
  base::Result<Api> leader(const Live& live, const Call& call);
  void see_statuses(const engine::Job& job, plan::Observation& seen);
  void see_membership(const Call& call, plan::Observation& seen);
  bool see_membership_at(const std::string& url, bool old, plan::Observation& seen);
  void see_version(const Call& call, plan::Observation& seen);
  void see_hashes(const Call& call, plan::Observation& seen);

  Surroundings& around_;
  const base::Clock& clock_;
  Endpoints endpoints_;
  std::optional<api::Version> cluster_version_;  // as last read from a member
};

}  // namespace live
