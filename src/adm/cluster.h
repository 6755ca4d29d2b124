// The live cluster as its members tell it, and the planner's judgement on what may be done to it.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "adm/context.h"
#include "base/result.h"
#include "etcd/api.h"
#include "plan/view.h"

namespace adm {

// One look. It stays where it is: the view points into it.
struct Sight {
  etcd::MemberList list;
  bool quorum = false;  // the list is linearizable; else it is one member's opinion
  std::string problem;  // why there is no quorum
  std::string through;  // the URL that gave the list
  std::map<base::MemberId, base::Result<etcd::MemberStatus>> statuses;
  base::Result<std::vector<etcd::Alarm>> alarms;
  plan::Observation seen;
  plan::Record record;
  plan::View view;

  Sight() = default;
  Sight(const Sight&) = delete;
  Sight& operator=(const Sight&) = delete;

  [[nodiscard]] const etcd::Member* by_id(base::MemberId id) const;
  [[nodiscard]] const etcd::Member* by_peer(const std::string& url) const;
  // By name or by id in hex; NotFound names those that there are.
  [[nodiscard]] base::Result<const etcd::Member*> find(const std::string& who) const;
  [[nodiscard]] base::MemberId leader() const;  // 0: none known
};

class Cluster {
 public:
  // `memory`: a file that keeps the client URLs that a look found, for when this host's own member
  // does not answer; may be empty.
  Cluster(std::vector<std::string> endpoints, etcd::Tls tls, const base::Clock& clock,
          std::string memory = {})
      : endpoints_(std::move(endpoints)),
        tls_(std::move(tls)),
        clock_(clock),
        memory_(std::move(memory)) {}

  // Unavailable: none of the endpoints answers; names each with its reason.
  base::Result<std::unique_ptr<Sight>> look() const;
  [[nodiscard]] std::shared_ptr<etcd::EtcdApi> at(const std::string& url) const;
  // Of a healthy voter, the leader if `leader`; never of `but`. Unavailable: there is none.
  base::Result<std::shared_ptr<etcd::EtcdApi>> voter(const Sight& sight, bool leader,
                                                     base::MemberId but = {}) const;
  [[nodiscard]] const std::vector<std::string>& endpoints() const { return endpoints_; }
  [[nodiscard]] const etcd::Tls& tls() const { return tls_; }
  [[nodiscard]] const base::Clock& clock() const { return clock_; }

 private:
  std::vector<std::string> endpoints_;
  etcd::Tls tls_;
  const base::Clock& clock_;
  std::string memory_;
};

// This host's cluster: its own member first, then the others as last seen, or --endpoints.
base::Result<Cluster> cluster_of(const Context& context, const Host& host);
// The client URLs of a list, sorted.
std::vector<std::string> client_urls(const etcd::MemberList& list);

// What the planner says of it, in words; empty: it may be done.
std::string why_not_remove(const Sight& sight, base::MemberId id);
std::string why_not_promote(const Sight& sight, base::MemberId id);
std::string why_not_add(const Sight& sight);

}  // namespace adm
