// The certificates of one cluster as Secrets: two authorities, one server and one peer leaf for all
// members (they hold a wildcard), our own client certificate and the users'. Secrets are fetched by
// name and kept by this one driver only, for minutes.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "api/cluster.h"
#include "api/names.h"
#include "base/fact.h"
#include "base/time.h"
#include "drivers/kube/objects.h"
#include "etcd/api.h"
#include "pki/issue.h"
#include "plan/record.h"
#include "render/kubernetes.h"

namespace k8s {

struct LeafDates {
  base::Instant renew_at{}, expires{};
  bool operator==(const LeafDates&) const = default;
};

// For one thread at a time.
class Certificates {
 public:
  // All must outlive it.
  Certificates(Objects& objects, const base::Clock& clock,
               const render::KubernetesPlatform& platform)
      : objects_(objects), clock_(clock), platform_(platform), names_{objects.key().name} {}

  // Of the calls that follow.
  struct Scope {
    const api::Cluster& cluster;
    const plan::Record& record;
    const std::stop_token& stop;
  };

  // What is absent, expired or of another authority is made; what is good stays. Not the users'.
  base::Status prepare(const Scope& scope, const std::string& incarnation);
  // New leaves, whatever is there.
  base::Status renew_members(const Scope& scope, const std::string& incarnation);
  base::Status renew_clients(const Scope& scope);  // ours, and the users' where there is one
  base::Status publish(const Scope& scope);        // the users'
  base::Status prepare_peer_authority(const Scope& scope);

  // Of the leaf that ends first. Absent: a member could not start.
  base::Fact<LeafDates> member_dates(const Scope& scope);
  base::Fact<LeafDates> client_dates(const Scope& scope);
  base::Fact<base::Instant> authority_renew_at(const Scope& scope);
  // Why Secrets of the user cannot be used; empty: they can, or none are named.
  std::string user_problem(const Scope& scope);
  // How we dial the members; empty where the cluster speaks plain text.
  base::Result<etcd::Tls> operator_tls(const api::Tls& tls, const std::stop_token& stop);

 private:
  using Texts = std::map<std::string, std::string>;  // a Secret's data, decoded
  using Fetched = base::Result<std::optional<Texts>>;
  struct Authority {
    std::string trusted;  // one certificate, or two while a new one comes in
    pki::Pair signer;
  };
  struct Kept {
    std::optional<Texts> texts;
    base::Tick at{};
    std::string owner;                    // its uid, as it was read or written
    std::optional<LeafDates> dates = {};  // of its certificate, once they were asked for
  };

  // Of the user: whoever made it.
  Fetched theirs(const std::string& name, const std::stop_token& stop);
  // FailedPrecondition: somebody else's under our name, and what it vouches for is not trusted.
  Fetched ours(const std::string& name, const std::string& owner, const std::stop_token& stop);
  Fetched ours(const Scope& scope, const std::string& name) {
    return ours(name, scope.cluster.uid, scope.stop);
  }
  [[nodiscard]] const Kept* kept(const std::string& name) const;  // null: to be read
  Fetched keep(const std::string& name, const std::optional<json::Value>& object);
  base::Status store(const Scope& scope, const std::string& name, const Texts& texts);
  // FailedPrecondition: the authority of this Secret is gone, and members that run depend on it.
  base::Status may_begin(const Scope& scope, const std::string& name,
                         const std::string& common_name);
  base::Result<Authority> authority(const Scope& scope, const std::string& name,
                                    const std::string& common_name, const std::string& incarnation);
  base::Result<Authority> client_authority(const Scope& scope);
  base::Result<Authority> peer_authority(const Scope& scope, const std::string& incarnation);
  struct Wanted {
    std::string secret, common_name;
    bool for_members = false;  // holds the members' names
    bool anew = false;
  };
  base::Status leaf(const Scope& scope, const Authority& by, const Wanted& wanted);
  base::Status members(const Scope& scope, const std::string& incarnation, bool anew);
  base::Fact<LeafDates> dates(const Scope& scope, const std::string& name);

  Objects& objects_;
  const base::Clock& clock_;
  const render::KubernetesPlatform& platform_;
  const api::ObjectNames names_;
  std::map<std::string, Kept> kept_;  // by the Secret's name
};

}  // namespace k8s
