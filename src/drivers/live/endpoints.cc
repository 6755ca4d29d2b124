#include "drivers/live/endpoints.h"

#include <algorithm>

namespace live {

void Endpoints::use(const etcd::Tls& tls) {
  if (tls.ca == tls_.ca && tls.cert == tls_.cert && tls.key == tls_.key) return;
  tls_ = tls;
  open_.clear();
}

std::shared_ptr<etcd::EtcdApi> Endpoints::at(const std::string& url) {
  auto& api = open_[url];
  // A member that takes plain text is dialled so although others want TLS already.
  if (!api) api = connect_(url, url.starts_with("http://") ? etcd::Tls{} : tls_);
  return api;
}

void Endpoints::keep_only(const std::map<std::string, std::string>& urls) {
  std::erase_if(open_, [&](const auto& open) {
    return std::ranges::none_of(urls, [&](const auto& u) { return u.second == open.first; });
  });
}

std::string host_port(const std::string& url) {
  const auto scheme = url.find("://");
  const auto from = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(from, url.find('/', from) - from);
}

plan::EtcdStatus to_plan(const etcd::MemberStatus& s) {
  plan::EtcdStatus out;
  out.cluster_id = s.cluster_id;
  out.leader = s.leader;
  out.version = s.version;
  out.storage_version = s.storage_version;
  out.revision = s.revision;
  out.db_size = s.db_size;
  out.db_in_use = s.db_in_use;
  out.db_quota = s.db_quota;
  out.raft_term = s.raft_term;
  out.raft_index = s.raft_index;
  out.raft_applied = s.raft_applied;
  out.learner = s.learner;
  return out;
}

plan::Membership to_plan(const etcd::MemberList& list) {
  plan::Membership out;
  out.cluster_id = list.cluster_id;
  for (const auto& m : list.members)
    out.members.push_back({m.id, m.name, m.peer_urls.empty() ? "" : m.peer_urls.front(),
                           !m.client_urls.empty(), m.learner});
  return out;
}

plan::Outcome to_plan(etcd::Outcome outcome) {
  switch (outcome) {
    case etcd::Outcome::kDone:
      return plan::Outcome::kDone;
    case etcd::Outcome::kRefused:
      return plan::Outcome::kRefused;
    case etcd::Outcome::kMayHaveHappened:
      return plan::Outcome::kMayHaveHappened;
  }
  return plan::Outcome::kMayHaveHappened;
}

}  // namespace live
